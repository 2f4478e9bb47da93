"""_rows_gpu.py: the phases of the row functions as Python, which Numba compiles for a GPU.

Design:
- A phase is what it takes of each element, and what follows from its reductions; loops over memory
  are made around it by s3s4/_gpu/row_loops.py.
- An exponential is computed again in every phase that wants it: that takes less time than to write
  and read it, and float16 could not hold it.
"""

from collections.abc import Iterable
from dataclasses import replace

from codegen.family import Family
from codegen.ir import ARITHMETIC, REDUCTIONS, Node, read, walk
from codegen.phases import Phases, phases
from codegen.targets.gpu import NUMBA, PRIMITIVES, given
from codegen.text import Writer

HEAD = '''\
"""The row functions of a GPU, generated from src/formulas: `phases` makes those of one type."""


def phases(inline, real, primitives):
'''


def module(family: Family) -> str:
    rows = [replace(phases(family, f), stored=None) for f in family.row_functions]
    called = used(family)
    return "".join([
        HEAD,
        *(f"    {name} = primitives[{name!r}]\n" for name in called),
        *(text for one in rows for text in functions(one, called)),
        "\n    return locals()\n\n\n",
        "# The inputs of each function, and of each phase what it reads of an element, how it is\n"
        "# reduced, and how many values follow from that.\nROWS = {\n",
        *(f"    {r.function.name!r}: ({r.function.inputs!r}, {table(r)!r}),\n" for r in rows),
        "}\n",
    ])  # fmt: skip


def used(family: Family) -> list[str]:
    """The primitives that the functions call."""
    found = {
        node.op
        for function in family.row_functions
        for node in function.nodes
        if node.args and node.op not in ARITHMETIC and node.op not in REDUCTIONS
    }
    missing = sorted(found - {"abs", *given(PRIMITIVES.read_text())})
    for name in missing:
        family.formulas.refuse(name, f"s3s4/_gpu/primitives.py has no primitive {name}")
    return ["fma", "divide", *sorted(found - {"abs"})]


def functions(rows: Phases, called: list[str]) -> list[str]:
    """What each phase takes of an element, and what follows from its reductions."""
    name, known, found = rows.function.name, list[Node](), []
    for phase in range(len(rows.phases) + 1):
        inputs = [read(one) for one in reads(rows, phase)]
        found.append(
            made(rows, f"{name}_term{phase}", [*inputs, *known], rows.targets(phase), called)
        )
        if phase < len(rows.phases):
            known += rows.phases[phase].reductions
            derived = rows.phases[phase].derived
            if derived:
                found.append(made(rows, f"{name}_finish{phase}", known, derived, called))
            known += derived
    return found


def made(
    rows: Phases, name: str, takes: list[Node], gives: Iterable[Node], called: list[str]
) -> str:
    """A function of some nodes that gives others."""
    writer = Writer(rows.function, NUMBA, [*called, "real"], inputs="p_{}")
    arguments = [writer.known.get(node) or writer.name(node) for node in takes]
    steps = {*walk(gives, takes)}
    lines = [
        f"{one} = {text}"
        for one, text in writer.assignments(n for n in rows.function.nodes if n in steps)
    ]
    lines.append(f"return {', '.join(map(writer.text, gives))}")
    head = f"    def {name}({', '.join(arguments)}):\n"
    return "".join(["\n    @inline\n", head, *(f"        {line}\n" for line in lines)])


def reads(rows: Phases, phase: int) -> tuple[str, ...]:
    """The inputs of an element that a phase takes."""
    taken = {node.text for node in rows.steps(phase) if node.op == "input"}
    return tuple(one for one in rows.function.inputs if one in taken)


def table(rows: Phases) -> tuple[tuple[tuple[str, ...], tuple[str, ...], int], ...]:
    """Of each phase what it reads, its reductions, and how many values follow from them."""
    found = [
        (reads(rows, index), tuple(one.op for one in phase.reductions), len(phase.derived))
        for index, phase in enumerate(rows.phases)
    ]
    return (*found, (reads(rows, len(rows.phases)), (), 0))
