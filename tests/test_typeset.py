"""Formulas as the site shows them are the functions: their MathML is computed."""

import importlib
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import s3s4
from s3s4._table import TABLE

SITE = Path(__file__).resolve().parent.parent / "docs" / "site"
X = np.linspace(-7.3, 7.3, 30)
FUNCTIONS = {
    "log": math.log,
    "sin": math.sin,
    "tanh": math.tanh,
    "erf": math.erf,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "Φ": lambda x: math.erfc(-x / math.sqrt(2)) / 2,
}
NUMBERS = {"e": math.e, "π": math.pi, "scale": 1.0507009873554805}
NAMES = {"alpha": "α", "beta": "β", "eps": "ε", "lambd": "λ"}  # noqa: RUF001
SIGNS = {"≤": "<=", "≥": ">=", "\N{MINUS SIGN}": "-", "=": "==", "(": "(", ")": ")"}


@pytest.fixture
def typeset(monkeypatch):
    """Import the module from where it lies."""
    monkeypatch.syspath_prepend(SITE)
    return importlib.import_module("typeset")


def expression(element):
    """Write MathML as an expression of Python, with the products that it leaves out."""
    parts = list(element)
    if element.tag in ("mi", "mn"):
        return element.text
    if element.tag == "mfrac":
        return f"(({expression(parts[0])})/({expression(parts[1])}))"
    if element.tag == "msup":
        return f"(({expression(parts[0])})**({expression(parts[1])}))"
    if element.tag == "msqrt":
        return f"(({' '.join(map(expression, parts))})**0.5)"
    if element.tag == "mo":
        return SIGNS.get(element.text, element.text)
    text, operand = "", False
    for part in parts:
        if part.tag in ("mspace", "mtext"):
            continue
        if part.tag == "mo" and part.text == "|":
            text += "abs(" if part.get("form") == "prefix" else ")"
            continue
        calls = text.split("*")[-1].split("+")[-1].strip(" (-") in FUNCTIONS
        text += f"{'*' if operand and part.tag != 'mo' and not calls else ''}{expression(part)}"
        operand = part.tag != "mo"
    return f"({text})" if parts[0].text != "(" else text


def value(text, known):
    return eval(text, {**FUNCTIONS, **NUMBERS}, known)


def computed(math, known):
    """Compute the right-hand side of a formula, that of the case that holds."""
    (row,) = math
    right = list(row)[2:]
    last = right[-1][-1] if right[-1].tag == "mrow" and len(right[-1]) else right[-1]
    if last.tag == "mtable":
        for case, condition in (list(line) for line in last):
            if value(expression(condition), known):
                return value(expression(case), known)
        raise AssertionError(f"no case holds for {known}")
    while right[-1].tag in ("mtext", "mspace"):
        right.pop()
    text = expression(right[0])
    forms = [value(form, known) for form in (text[1:-1] if "==" in text else text).split("==")]
    assert forms[1:] == pytest.approx(forms[:-1], rel=1e-12, abs=1e-15)
    return forms[0]


@pytest.mark.parametrize("name", [name for name in TABLE if name != "s3_smooth"])
def test_a_formula_is_its_function(typeset, name):
    """But s3_smooth, whose polynomial has no formula there."""
    entry = TABLE[name]
    known = (name, *TABLE, *entry.parameters)
    lines = entry.doc.split("\n\n    ")[1].partition("\n\n")[0].splitlines()
    tree = ElementTree.fromstring(typeset.block(lines, known).replace("&#160;", " "))
    parameters = {NAMES.get(key, key): number for key, number in entry.parameters.items()}
    if name == "selu":
        parameters["α"] = 1.6732632423543772  # noqa: RUF001
    for x in X:
        if name == "s4":
            parameters["a"] = FUNCTIONS["sigmoid"](parameters["k"] * x)
        found = computed(tree, {**parameters, "x": x})
        assert found == pytest.approx(float(s3s4.get(name)(x)), rel=1e-12, abs=1e-15)


def test_what_is_no_formula_is_refused_or_stays(typeset):
    with pytest.raises(typeset.NoFormula):
        typeset.block(["f(x) = the slope"], ("f",))
    with pytest.raises(typeset.NoFormula):
        typeset.block(["f(x) = (1 + x"], ("f",))
    assert typeset.sentence("0 outside of (a, b).", ()) == "0 outside of (a, b)."
    mixed = typeset.sentence("a x for x > 0, else 0.", ())
    assert mixed.count("<math>") == 3
    assert mixed.endswith("</math>.")
