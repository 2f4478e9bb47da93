"""Translate the row functions of formulas.py to C: loops over rows, and the table of them.

Usage: python generate_rows.py formulas.py rows.h|row_table.h|_row_table.py OUTPUT

Design:
- A row function uses `largest` or `total`. Its body is split at them into phases, each one loop
  over the elements: the first ones reduce, the last one stores the result. What follows from
  reductions alone is a row value, computed once a row.
- An exponential that a later phase needs again is stored in the output meanwhile, which then may be
  x itself. Everything else is computed again.
- Rows side by side are one loop over columns, and a single row is cut into as many columns as fill
  vector registers: a phase is the same simple loop for both, which compilers vectorise, and no
  reduction crosses a register until the end.
- The loops, and the order in which a row is added up, are C: rows_loops.h, rows_type.h and
  rows_slab.h.
"""

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generate import (
    BLOCK_TYPES,
    C_TYPES,
    REDUCTIONS,
    Body,
    Formulas,
    Refused,
    c_expression,
    c_string,
    documentation,
    is_expensive,
    names,
    read,
)

MAX_PHASES = 3
MAX_SUMS = 2
"""Reductions in one phase."""
MAX_VALUES = 6
"""Row values of a function."""


@dataclass
class Phase:
    """One loop over the elements of a row.

    The reductions it makes, by name, and the row values that follow from them and those before.
    """

    reductions: dict[str, ast.Call] = field(default_factory=dict)
    derived: list[str] = field(default_factory=list)


@dataclass
class RowFunction:
    """A row function: its phases, and what the output holds from one to the next."""

    name: str
    doc: str
    body: Body
    phases: list[Phase]
    stored: str | None = None
    stored_by: int = 0

    @property
    def values(self) -> list[str]:
        """The row values, each phase's together."""
        return [name for phase in self.phases for name in (*phase.reductions, *phase.derived)]

    @property
    def signature(self) -> str:
        return f"{','.join('(n)' for _ in self.body.inputs)}->(n)"

    def known(self, phase: int) -> set[str]:
        """What the elements of a phase need not compute."""
        later = {self.stored} if self.stored and phase > self.stored_by else set()
        return {*self.values, *later}

    def targets(self, phase: int) -> list[ast.expr]:
        """What a phase computes of each element, apart from what it stores for later."""
        if phase == len(self.phases):
            return self.body.outputs
        return [call.args[0] for call in self.phases[phase].reductions.values()]


def reduction(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") in REDUCTIONS


def split(name: str, doc: str, body: Body) -> RowFunction:
    """The phases of a body: a reduction belongs to the first one that has all it is made of."""
    ready: dict[str, int] = dict.fromkeys(body.inputs, 0)
    rows: set[str] = set()
    phases: list[Phase] = []
    for target, value in body.assignments.items():
        parts = names(value)
        ready[target] = max((ready[part] for part in parts), default=0)
        if reduction(value):
            assert isinstance(value, ast.Call)
            if ready[target] == len(phases):
                phases.append(Phase())
            phases[ready[target]].reductions[target] = value
            ready[target] += 1
            rows.add(target)
        elif parts and parts <= rows:
            phases[ready[target] - 1].derived.append(target)
            rows.add(target)
    function = RowFunction(name, doc, body, phases)
    keep(function, rows)
    node = body.outputs[0]
    if len(body.outputs) != 1 or len(phases) > MAX_PHASES or len(function.values) > MAX_VALUES:
        raise Refused(node, f"{name} has too many outputs, phases or row values")
    if any(len(phase.reductions) > MAX_SUMS for phase in phases):
        raise Refused(node, f"{name} has more than {MAX_SUMS} reductions in one phase")
    return function


def keep(function: RowFunction, rows: set[str]) -> None:
    """Choose what the output holds between phases: what would cost an exponential again."""
    body = function.body
    costly: set[str] = set()
    for name, value in body.assignments.items():
        if name not in rows and (is_expensive(value) or names(value) & costly):
            costly.add(name)
    made: dict[str, int] = {}
    for phase in range(len(function.phases) + 1):
        queue, reached = list(function.targets(phase)), set[str]()
        while queue:
            for name in names(queue.pop()) - rows - set(body.inputs) - reached:
                reached.add(name)
                if name not in made or name not in costly:
                    queue.append(body.assignments[name])
        again = [name for name in reached if name in made and name in costly]
        for name in reached & costly:
            made.setdefault(name, phase)
        if again:
            if len(again) > 1 or function.stored not in (None, *again):
                raise Refused(body.outputs[0], f"{function.name} needs {again} in two phases")
            function.stored, function.stored_by = again[0], made[again[0]]
    late = [t for p in range(function.stored_by + 1, len(function.phases) + 1)
            for t in function.targets(p)]  # fmt: skip
    if function.stored and "x" in used(function, late, function.known(len(function.phases))):
        raise Refused(body.outputs[0], f"{function.name} needs x after {function.stored} is stored")


def used(function: RowFunction, expressions: Sequence[ast.expr], known: set[str]) -> set[str]:
    """Names that the expressions, and what is computed for them, are made of."""
    body = function.body
    steps = [body.assignments[name] for name in body.needed(list(expressions), known)]
    return set().union(*map(names, [*expressions, *steps]))


def row_functions(formulas: Formulas) -> list[RowFunction]:
    """Every row function, each with its vector-Jacobian product behind it."""
    functions = []
    for name in formulas.rows():
        for one in (name, f"{name}_vjp"):
            if one not in formulas.functions:
                raise Refused(formulas.functions[name], f"the product {one} is missing")
            body = formulas.body(one)
            if body.inputs != (["x"] if one == name else ["g", "x"]):
                raise Refused(formulas.functions[one], f"{name} takes x, {name}_vjp takes g and x")
            functions.append(split(one, documentation(formulas.functions[one]), body))
    return functions


def phase_functions(function: RowFunction, phase: int, kind: str) -> str:
    """One phase: the function of its element, and its loops, which are those of rows_loops.h."""
    ctype = C_TYPES[kind][0]
    body, index = function.body, {name: i for i, name in enumerate(function.values)}
    targets = function.targets(phase)
    stores = function.stored if function.stored and phase == function.stored_by else None
    wanted = [*targets, *([ast.Name(stores)] if stores else [])]
    known = function.known(phase)
    needed = used(function, wanted, known)
    rows = [name for name in function.values if name in needed]
    last = phase == len(function.phases)
    reads = function.stored if function.stored in known and function.stored in needed else None
    calls = [] if last else list(function.phases[phase].reductions.values())
    touched = [f"S3S4_ROW_IN_{i}" for i, name in enumerate(body.inputs) if name in needed]
    touched += ["S3S4_ROW_TO"] if last or stores or reads else []
    name, lanes = f"{function.name}_term{phase}", lanes_name(function, phase, kind)

    def constant(name: str, value: str) -> str:
        return f"    const {ctype} {name} = {value};"

    lines = [
        f"S3S4_INLINE void s3s4_{name}_{kind}(",
        f"    const {ctype} *in_0, const {ctype} *in_1, {ctype} *to, const {ctype} *values,",
        f"    ptrdiff_t step, {ctype} *terms) {{",
        *(constant(one, f"*in_{i}") for i, one in enumerate(body.inputs) if one in needed),
        *(constant(one, f"values[{index[one]} * step]") for one in rows),
        *([constant(reads, "*to")] if reads else []),
        *(
            constant(one, c_expression(body.assignments[one], kind))
            for one in body.needed(wanted, known)
        ),
        *(
            f"    {'*to' if last else f'terms[{i}]'} = {c_expression(target, kind)};"
            for i, target in enumerate(targets)
        ),
        *([f"    *to = {stores};"] if stores else []),
        "    (void)in_0, (void)in_1, (void)to, (void)values, (void)step, (void)terms;",
        "}",
        f"#define S3S4_TERM s3s4_{name}_{kind}",
        f"#define S3S4_LOOP {loop_name(function, phase, kind)}",
        *([f"#define S3S4_LANES {lanes}"] if lanes else []),
        f"#define S3S4_TOUCHED ({' | '.join(touched)})",
        *(
            f"#define S3S4_REDUCTION_{i} S3S4_ROW_{which(calls[i]) if i < len(calls) else 'NONE'}"
            for i in range(MAX_SUMS)
        ),
        '#include "rows_loops.h"',
    ]
    return "\n".join(lines)


def which(call: ast.Call) -> str:
    """What a reduction is. A sum of whole numbers, of one or the other, needs no compensation."""
    value = call.args[0]
    parts = [value.body, value.orelse] if isinstance(value, ast.IfExp) else []
    numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
    if len(numbers) == 2 and all(isinstance(n, int) for n in numbers):
        return "COUNT"
    return getattr(call.func, "id", "").upper()


def loop_name(function: RowFunction, phase: int, kind: str) -> str:
    return f"s3s4_{function.name}_phase{phase}_{kind}"


def lanes_name(function: RowFunction, phase: int, kind: str) -> str | None:
    """The loop that keeps sums in vector registers, where there are any."""
    if kind not in BLOCK_TYPES or phase == len(function.phases):
        return None
    return f"s3s4_{function.name}_lanes{phase}_{kind}"


def finish_function(function: RowFunction, phase: int, kind: str) -> str:
    """The row values that follow from the reductions of a phase, for w columns."""
    ctype = C_TYPES[kind][0]
    values = function.values
    derived = function.phases[phase].derived
    parts = set().union(*(names(function.body.assignments[name]) for name in derived))

    def at(name: str) -> str:
        return f"values[{values.index(name)} * S3S4_ROW_WIDTH + i]"

    lines = [
        "S3S4_UNUSED",
        f"static void s3s4_{function.name}_finish{phase}_{kind}(ptrdiff_t w, {ctype} *values) {{",
        "    S3S4_INDEPENDENT",
        "    for (ptrdiff_t i = 0; i < w; i++) {",
        *(
            f"        const {ctype} {name} = {at(name)};"
            for name in values
            if name in parts and name not in derived
        ),
    ]
    for name in derived:
        value = c_expression(function.body.assignments[name], kind)
        lines += [f"        const {ctype} {name} = {value};", f"        {at(name)} = {name};"]
    return "\n".join([*lines, "    }", "}"])


def row_table(function: RowFunction, kind: str) -> str:
    """What drives the phases of a function."""
    ctype = C_TYPES[kind][0]
    first = [function.values.index(next(iter(phase.reductions))) for phase in function.phases]
    counts = [len(phase.reductions) for phase in function.phases]
    ends = [
        f + len(phase.reductions) + len(phase.derived)
        for f, phase in zip(first, function.phases, strict=True)
    ]
    totals = [
        "{" + ", ".join(str(int(getattr(c.func, "id", "") == "total"))
                        for c in phase.reductions.values()) + "}"
        for phase in function.phases
    ]  # fmt: skip
    finish = [
        f"s3s4_{function.name}_finish{p}_{kind}" if phase.derived else "NULL"
        for p, phase in enumerate(function.phases)
    ]
    loops = [loop_name(function, p, kind) for p in range(len(function.phases) + 1)]
    lanes = [lanes_name(function, p, kind) or "NULL" for p in range(len(function.phases))]
    fields = [
        str(len(function.body.inputs)),
        str(len(function.phases)),
        *("{" + ", ".join(map(str, one)) + "}" for one in (first, counts, ends, totals)),
        *("{" + ", ".join(one) + "}" for one in (loops, lanes, finish)),
    ]
    pointers = ", ".join(f"const {ctype} *{name}" for name in function.body.inputs)
    sources = ", ".join(f"(const char *){name}" for name in function.body.inputs)
    return "\n".join(
        [
            "S3S4_UNUSED",
            f"static const s3s4_rows_{kind} s3s4_{function.name}_phases_{kind} = {{",
            "    " + ",\n    ".join(fields) + "};",
            "",
            "S3S4_UNUSED",
            f"static void s3s4_{function.name}_row_{kind}("
            f"ptrdiff_t n, {pointers}, {ctype} *out) {{",
            f"    s3s4_slab slab = {{n, 1, {{{sources}}}, {{0}}, (char *)out, "
            f"sizeof *out, 0, 0, 0, 0, 0, 0}};",
            "    for (int i = 0; i < S3S4_ROW_INPUTS; i++) slab.in_step[i] = sizeof *out;",
            f"    s3s4_row_slab_{kind}(&s3s4_{function.name}_phases_{kind}, &slab);",
            "}",
        ]
    )


HEADER = f"""\
/* rows.h: every row function as C99, generated from rows.py. Included by s3s4.h.
 *
 * s3s4_<name>_row_<f32|f64|ld>(n, x, out) computes one contiguous row, and
 * s3s4_<name>_vjp_row_<f32|f64|ld>(n, g, x, out) its vector-Jacobian product. out may be x.
 */
#ifndef S3S4_ROWS_H
#define S3S4_ROWS_H

#define S3S4_ROW_PHASES {MAX_PHASES}
#define S3S4_ROW_VALUES {MAX_VALUES}
#define S3S4_ROW_SUMS {MAX_SUMS}
#include "rows_slab.h"
"""


def header(functions: Sequence[RowFunction]) -> str:
    """`rows.h`: the phases, what drives them, and one row at a time."""
    parts = [HEADER]
    for kind, (ctype, _) in C_TYPES.items():
        parts.append(
            f'#define S3S4_T {ctype}\n#define S3S4_K(name) name##_{kind}\n#include "rows_type.h"'
        )
        for function in functions:
            parts += [phase_functions(function, p, kind) for p in range(len(function.phases) + 1)]
            parts += [
                finish_function(function, p, kind)
                for p, phase in enumerate(function.phases)
                if phase.derived
            ]
            parts.append(row_table(function, kind))
        parts.append("#undef S3S4_T\n#undef S3S4_K")
    return "\n\n".join([*parts, "#endif\n"])


def c_table(functions: Sequence[RowFunction]) -> str:
    """The table of row functions that the kernels are driven by."""
    lines = [
        "/* Generated from formulas.py: what rows.pxi knows of each row function. After s3s4.h. */",
        "typedef struct {",
        "    const char *name, *doc, *signature;",
        "    int inputs;",
        *(f"    const s3s4_rows_{kind} *{kind};" for kind in C_TYPES),
        "} s3s4_row_function;",
        "static const s3s4_row_function s3s4_row_functions[] = {",
    ]
    for function in functions:
        fields = [
            c_string(function.name),
            c_string(function.doc),
            c_string(function.signature),
            str(len(function.body.inputs)),
            *(f"&s3s4_{function.name}_phases_{kind}" for kind in C_TYPES),
        ]
        lines.append("    {" + ",\n     ".join(fields) + "},")
    return "\n".join([*lines, "};", ""])


def python_table(formulas: Formulas) -> str:
    """What the Python front knows of each row function."""
    lines = [
        '"""The row functions: their documentation, and their products\'. Generated."""',
        "",
        "ROWS = {",
    ]
    for name in formulas.rows():
        docs = tuple(documentation(formulas.functions[one]) for one in (name, f"{name}_vjp"))
        lines.append(f"    {name!r}: {docs!r},")
    return "\n".join([*lines, "}", ""])


def main(source: str, kind: str, output: str) -> None:
    formulas = Formulas(read(source))
    texts = {
        "rows.h": lambda: header(row_functions(formulas)),
        "row_table.h": lambda: c_table(row_functions(formulas)),
        "_row_table.py": lambda: python_table(formulas),
    }
    Path(output).write_text(texts[kind]())


if __name__ == "__main__":
    main(*sys.argv[1:])
