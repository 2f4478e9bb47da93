"""rows.h and row_functions.h: what an element of a row takes in each phase; loops are real C.

Each phase is the function of its element, with the definitions that rows_loops.h makes loops of.
"""

from collections.abc import Iterable

from codegen.family import Family
from codegen.ir import Node
from codegen.phases import MAX_PHASES, MAX_SUMS, MAX_VALUES, Phases, phases
from codegen.targets.c_elements import MACROS, TYPES, C, included
from codegen.text import Writer

TAKEN = (*MACROS, "i", "in_0", "in_1", "step", "terms", "to", "values", "w")
HEAD = f"""\
/* rows.h: every row function as C99, generated from src/formulas. Included by s3s4.h.
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
FUNCTIONS_HEAD = """\
/* row_functions.h: every row function in one type, generated from src/formulas. Included by rows.h.
 */
#include "rows_type.h"
"""


def header(_: Family) -> str:
    """What is included by others: every row function in every type."""
    return "\n\n".join([HEAD, *(included("row_functions.h", kind) for kind in TYPES), "#endif\n"])


def functions(family: Family) -> str:
    """The phases of every row function, what drives them, and one row at a time, in one type."""
    parts = [FUNCTIONS_HEAD]
    for function in family.row_functions:
        rows = phases(family, function)
        every = range(len(rows.phases))
        parts += [phase_function(rows, phase) for phase in (*every, len(rows.phases))]
        parts += [finish_function(rows, p) for p in every if rows.phases[p].derived]
        parts.append(row_table(rows))
    return "\n\n".join([*parts, ""])


def phase_function(rows: Phases, phase: int) -> str:
    """The function of an element, and the loops that rows_loops.h makes of it."""
    function = rows.function
    steps, last = rows.steps(phase), phase == len(rows.phases)
    writer = Writer(function, C, TAKEN)
    name = f"S3S4_K(s3s4_{function.name}_term{phase})"
    inputs = {f"in_{i}": one for i, one in enumerate(function.inputs)}
    used = {node.text for node in steps if node.op == "input"}
    loads = [(one, f"*{pointer}") for pointer, one in inputs.items() if one in used]
    loads += [
        (writer.name(value), f"values[{i} * step]")
        for i, value in enumerate(rows.values)
        if value in steps
    ]
    if rows.stored and rows.reads_stored(phase):
        loads.append((writer.name(rows.stored), "*to"))
    loads += writer.assignments(node for node in function.nodes if node in steps)
    touched = [f"S3S4_ROW_{pointer.upper()}" for pointer, one in inputs.items() if one in used]
    if last or rows.stores(phase) or rows.reads_stored(phase):
        touched.append("S3S4_ROW_TO")
    stores = [rows.stored] if rows.stored and rows.stores(phase) else []
    reductions = [] if last else [which(node) for node in rows.phases[phase].reductions]
    return "\n".join([
        f"S3S4_INLINE void {name}(",
        "    const S3S4_T *in_0, const S3S4_T *in_1, S3S4_T *to, const S3S4_T *values,",
        "    ptrdiff_t step, S3S4_T *terms) {",
        *(f"    const S3S4_T {one} = {text};" for one, text in loads),
        *(
            f"    {'*to' if last else f'terms[{i}]'} = {writer.text(target)};"
            for i, target in enumerate(rows.targets(phase))
        ),
        *(f"    *to = {writer.text(node)};" for node in stores),
        "    (void)in_0, (void)in_1, (void)to, (void)values, (void)step, (void)terms;",
        "}",
        f"#define S3S4_TERM {name}",
        f"#define S3S4_LOOP {loop_name(rows, phase)}",
        f"#define S3S4_ROWS {rows_name(rows, phase)}",
        f"#define S3S4_TOUCHED ({' | '.join(touched)})",
        *(
            f"#define S3S4_REDUCTION_{i} S3S4_ROW_{([*reductions, *['NONE'] * MAX_SUMS])[i]}"
            for i in range(MAX_SUMS)
        ),
        '#include "rows_loops.h"',
    ])  # fmt: skip


def which(reduction: Node) -> str:
    """What a reduction is. A sum of whole numbers, of one or the other, needs no compensation."""
    match reduction.args[0]:
        case Node(op="select", args=(_, Node(op="number") as one, Node(op="number") as other)):
            if float(one.text).is_integer() and float(other.text).is_integer():
                return "COUNT"
    return reduction.op.upper()


def loop_name(rows: Phases, phase: int) -> str:
    return f"S3S4_K(s3s4_{rows.function.name}_phase{phase})"


def rows_name(rows: Phases, phase: int) -> str:
    """The loop over contiguous rows, which keeps sums in vector registers, where there are any."""
    return f"S3S4_K(s3s4_{rows.function.name}_rows{phase})"


def finish_name(rows: Phases, phase: int) -> str:
    return f"S3S4_K(s3s4_{rows.function.name}_finish{phase})"


def finish_function(rows: Phases, phase: int) -> str:
    """The row values that follow from the reductions of a phase, for w columns."""
    derived = rows.phases[phase].derived
    writer = Writer(rows.function, C, TAKEN)
    place = {
        value: f"values[{index} * S3S4_ROW_WIDTH + i]" for index, value in enumerate(rows.values)
    }
    steps: set[Node] = set()
    queue = list(derived)
    while queue:
        node = queue.pop()
        if node not in steps:
            steps.add(node)
            if node in derived or node not in place:
                queue += node.args
    loads = [(writer.name(v), place[v]) for v in rows.values if v in steps and v not in derived]
    loads += writer.assignments(node for node in rows.function.nodes if node in steps)
    return "\n".join([
        "S3S4_UNUSED",
        f"static void {finish_name(rows, phase)}(ptrdiff_t w, S3S4_T *values) {{",
        "    S3S4_INDEPENDENT",
        "    for (ptrdiff_t i = 0; i < w; i++) {",
        *(f"        const S3S4_T {name} = {text};" for name, text in loads),
        *(f"        {place[value]} = {writer.text(value)};" for value in derived),
        "    }",
        "}",
    ])  # fmt: skip


def row_table(rows: Phases) -> str:
    """What drives the phases of a function."""
    name, inputs = rows.function.name, rows.function.inputs
    first = [rows.values.index(phase.reductions[0]) for phase in rows.phases]
    counts = [len(phase.reductions) for phase in rows.phases]
    ends = [f + len((*p.reductions, *p.derived)) for f, p in zip(first, rows.phases, strict=True)]
    totals: list[object] = [
        listed(int(n.op == "total") for n in phase.reductions) for phase in rows.phases
    ]
    every = range(len(rows.phases))
    fields = [
        len(inputs),
        len(rows.phases),
        *(listed(one) for one in (first, counts, ends, totals)),
        listed(loop_name(rows, p) for p in (*every, len(rows.phases))),
        listed(finish_name(rows, p) if rows.phases[p].derived else "NULL" for p in every),
    ]
    pointers = ", ".join(f"const S3S4_T *{one}" for one in inputs)
    sources = listed(f"(const char *){one}" for one in inputs)
    return "\n".join([
        "S3S4_UNUSED",
        f"static const S3S4_K(s3s4_rows) S3S4_K(s3s4_{name}_phases) = {{",
        *(f"    {field}," for field in fields),
        "#if S3S4_IS_BLOCKED",
        f"    {listed(rows_name(rows, p) for p in (*every, len(rows.phases)))},",
        "#else",
        "    {NULL},",
        "#endif",
        "};",
        "",
        "S3S4_UNUSED",
        f"static void S3S4_K(s3s4_{name}_row)(ptrdiff_t n, {pointers}, S3S4_T *out) {{",
        f"    s3s4_slab slab = {{n, 1, {sources}, {{0}}, (char *)out, "
        "sizeof *out, {0}, 0, 0, 0, 0, 0, 0, 0};",
        "    S3S4_T space[S3S4_ROW_ALONE_SPACE];",
        "    for (int i = 0; i < S3S4_ROW_INPUTS; i++) slab.in_step[i] = sizeof *out;",
        f"    S3S4_K(s3s4_row_slab)(&S3S4_K(s3s4_{name}_phases), &slab, space);",
        "}",
    ])  # fmt: skip


def listed(items: Iterable[object]) -> str:
    """An initialiser."""
    return "{" + ", ".join(map(str, items)) + "}"
