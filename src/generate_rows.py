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
- Sums: a column adds up to 32 terms, then goes into a sum of two parts that loses nothing (Knuth's
  two-sum). The error does not grow with the length of the row.
- A long row is cut into pieces by its length alone and their results are added up in order: the
  bits do not depend on who computed which piece.
"""

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generate import (
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


def phase_function(function: RowFunction, phase: int, kind: str) -> str:
    """One phase over groups of w columns."""
    ctype = C_TYPES[kind][0]
    body, index = function.body, {name: i for i, name in enumerate(function.values)}
    targets = function.targets(phase)
    stores = function.stored if function.stored and phase == function.stored_by else None
    wanted = [*targets, *([ast.Name(stores)] if stores else [])]
    known = function.known(phase)
    needed = used(function, wanted, known)
    inputs = [name for name in body.inputs if name in needed]
    rows = [name for name in function.values if name in needed]
    last = phase == len(function.phases)
    reads = function.stored if function.stored in known and function.stored in needed else None
    results = [] if last else list(function.phases[phase].reductions.values())

    def constant(name: str, value: str) -> str:
        return f"            const {ctype} {name} = {value};"

    lines = [
        "S3S4_UNUSED",
        f"static void s3s4_{function.name}_phase{phase}_{kind}(",
        "    ptrdiff_t groups, ptrdiff_t w, const char *const *in, const ptrdiff_t *in_step,",
        f"    char *out, ptrdiff_t out_step, const {ctype} *values, {ctype} *sums) {{",
        *(
            f"    const {ctype} *value_{name} = values + {index[name]} * S3S4_ROW_WIDTH;"
            for name in rows
        ),
        *(f"    {ctype} *sum_{i} = sums + {i} * S3S4_ROW_WIDTH;" for i in range(len(results))),
        *([] if inputs else ["    (void)in, (void)in_step;"]),
        *([] if rows else ["    (void)values;"]),
        *([] if results else ["    (void)sums;"]),
        *([] if last or stores or reads else ["    (void)out, (void)out_step;"]),
        "    for (ptrdiff_t j = 0; j < groups; j++) {",
        *(
            f"        const {ctype} *in_{name} = "
            f"(const {ctype} *)(in[{body.inputs.index(name)}] + j * "
            f"in_step[{body.inputs.index(name)}]);"
            for name in inputs
        ),
        *(
            [f"        {ctype} *to = ({ctype} *)(out + j * out_step);"]
            if last or stores or reads
            else []
        ),
        *(
            f"        S3S4_ROW_FETCH(in_{name}, w, in_step[{body.inputs.index(name)}]);"
            for name in inputs
        ),
        *(["        S3S4_ROW_FETCH(to, w, out_step);"] if last or stores or reads else []),
        "        S3S4_INDEPENDENT",
        "        for (ptrdiff_t i = 0; i < w; i++) {",
        *(constant(name, f"in_{name}[i]") for name in inputs),
        *(constant(name, f"value_{name}[i]") for name in rows),
        *([constant(reads, "to[i]")] if reads else []),
        *(
            constant(name, c_expression(body.assignments[name], kind))
            for name in body.needed(wanted, known)
        ),
        *(constant(f"new_{i}", c_expression(target, kind)) for i, target in enumerate(targets)),
        *([f"            to[i] = {stores};"] if stores else []),
    ]
    for i, call in enumerate(results):
        which = getattr(call.func, "id", "")
        update = f"sum_{i}[i] + new_{i}" if which == "total" else (
            f"sum_{i}[i] < new_{i} ? new_{i} : sum_{i}[i]"
        )  # fmt: skip
        lines.append(f"            sum_{i}[i] = {update};")
    if last:
        lines.append("            to[i] = new_0;")
    return "\n".join([*lines, "        }", "    }", "}"])


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
    loops = [f"s3s4_{function.name}_phase{p}_{kind}" for p in range(len(function.phases) + 1)]
    fields = [
        str(len(function.body.inputs)),
        str(len(function.phases)),
        *("{" + ", ".join(map(str, one)) + "}" for one in (first, counts, ends, totals)),
        "{" + ", ".join(loops) + "}",
        "{" + ", ".join(finish) + "}",
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
            f"sizeof *out, 0, 0, 0}};",
            "    for (int i = 0; i < S3S4_ROW_INPUTS; i++) slab.in_step[i] = sizeof *out;",
            f"    s3s4_row_slab_{kind}(&s3s4_{function.name}_phases_{kind}, &slab);",
            "}",
        ]
    )


HEADER = f"""\
/* rows.h: every row function as C99, generated from formulas.py. Included by s3s4.h.
 *
 * s3s4_<name>_row_<f32|f64|ld>(n, x, out) computes one contiguous row, and
 * s3s4_<name>_vjp_row_<f32|f64|ld>(n, g, x, out) its vector-Jacobian product. out may be x.
 */
#ifndef S3S4_ROWS_H
#define S3S4_ROWS_H

#define S3S4_ROW_INPUTS 2
#define S3S4_ROW_PHASES {MAX_PHASES}
#define S3S4_ROW_VALUES {MAX_VALUES}
#define S3S4_ROW_SUMS {MAX_SUMS}
#define S3S4_ROW_WIDTH 256      /* most columns */
#define S3S4_ROW_LANES 128      /* columns that a long row is cut into */
#define S3S4_ROW_TERMS 32       /* that a column adds up before its sum is compensated */
#define S3S4_ROW_PIECE 32768    /* least elements of a piece */
#define S3S4_ROW_PIECES 64      /* most pieces */
#define S3S4_ROW_PARTS 1024     /* most pieces times columns */

/* As S3S4_FETCH, for groups that follow each other and are not short. */
#if defined(__GNUC__)
#define S3S4_ROW_FETCH(pointer, w, step)                                                  \\
    for (ptrdiff_t line = 0, end = (w) * (ptrdiff_t)sizeof *(pointer);                    \\
         end >= S3S4_BLOCK(char) && end <= 2 * S3S4_BLOCK(char) && (step) == end &&       \\
         line < end;                                                                      \\
         line += 64)                                                                      \\
        __builtin_prefetch((const char *)(pointer) + S3S4_AHEAD + line)
#else
#define S3S4_ROW_FETCH(pointer, w, step) (void)0
#endif

/* n elements of adjacent rows, with the bytes from one to the next of its row. */
typedef struct {{
    ptrdiff_t n, columns;
    const char *in[S3S4_ROW_INPUTS];
    ptrdiff_t in_step[S3S4_ROW_INPUTS];
    char *out;
    ptrdiff_t out_step;
    ptrdiff_t spread, pieces, piece; /* set by s3s4_row_divide */
}} s3s4_slab;

/* Where rows are narrow and contiguous, several elements of each stand side by side. */
static inline void s3s4_row_divide(s3s4_slab *slab, int inputs, ptrdiff_t size) {{
    const ptrdiff_t step = slab->columns * size;
    const ptrdiff_t width = slab->columns == 1 ? S3S4_ROW_LANES : S3S4_ROW_WIDTH;
    int joined = slab->out_step == step, i;
    for (i = 0; i < inputs; i++) joined = joined && slab->in_step[i] == step;
    slab->spread = 1;
    while (joined && 2 * slab->spread * slab->columns <= width && 8 * slab->spread <= slab->n)
        slab->spread *= 2;
    const ptrdiff_t block = slab->spread * S3S4_ROW_TERMS;
    ptrdiff_t pieces = slab->n * slab->columns / S3S4_ROW_PIECE;
    if (pieces > S3S4_ROW_PIECES) pieces = S3S4_ROW_PIECES;
    if (pieces > S3S4_ROW_PARTS / slab->columns) pieces = S3S4_ROW_PARTS / slab->columns;
    if (pieces < 1) pieces = 1;
    const ptrdiff_t length = (slab->n + pieces - 1) / pieces;
    slab->piece = (length + block - 1) / block * block;
    slab->pieces = (slab->n + slab->piece - 1) / slab->piece;
}}
"""

# Written for each type: {T} is it, {K} its suffix.
DRIVER = """\
typedef struct {
    int inputs, phases;
    int first[S3S4_ROW_PHASES], count[S3S4_ROW_PHASES], end[S3S4_ROW_PHASES];
    int is_total[S3S4_ROW_PHASES][S3S4_ROW_SUMS];
    void (*loop[S3S4_ROW_PHASES + 1])(ptrdiff_t, ptrdiff_t, const char *const *, const ptrdiff_t *,
                                      char *, ptrdiff_t, const {T} *, {T} *);
    void (*finish[S3S4_ROW_PHASES])(ptrdiff_t, {T} *);
} s3s4_rows_{K};

typedef struct {
    {T} values[S3S4_ROW_VALUES * S3S4_ROW_WIDTH];
    {T} totals[S3S4_ROW_SUMS * S3S4_ROW_PARTS], rests[S3S4_ROW_SUMS * S3S4_ROW_PARTS];
} s3s4_row_results_{K};

/* Elements start to stop of every row through one phase. */
static inline void s3s4_row_part_{K}(
    const s3s4_rows_{K} *rows, int phase, const s3s4_slab *slab, ptrdiff_t start,
    ptrdiff_t stop, const {T} *values, {T} *sums) {
    const ptrdiff_t spread = slab->spread, groups = (stop - start) / spread;
    const ptrdiff_t rest = (stop - start) % spread;
    const char *in[S3S4_ROW_INPUTS];
    ptrdiff_t in_step[S3S4_ROW_INPUTS];
    char *out = slab->out + start * slab->out_step;
    int i;
    for (i = 0; i < rows->inputs; i++) {
        in[i] = slab->in[i] + start * slab->in_step[i];
        in_step[i] = spread * slab->in_step[i];
    }
    if (groups)
        rows->loop[phase](groups, spread * slab->columns, in, in_step, out,
                          spread * slab->out_step, values, sums);
    if (rest) {
        for (i = 0; i < rows->inputs; i++) in[i] += groups * in_step[i];
        out += groups * spread * slab->out_step;
        rows->loop[phase](1, rest * slab->columns, in, in_step, out, 0, values, sums);
    }
}

static inline void s3s4_row_neutral_{K}(const int *is_total, int count, ptrdiff_t w, {T} *sums) {
    for (int r = 0; r < count; r++) {
        const {T} neutral = is_total[r] ? 0 : -({T})INFINITY;
        for (ptrdiff_t i = 0; i < w; i++) sums[r * S3S4_ROW_WIDTH + i] = neutral;
    }
}

/* Merge n columns of sums into totals and rests: a largest has no rest. */
static inline void s3s4_row_merge_{K}(
    int is_total, ptrdiff_t n, {T} *totals, {T} *rests, const {T} *more, const {T} *more_rests) {
    ptrdiff_t i;
    if (is_total) {
        S3S4_INDEPENDENT
        for (i = 0; i < n; i++) {
            const {T} a = totals[i], b = more[i], sum = a + b, part = sum - a;
            const {T} lost = (a - (sum - part)) + (b - part);
            rests[i] = (rests[i] + (more_rests ? more_rests[i] : 0)) + lost;
            totals[i] = sum;
        }
    } else {
        S3S4_INDEPENDENT
        for (i = 0; i < n; i++) totals[i] = totals[i] < more[i] ? more[i] : totals[i];
    }
}

/* The halves of w columns are merged until one is left; w is a power of 2. Loops of a known length
 * are one or two vector operations each. */
static inline void s3s4_row_fold_{K}(int is_total, ptrdiff_t w, {T} *totals, {T} *rests) {
    while (w > 16) {
        w /= 2;
        for (ptrdiff_t i = 0; i < w; i += 16)
            s3s4_row_merge_{K}(is_total, 16, totals + i, rests + i, totals + w + i, rests + w + i);
    }
    if (w > 8) s3s4_row_merge_{K}(is_total, 8, totals, rests, totals + 8, rests + 8);
    if (w > 4) s3s4_row_merge_{K}(is_total, 4, totals, rests, totals + 4, rests + 4);
    if (w > 2) s3s4_row_merge_{K}(is_total, 2, totals, rests, totals + 2, rests + 2);
    if (w > 1) s3s4_row_merge_{K}(is_total, 1, totals, rests, totals + 1, rests + 1);
}

/* One piece of a phase; its reductions go to their place among the results. */
S3S4_UNUSED
static void s3s4_row_piece_{K}(const s3s4_rows_{K} *rows, int phase, const s3s4_slab *slab,
                               ptrdiff_t piece, s3s4_row_results_{K} *results) {
    {T} totals[S3S4_ROW_SUMS * S3S4_ROW_WIDTH], rests[S3S4_ROW_SUMS * S3S4_ROW_WIDTH];
    {T} sums[S3S4_ROW_SUMS * S3S4_ROW_WIDTH];
    const ptrdiff_t w = slab->spread * slab->columns, block = slab->spread * S3S4_ROW_TERMS;
    const ptrdiff_t start = piece * slab->piece;
    const ptrdiff_t left = slab->n - start;
    const ptrdiff_t stop = start + (left < slab->piece ? left : slab->piece);
    const int *is_total;
    ptrdiff_t j, half;
    int count, r;
    if (phase == rows->phases) {
        s3s4_row_part_{K}(rows, phase, slab, start, stop, results->values, NULL);
        return;
    }
    is_total = rows->is_total[phase];
    count = rows->count[phase];
    s3s4_row_neutral_{K}(is_total, count, w, totals);
    s3s4_row_part_{K}(rows, phase, slab, start, stop - start < block ? stop : start + block,
                      results->values, totals);
    for (r = 0; r < count; r++)
        memset(rests + r * S3S4_ROW_WIDTH, 0, (size_t)w * sizeof({T}));
    for (j = start + block; j < stop; j += block) {
        s3s4_row_neutral_{K}(is_total, count, w, sums);
        s3s4_row_part_{K}(rows, phase, slab, j, stop - j < block ? stop : j + block,
                          results->values, sums);
        for (r = 0; r < count; r++) {
            const ptrdiff_t at = r * S3S4_ROW_WIDTH;
            s3s4_row_merge_{K}(is_total[r], w, totals + at, rests + at, sums + at, NULL);
        }
    }
    for (r = 0; r < count; r++) {
        {T} *total = totals + r * S3S4_ROW_WIDTH, *rest = rests + r * S3S4_ROW_WIDTH;
        const ptrdiff_t at = (r * slab->pieces + piece) * slab->columns;
        if (slab->columns == 1) s3s4_row_fold_{K}(is_total[r], w, total, rest);
        else
            for (half = w / 2; half >= slab->columns; half /= 2)
                s3s4_row_merge_{K}(is_total[r], half, total, rest, total + half, rest + half);
        memcpy(results->totals + at, total, (size_t)slab->columns * sizeof({T}));
        memcpy(results->rests + at, rest, (size_t)slab->columns * sizeof({T}));
    }
}

/* The row values that all pieces of a phase lead to. */
S3S4_UNUSED
static void s3s4_row_finish_{K}(const s3s4_rows_{K} *rows, int phase, const s3s4_slab *slab,
                                s3s4_row_results_{K} *results) {
    const ptrdiff_t n = slab->columns, w = slab->spread * n;
    ptrdiff_t i, have;
    int r, v;
    if (phase == rows->phases) return;
    for (r = 0; r < rows->count[phase]; r++) {
        {T} *totals = results->totals + r * slab->pieces * n;
        {T} *rests = results->rests + r * slab->pieces * n;
        {T} *value = results->values + (rows->first[phase] + r) * S3S4_ROW_WIDTH;
        for (i = 1; i < slab->pieces; i++)
            s3s4_row_merge_{K}(rows->is_total[phase][r], n, totals, rests, totals + i * n,
                               rests + i * n);
        /* What overflowed has no rest. */
        for (i = 0; i < n; i++)
            value[i] = rests[i] == rests[i] ? totals[i] + rests[i] : totals[i];
    }
    if (rows->finish[phase]) rows->finish[phase](n, results->values);
    for (v = rows->first[phase]; v < rows->end[phase]; v++) {
        {T} *value = results->values + v * S3S4_ROW_WIDTH;
        if (n == 1)
            for (i = 1; i < w; i++) value[i] = value[0];
        else
            for (have = n; have < w; have *= 2)
                memcpy(value + have, value, (size_t)have * sizeof({T}));
    }
}

/* Every phase of adjacent rows, serially. */
S3S4_UNUSED
static void s3s4_row_slab_{K}(const s3s4_rows_{K} *rows, s3s4_slab *slab) {
    s3s4_row_results_{K} results;
    ptrdiff_t piece;
    int phase;
    s3s4_row_divide(slab, rows->inputs, sizeof({T}));
    for (phase = 0; phase <= rows->phases; phase++) {
        for (piece = 0; piece < slab->pieces; piece++)
            s3s4_row_piece_{K}(rows, phase, slab, piece, &results);
        s3s4_row_finish_{K}(rows, phase, slab, &results);
    }
}
"""


def header(functions: Sequence[RowFunction]) -> str:
    """`rows.h`: the phases, what drives them, and one row at a time."""
    parts = [HEADER]
    for kind, (ctype, _) in C_TYPES.items():
        parts.append(DRIVER.replace("{T}", ctype).replace("{K}", kind))
        for function in functions:
            parts += [phase_function(function, p, kind) for p in range(len(function.phases) + 1)]
            parts += [
                finish_function(function, p, kind)
                for p, phase in enumerate(function.phases)
                if phase.derived
            ]
            parts.append(row_table(function, kind))
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
