"""Every public object has an example, and every example holds: of docstrings, README, reference."""

import doctest
import inspect
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import s3s4

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = (ROOT / "docs" / "site" / "reference.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
DATA = {"__version__", "activations", "c_functions"}
"""They cannot carry a docstring: the reference has their examples."""


def methods(owner):
    """The public methods that a class has of its own or of a base in this package."""
    for base in owner.__mro__:
        if base.__module__.startswith("s3s4"):
            for name, member in vars(base).items():
                if not name.startswith("_") and (
                    inspect.isfunction(member) or type(member) is property
                ):
                    yield f"{owner.__name__}.{name}", member


PUBLIC = {name: getattr(s3s4, name) for name in s3s4.__all__ if name not in DATA}
OBJECTS = PUBLIC | {
    name: member
    for owner in PUBLIC.values()
    if inspect.isclass(owner)
    for name, member in methods(owner)
}


def check(text, name):
    """Run the examples of a text; returns how many there are."""
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    said = io.StringIO()
    with redirect_stdout(said):
        failed, tried = doctest.DocTestRunner().run(test)
    assert failed == 0, said.getvalue()
    return tried


@pytest.mark.parametrize("name", OBJECTS)
def test_object(name):
    assert check(inspect.getdoc(OBJECTS[name]), name) > 0


def test_reference():
    assert check(REFERENCE, "reference") > 0
    named = re.findall(r"^\.\. \S+:: s3s4\.(\w+)", REFERENCE, re.MULTILINE)
    assert sorted(named) == sorted({*s3s4.__all__} - {*s3s4.activations})
    for name in DATA:
        assert re.search(rf"py:data:: s3s4\.{name}(?:\n(?:   .*)?)+?\n   >>> ", REFERENCE), name


def test_readme():
    """Its blocks but that of PyTorch, which tests/frameworks runs, follow each other."""
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    known = {}
    for block in blocks:
        if "import torch" not in block:
            exec(block, known)
    sigmoid = 1 / (1 + np.exp(-known["x"]))
    softsign = known["x"] / (1 + abs(known["x"]))
    a = 1 / (1 + np.exp(-5 * known["x"]))
    np.testing.assert_allclose(known["value"], a * softsign + (1 - a) * sigmoid, rtol=1e-12)
