"""Nodes as text: a language is a format for each operation."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from codegen.ir import Function, Node, read
from codegen.passes import uses

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">",
         "ge": ">=", "eq": "==", "ne": "!="}  # fmt: skip


@dataclass(frozen=True)
class Language:
    """How operations and numbers are written; `call` writes what has no format of its own."""

    formats: Mapping[str, str]
    number: Callable[[str], str]
    call: Callable[[str], str]

    def written(self, node: Node, arguments: list[str]) -> str:
        if node.op == "number":
            return self.number(node.text)
        if node.op in self.formats:
            return self.formats[node.op].format(*arguments)
        return f"{self.call(node.op)}({', '.join(arguments)})"


def infix(**others: str) -> dict[str, str]:
    """The formats of arithmetic and comparisons that most languages share, and others."""
    return {op: f"({{}} {sign} {{}})" for op, sign in INFIX.items()} | {"neg": "(-{})"} | others


class Writer:
    """Writes the nodes of a function; those with a name, or several uses, become variables."""

    def __init__(
        self, function: Function, language: Language, taken: Iterable[str] = (), inputs: str = "{}"
    ) -> None:
        self.language = language
        self.names = function.names
        self.uses = uses(function.nodes, function.outputs)
        self.known = {read(name): inputs.format(name) for name in function.inputs}
        self.taken = {*self.known.values(), *taken}

    def inner(self) -> "Writer":
        """For a scope inside: what is known outside is known there, and not the other way round."""
        writer = copy.copy(self)
        writer.known, writer.taken = dict(self.known), set(self.taken)
        return writer

    def text(self, node: Node) -> str:
        known = self.known.get(node)
        return known or self.language.written(node, [self.text(arg) for arg in node.args])

    def name(self, node: Node) -> str:
        """Make the node a variable: its author's name, or t, with a number where that is taken."""
        base = self.names.get(node, "t")
        name, count = base, 1
        while name in self.taken:
            count += 1
            name = f"{base}{count}"
        self.taken.add(name)
        self.known[node] = name
        return name

    def assignments(self, steps: Iterable[Node]) -> list[tuple[str, str]]:
        """Name and text of each variable, in order."""
        found = []
        for node in steps:
            wanted = node in self.names or self.uses[node] > 1
            if wanted and node.args and not node.is_truth and node not in self.known:
                text = self.text(node)
                found.append((self.name(node), text))
        return found
