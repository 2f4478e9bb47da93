"""Where a formula stands: the definitions of the files, and refusals with their line."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn


class Refused(SystemExit):
    """What is not understood, with its file and line."""


@dataclass(frozen=True)
class Definition:
    """A function of a file."""

    file: str
    lines: list[str]
    node: ast.FunctionDef

    @property
    def arguments(self) -> list[str]:
        return [argument.arg for argument in self.node.args.args]

    def refuse(self, node: ast.AST, reason: str) -> NoReturn:
        raise Refused(f"{self.file}:{getattr(node, 'lineno', self.node.lineno)}: {reason}")

    def digits(self, node: ast.Constant) -> str:
        """A number as it is written."""
        assert node.end_col_offset is not None
        line = self.lines[node.lineno - 1].encode()
        return line[node.col_offset : node.end_col_offset].decode()


def definitions(texts: Mapping[str, str]) -> dict[str, Definition]:
    """Every function of the files, by name."""
    found: dict[str, Definition] = {}
    for file, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef):
                definition = Definition(file, text.splitlines(), node)
                if node.name in found:
                    definition.refuse(node, f"{node.name} is defined twice")
                takes = node.args
                if takes.vararg or takes.kwarg or takes.kwonlyargs or takes.posonlyargs:
                    definition.refuse(node, f"{node.name} may take plain arguments alone")
                if node.decorator_list:
                    definition.refuse(node, f"{node.name} may have no decorator")
                found[node.name] = definition
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                reason = f"only functions may stand here, not {type(node).__name__}"
                raise Refused(f"{file}:{node.lineno}: {reason}")
    return found
