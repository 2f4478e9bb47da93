"""The text of a kernel: a loop over memory around a function of one element.

Design:
- Numba compiles no *args, so a loop cannot be written once for one, two or three arrays: its text
  is made for a function, when a kernel of it is first asked for.
- How each operand is read is a part of the form: what is one number for all, be it an argument or
  in memory, is read before the loop, so that the trainable k of no axes costs no element anything.
- Loops are `while`: for a `range` Numba divides first, to know how often it will go round.
- `storage`, `real` and `index` are the types in memory, of the arithmetic and of indices; `wide`
  makes a number of the arithmetic of what lies in memory.
- An operand may have any name, so one of an index as well: a parameter k is p_k here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

AXES = ("a", "b", "c", "d")
PAIR = ("high", "low")
"""Of a compensated sum."""


class Form(NamedTuple):
    """Which loop, and how it reads each operand.

    Loops: flat, arrays that run on as one axis; lines, arrays of axes the last of which runs on;
    walk, arrays of any strides. Those leave every result in an array. Of several gradients, sum and
    reduce leave the first one so, and add up the others: sum over flat arrays as a whole, reduce
    over the last two axes for each of the first two. total adds up what those two left.

    Operands: number, an argument; one, an element for all; each, 16 bytes at once of a flat array;
    line, the same along the last axis; point, one element for a whole line; view, any strides.
    """

    loop: str
    operands: tuple[str, ...] = ()
    axes: int = len(AXES)
    """Of lines and walk: the last so many, for each takes instructions."""

    def __str__(self) -> str:
        axes = f" of {self.axes}" if self.loop in ("lines", "walk") else ""
        return " ".join([self.loop + axes, *self.operands])

    @property
    def is_vector(self) -> bool:
        """Whether it moves 16 bytes at once."""
        return self.loop in ("flat", "lines", "sum")


def folded(names: Sequence[str]) -> list[str]:
    """Add up what the threads of a block have, halving; the first `across` of them end with it."""
    return [
        "half = THREADS // 2",
        "while half >= across:",
        "    cuda.syncthreads()",
        "    if thread < half:",
        *(
            f"        {line}"
            for name in names
            for line in (
                added(name, f"{name}_high[thread + half]"),
                f"{name}_low[thread] += {name}_low[thread + half]",
            )
        ),
        "    half //= 2",
    ]


def room(names: Sequence[str]) -> list[str]:
    """Each thread's sums, in memory of the block: registers are scarce."""
    return [
        *(f"{name}_{part} = cuda.shared.array(THREADS, real)" for name in names for part in PAIR),
        *(f"{name}_high[thread] = {name}_low[thread] = real(0.0)" for name in names),
    ]


def added(name: str, term: str) -> str:
    """Add a number to a thread's sum."""
    pair = listed([f"{name}_{part}[thread]" for part in PAIR])
    return f"{pair} = add({pair}, {term})"


def listed(items: Sequence[str]) -> str:
    """As a target or a value that is a tuple only where there are several."""
    return ", ".join(items)


def indented(lines: Sequence[str], steps: int) -> list[str]:
    """Lines so many steps further in."""
    return ["    " * steps + line for line in lines]


TOTAL = [
    "def total(across, partial, result):",
    "    thread = cuda.threadIdx.x",
    "    slot, piece = cuda.blockIdx.x * across + thread % across, thread // across",
    *indented(room(["sum"]), 1),
    "    while slot < partial.shape[0] and piece < partial.shape[1]:",
    f"        {added('sum', 'partial[slot, piece, 0]')}",
    "        sum_low[thread] += partial[slot, piece, 1]",
    "        piece += THREADS // across",
    *indented(folded(["sum"]), 1),
    "    if thread < across and slot < partial.shape[0]:",
    "        high, low = sum_high[thread], sum_low[thread]",
    "        # Where the sum is infinite the rest is NaN.",
    "        result[slot] = storage(high + low if high - high == real(0.0) else high)",
]
"""`across` sums a block: its threads take turns at the pieces of each."""


@dataclass(frozen=True)
class Loops:
    """The kernels of a function, which takes inputs, the first of them perhaps a factor g.

    Parameters
    ----------
    inputs : tuple of str
        Names of its inputs.
    outputs : int
        How many results it has.
    width : int
        Elements of 16 bytes.
    form : Form
    """

    inputs: tuple[str, ...]
    outputs: int
    width: int
    form: Form

    @property
    def operands(self) -> list[str]:
        """Inputs as a kernel calls them."""
        return [name if name in ("g", "x") else f"p_{name}" for name in self.inputs]

    @property
    def outs(self) -> list[str]:
        """Outputs as a kernel calls them."""
        return [f"out{i}" for i in range(self.outputs)]

    @property
    def text(self) -> str:
        """Text of the kernel, a function that is called as its loop."""
        loops = {
            "flat": self._flat, "sum": self._sum, "lines": self._walk, "walk": self._walk,
            "reduce": self._reduce,
        }  # fmt: skip
        return "\n".join(loops[self.form.loop]())

    def _kinds(self) -> dict[str, str]:
        return dict(zip(self.operands, self.form.operands, strict=True))

    def _head(self, *before: str) -> list[str]:
        """The signature, and what is read once: numbers in memory."""
        taken = listed([*before, *self.operands, *self.outs])
        ones = [name for name, kind in self._kinds().items() if kind == "one"]
        return [
            f"def {self.form.loop}({taken}):",
            *(f"    {name}_all = wide({name}[0])" for name in ones),
        ]

    def _value(self, name: str, place: str) -> str:
        """An operand in an expression; place: what its own element is called."""
        kind = self._kinds()[name]
        if kind == "number":
            return name
        if kind == "one":
            return f"{name}_all"
        return f"wide({name}_0)" if kind == "point" else f"wide({place})"

    def _called(self, places: dict[str, str], lane: int) -> list[str]:
        values = [self._value(name, places[name]) for name in self.operands if name != "g"]
        return [f"{listed([f'{out}_{lane}' for out in self.outs])} = element({listed(values)})"]

    def _multiplied(self, place: str, lane: int) -> list[str]:
        if "g" not in self.inputs:
            return []
        outs = [f"{out}_{lane}" for out in self.outs]
        value = self._value("g", place)
        if len(outs) > 1:
            return [f"factor = {value}", *(f"{out} = factor * {out}" for out in outs)]
        return [f"{out} = {value} * {out}" for out in outs]

    def _element(self, read: dict[str, str]) -> list[str]:
        """One element with its factor, which is read last: it would hold a register all along."""
        return [*self._called(read, 0), *self._multiplied(read.get("g", ""), 0)]

    def _vector(self, load: dict[str, str]) -> list[str]:
        """16 bytes of elements with their factors; load: what reads an operand, if anything."""
        width = range(self.width)

        def loaded(name: str) -> list[str]:
            is_point = self._kinds()[name] == "point"
            lanes = listed([f"{name}_{j}" for j in (range(1) if is_point else width)])
            return [f"{lanes} = {load[name]}"] if name in load else []

        lines = [line for name in self.operands if name != "g" for line in loaded(name)]
        for j in width:
            lines += self._called({name: f"{name}_{j}" for name in self.operands}, j)
        lines += loaded("g") if "g" in self.inputs else []
        for j in width:
            lines += self._multiplied(f"g_{j}", j)
        return lines

    def _lanes(self, out: str) -> str:
        return listed([f"{out}_{j}" for j in range(self.width)])

    def _stored(self, outs: Sequence[str]) -> list[str]:
        return [f"store({out}, {self.width} * i, ({self._lanes(out)}))" for out in outs]

    def _elsewhere(self) -> list[str]:
        """Operands that are read in the loop."""
        return [name for name, kind in self._kinds().items() if kind not in ("number", "one")]

    def _flat_loops(self, vector: Sequence[str], element: Sequence[str]) -> list[str]:
        """Over vectors, and over the elements that are left; each with what becomes of it."""
        width, there = self.width, self._elsewhere()
        return [
            f"    while i < n // {width}:",
            *indented(self._vector({name: f"load({name}, {width} * i)" for name in there}), 2),
            *indented(vector, 2),
            "        i += step",
            f"    i = n - n % {width} + cuda.grid(1)",
            "    while i < n:",
            *indented(self._element({name: f"{name}[i]" for name in self.operands}), 2),
            *indented(element, 2),
            "        i += step",
        ]

    def _flat(self) -> list[str]:
        """Arrays that run on."""
        return [
            *self._head("n"),
            "    i, step = cuda.grid(1), cuda.gridsize(1)",
            *self._flat_loops(
                self._stored(self.outs), [f"{out}[i] = storage({out}_0)" for out in self.outs]
            ),
        ]

    def _sum(self) -> list[str]:
        """Arrays that run on: the gradient of x, and a pair a block of each sum."""
        first, *sums = self.outs
        # A few terms are added plainly, as on the CPU: the compensated addition takes six.
        terms = [added(out, " + ".join(f"{out}_{j}" for j in range(self.width))) for out in sums]
        return [
            *self._head("n"),
            "    i, step = cuda.grid(1), cuda.gridsize(1)",
            "    thread, piece, across = cuda.threadIdx.x, cuda.blockIdx.x, 1",
            *indented(room(sums), 1),
            *self._flat_loops(
                [*self._stored([first]), *terms],
                [f"{first}[i] = storage({first}_0)", *(added(out, f"{out}_0") for out in sums)],
            ),
            *indented(folded(sums), 1),
            "    if thread == 0:",
            *left(sums, "0, piece", "0"),
        ]

    def _walk(self) -> list[str]:
        """Arrays of several axes: of any strides, or with a last axis that runs on."""
        axes = AXES[-self.form.axes :]
        indices = listed(["0"] * (len(AXES) - len(axes)) + list(axes))
        if self.form.loop == "lines":
            ways = {"line": "load_line", "point": "get"}
            body = [
                *self._vector({
                    name: f"{ways[self._kinds()[name]]}({name}, {indices})"
                    for name in self._elsewhere()
                }),
                *(f"store_line({out}, {indices}, ({self._lanes(out)}))" for out in self.outs),
            ]  # fmt: skip
        else:
            body = [
                *self._element({name: f"get({name}, {indices})" for name in self.operands}),
                *(f"put({out}, {indices}, {out}_0)" for out in self.outs),
            ]
        return [
            *self._head(*steps(axes)),
            *indented(split("cuda.grid(1)", axes), 1),
            f"    while {axes[0]} < {length(axes[0])}:",
            *indented(body, 2),
            *indented(advance(axes), 2),
        ]

    def _reduce(self) -> list[str]:
        """The gradient of x, and sums of the others: over the last two axes, for each of the first.

        A block takes `across` sums side by side, or a piece of each: it adds what its threads have
        summed, each in two numbers, and leaves a pair for each.
        """
        first, *sums = self.outs
        indices = listed(AXES)
        return [
            *self._head("across", *steps(AXES[2:])),
            "    thread, piece = cuda.threadIdx.x, cuda.blockIdx.y",
            "    slot, row = cuda.blockIdx.x * across + thread % across, thread // across",
            *indented(room(sums), 1),
            *indented(split("slot", AXES[:2]), 1),
            *indented(split("piece * (THREADS // across) + row", AXES[2:]), 1),
            f"    if a >= {length('a')}:",
            f"        c = {length('c')}",
            f"    while c < {length('c')}:",
            *indented(
                self._element({name: f"get({name}, {indices})" for name in self.operands}), 2
            ),
            f"        put({first}, {indices}, {first}_0)",
            *(f"        {added(out, f'{out}_0')}" for out in sums),
            *indented(advance(AXES[2:]), 2),
            *indented(folded(sums), 1),
            f"    if thread < across and a < {length('a')}:",
            *left(sums, "slot, piece", "thread"),
        ]


def left(sums: Sequence[str], place: str, thread: str) -> list[str]:
    """Leave a thread's sums for `total`."""
    return [
        f"        {out}[{place}, {i}] = {out}_{part}[{thread}]"
        for out in sums
        for i, part in enumerate(PAIR)
    ]


def split(value: str, axes: Sequence[str]) -> list[str]:
    """Divide a number by the lengths of axes, the last one running fastest."""
    lines = [f"rest = {value}"]
    for axis in reversed(axes[1:]):
        size = f"out0.shape[{AXES.index(axis)}]"
        lines += [f"{axis} = index(rest % {size})", f"rest = rest // {size}"]
    return [*lines, f"{axes[0]} = index(rest)"]


def steps(axes: Sequence[str]) -> list[str]:
    """What a grid advances along each axis: arguments, for a constant takes no register."""
    return [f"step_{axis}" for axis in axes]


def advance(axes: Sequence[str]) -> list[str]:
    """Add the steps to what `split` made: divisions would take most of a loop's time.

    Numba makes 64 bits of any sum of integers, so that each is brought back to its type.
    """
    lines = []
    for axis in reversed(axes):
        lines.append(f"{axis} = index({axis} + step_{axis})")
        if axis != axes[0]:
            before = axes[axes.index(axis) - 1]
            lines += [
                f"if {axis} >= {length(axis)}:",
                f"    {axis} = index({axis} - {length(axis)})",
                f"    {before} = index({before} + 1)",
            ]
    return lines


def length(axis: str) -> str:
    """Length of the arrays along an axis."""
    return f"index(out0.shape[{AXES.index(axis)}])"
