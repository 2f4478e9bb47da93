"""_table.py and _row_table.py: what the Python front knows of each activation and row function."""

from codegen.family import Family

HEAD = '''\
"""The activations: parameters with their defaults, documentation. Generated."""

from typing import NamedTuple


class Entry(NamedTuple):
    """An activation of activations.py."""

    parameters: dict[str, float]
    doc: str
    derivatives: dict[str, str]
    second_derivatives: dict[tuple[str, str], str]


TABLE = {
'''
ROW_HEAD = '''\
"""The row functions: their documentation, and their products'. Generated."""

ROWS = {
'''


def activations(family: Family) -> str:
    parts = [HEAD]
    for activation in family.activations:
        docs = {by: derivative.doc for by, derivative in activation.derivatives.items()}
        seconds = {by: second.doc for by, second in activation.second_derivatives.items()}
        fields = (dict(activation.defaults), activation.value.doc, docs, seconds)
        lines = "".join(f"        {field!r},\n" for field in fields)
        parts.append(f"    {activation.name!r}: Entry(\n{lines}    ),\n")
    return "".join([*parts, "}\n"])


def rows(family: Family) -> str:
    entries = [f"    {row.name!r}: {(row.value.doc, row.product.doc)!r},\n" for row in family.rows]
    return "".join([ROW_HEAD, *entries, "}\n"])
