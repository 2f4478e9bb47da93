"""The stub says of each activation what the object says: its documentation and its defaults."""

import ast
from importlib.resources import files
from itertools import pairwise

import pytest

import s3s4
from support import ELEMENTWISE

MODULE = ast.parse((files("s3s4") / "__init__.pyi").read_text("utf-8"))
STUB = MODULE.body
CLASSES = {node.name: node for node in STUB if isinstance(node, ast.ClassDef)}
OWNERS = {
    node.target.id: CLASSES[ast.unparse(node.annotation)]
    for node in STUB
    if isinstance(node, ast.AnnAssign)
}
DOCUMENTED = {
    node.target.id: ast.literal_eval(text.value)
    for node, text in pairwise(STUB)
    if isinstance(node, ast.AnnAssign) and isinstance(text, ast.Expr)
}


def test_every_activation_is_declared_with_its_documentation():
    assert list(OWNERS) == list(s3s4.activations)
    for name, activation in s3s4.activations.items():
        assert activation.__doc__.startswith(DOCUMENTED[name])
        assert name in DOCUMENTED[name]


@pytest.mark.parametrize("method", ["__call__", "derivative", "value_and_derivative", "backward"])
def test_defaults_are_those_of_the_objects(method):
    for name, activation in ELEMENTWISE.items():
        overloads = [f for f in OWNERS[name].body if getattr(f, "name", "") == method]
        assert len(overloads) > 1
        for arguments in (overload.args for overload in overloads):
            named = [a.arg for a in arguments.args]
            assert named[-len(activation.parameters) or len(named) :] == [*activation.parameters]
            # Of backward one form has none: k has then the type of what is given.
            if arguments.defaults:
                found = [ast.literal_eval(default) for default in arguments.defaults]
                assert found == [*activation.parameters.values()]
        assert overloads[-1].args.defaults or not activation.parameters


def test_no_default_is_left_out():
    for node in ast.walk(MODULE):
        if isinstance(node, ast.arguments):
            for default in (*node.defaults, *node.kw_defaults):
                assert getattr(default, "value", None) is not ...
