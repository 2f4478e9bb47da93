"""Read formulas: each function becomes nodes; what is not understood is refused with its line.

Design:
- A body is evaluated, not translated: names stand for nodes, and a call of a part evaluates its
  body on the caller's nodes. Names therefore mean nothing beyond the function they stand in.
- The fuse rule: `a * b + c`, as it is written in one expression, is one fused operation, rounded
  once; a product that has a name of its own is rounded before it is added. This is the one place
  that decides it, so that every target and every form of a function gives the same bits.
- A number keeps the digits it is written with: long double has more than a Python number holds.
"""

import ast
from collections.abc import Mapping
from typing import NoReturn

from codegen.ir import PRIMITIVES, REDUCTIONS, Function, Node, number, read
from codegen.source import Definition, definitions

BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
COMPARE = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}


class Formulas:
    """The functions of all files, and the nodes of those that are public."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.definitions = definitions(texts)
        public = [name for name in self.definitions if not name.startswith("_")]
        self.functions = {name: self._function(name) for name in public}

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Say what is wrong with a function as a whole."""
        self.definitions[name].refuse(self.definitions[name].node, reason)

    def _function(self, name: str) -> Function:
        node = self.definitions[name].node
        doc = ast.get_docstring(node)
        if not doc:
            self.refuse(name, f"{name} has no docstring")
        inputs = tuple(self.definitions[name].arguments)
        names: dict[Node, str] = {}
        outputs = Body(self.definitions, name, names).outputs([read(i) for i in inputs])
        return Function(name, doc, inputs, outputs, names)


class Body:
    """The evaluation of one function on the nodes of its arguments."""

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        name: str,
        names: dict[Node, str],
        callers: tuple[str, ...] = (),
    ) -> None:
        self.definitions, self.own, self.names = definitions, definitions[name], names
        self.active = (*callers, name)
        self.scope: dict[str, Node] = {}

    def outputs(self, values: list[Node]) -> tuple[Node, ...]:
        """What the function returns; the names it gives are noted on the way."""
        self.scope = dict(zip(self.own.arguments, values, strict=True))
        for statement in self.own.node.body:
            match statement:
                case ast.Expr(value=ast.Constant()):
                    pass
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, value)
                case ast.Return(value=ast.expr() as value):
                    return self._values(value)
                case _:
                    self.own.refuse(statement, f"cannot translate {type(statement).__name__}")
        self.own.refuse(self.own.node, f"{self.own.node.name} returns nothing")

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        results = self._values(value)
        if len(results) != len(targets):
            self.own.refuse(target, f"{len(targets)} names for {len(results)} values")
        for one, result in zip(targets, results, strict=True):
            if not isinstance(one, ast.Name):
                self.own.refuse(one, f"cannot assign to {type(one).__name__}")
            if self.scope.setdefault(one.id, result) is not result:
                self.own.refuse(one, f"{one.id} is assigned twice")
            if result.args:
                self.names.setdefault(result, one.id)

    def _values(self, node: ast.expr) -> tuple[Node, ...]:
        """One value, or the several of a tuple and of a part."""
        match node:
            case ast.Tuple(elts=elements):
                return tuple(map(self._real, elements))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
                name in self.definitions
            ):
                wanted = len(self.definitions[name].arguments)
                if len(args) != wanted:
                    self.own.refuse(node, f"{name} takes {wanted} values, not {len(args)}")
                if name in self.active:
                    self.own.refuse(node, f"{name} calls itself")
                values = [self._real(one) for one in args]
                return Body(self.definitions, name, self.names, self.active).outputs(values)
        return (self._real(node),)

    def _real(self, node: ast.expr) -> Node:
        found = self._value(node)
        if found.is_truth:
            self.own.refuse(node, f"a number is wanted, and {ast.unparse(node)} is a truth value")
        return found

    def _value(self, node: ast.expr) -> Node:
        real = self._real
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                digits = self.own.digits(node)
                return number(digits if isinstance(value, float) else f"{digits}.0")
            case ast.Constant(value=value):
                self.own.refuse(node, f"cannot translate the constant {value!r}")
            case ast.Name(id=name):
                if name not in self.scope:
                    self.own.refuse(node, f"{name} is not assigned before it is used")
                return self.scope[name]
            case ast.BinOp(left=ast.BinOp(left=a, op=ast.Mult(), right=b), op=ast.Add(), right=c):
                return Node("fma", real(a), real(b), real(c))
            case ast.BinOp(left=ast.BinOp(left=a, op=ast.Mult(), right=b), op=ast.Sub(), right=c):
                return Node("fma", real(a), real(b), Node("neg", real(c)))
            case ast.BinOp(left=c, op=ast.Add(), right=ast.BinOp(left=a, op=ast.Mult(), right=b)):
                return Node("fma", real(a), real(b), real(c))
            case ast.BinOp(left=c, op=ast.Sub(), right=ast.BinOp(left=a, op=ast.Mult(), right=b)):
                return Node("fma", Node("neg", real(a)), real(b), real(c))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return Node(BINARY[type(op)], real(left), real(right))
            case ast.BinOp(op=op):
                self.own.refuse(node, f"cannot translate {type(op).__name__}")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Node("neg", real(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARE:
                return Node(COMPARE[type(op)], real(left), real(right))
            case ast.Compare():
                self.own.refuse(node, "one comparison at a time, of those of numbers")
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition = self._value(test)
                if not condition.is_truth:
                    self.own.refuse(test, f"{ast.unparse(test)} is a number, not a comparison")
                return Node("select", condition, real(body), real(orelse))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in PRIMITIVES:
                return self._primitive(node, name, args)
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in self.definitions:
                values = self._values(node)
                if len(values) != 1:
                    self.own.refuse(node, f"{name} returns {len(values)} values")
                return values[0]
            case ast.Call(keywords=[]):
                self.own.refuse(node, f"unknown primitive {ast.unparse(node.func)}")
            case ast.Call():
                self.own.refuse(node, "parts and primitives take no keywords")
        self.own.refuse(node, f"cannot translate {type(node).__name__}")

    def _primitive(self, node: ast.Call, name: str, args: list[ast.expr]) -> Node:
        if len(args) != PRIMITIVES[name]:
            self.own.refuse(node, f"{name} takes {PRIMITIVES[name]} values, not {len(args)}")
        values = [self._real(one) for one in args]
        if name in REDUCTIONS and values[0].is_of_row:
            self.own.refuse(node, f"{name} takes elements, and its argument is one number of a row")
        return Node(name, *values)
