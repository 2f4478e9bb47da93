"""The text of a kernel: a loop over memory around a function of one element.

Design:
- Numba compiles no *args, so a loop cannot be written once for one, two or three arrays: its text
  is made for a function, when a kernel of it is first asked for.
- Loops are `while`: for a `range` Numba divides first, to know how often it will go round.
- `storage`, `real` and `index` are the types in memory, of the arithmetic and of indices.
- An operand may have any name, so one of an index as well: a parameter k is p_k here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

AXES = ("a", "b", "c", "d")
PAIR = ("high", "low")
"""Of a compensated sum."""

TOTAL = """\
def total(partial, result):
    thread, slot, half = cuda.threadIdx.x, cuda.blockIdx.x, THREADS // 2
    sum_high = cuda.shared.array(THREADS, real)
    sum_low = cuda.shared.array(THREADS, real)
    high = low = real(0.0)
    for piece in range(thread, partial.shape[1], THREADS):
        high, low = add(high, low, partial[slot, piece, 0])
        low += partial[slot, piece, 1]
    sum_high[thread], sum_low[thread] = high, low
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            high, low = add(high, low, sum_high[thread + half])
            low += sum_low[thread + half]
            sum_high[thread], sum_low[thread] = high, low
        half //= 2
    if thread == 0:
        # Where the sum is infinite the rest is NaN.
        result[slot] = storage(high + low if high - high == real(0.0) else high)
"""
"""A block for a sum: its threads take turns at the pieces, and then it halves what they have."""
NUMBERS = "_shared"
"""What the name of a form ends with whose parameters are numbers, not arrays."""


def listed(items: Sequence[str]) -> str:
    """As a target or a value that is a tuple only where there are several."""
    return ", ".join(items)


def indented(lines: Sequence[str], steps: int) -> list[str]:
    """Lines so many steps further in."""
    return ["    " * steps + line for line in lines]


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
    """

    inputs: tuple[str, ...]
    outputs: int
    width: int

    @property
    def operands(self) -> list[str]:
        """Inputs as a kernel calls them."""
        return [name if name in ("g", "x") else f"p_{name}" for name in self.inputs]

    @property
    def outs(self) -> list[str]:
        """Outputs as a kernel calls them."""
        return [f"out{i}" for i in range(self.outputs)]

    def text(self, form: str) -> str:
        """Text of the kernel of a form: shared or full; walk or reduce, with NUMBERS or not."""
        if form in ("shared", "full"):
            return "\n".join(self._flat(form))
        return "\n".join(self._walk(form) if form.startswith("walk") else self._reduce(form))

    def _call(self, read: Callable[[str], str], targets: Sequence[str]) -> str:
        values = [read(name) for name in self.operands if name != "g"]
        return f"{listed(targets)} = element({listed(values)})"

    def _element(self, read: Callable[[str], str]) -> list[str]:
        """One element with its factor, which is read last: it would hold a register all along."""
        targets = [f"{out}_0" for out in self.outs]
        lines = [self._call(read, targets)]
        if "g" in self.inputs:
            lines.append(f"factor = {read('g')}")
            lines += [f"{target} = factor * {target}" for target in targets]
        return lines

    def _flat(self, form: str) -> list[str]:
        """Contiguous arrays; shared: each parameter is one number."""
        width = self.width
        arrays = [n for n in self.operands if form == "full" or n in ("g", "x")]

        def lanes(name: str) -> list[str]:
            return [f"{name}_{j}" for j in range(width)]

        def load(name: str) -> str:
            return f"{listed(lanes(name))} = load({name}, {width} * i)"

        def at(place: str) -> Callable[[str], str]:
            return lambda name: f"real({name}{place})" if name in arrays else name

        loop = [load(name) for name in arrays if name != "g"]
        loop += [self._call(at(f"_{j}"), [f"{out}_{j}" for out in self.outs]) for j in range(width)]
        if "g" in self.inputs:
            loop.append(load("g"))
            loop += [
                f"{one} = real(g_{j}) * {one}"
                for out in self.outs
                for j, one in enumerate(lanes(out))
            ]
        loop += [f"store({out}, {width} * i, ({listed(lanes(out))}))" for out in self.outs]
        return [
            f"def {form}({listed(['n', *self.operands, *self.outs])}):",
            "    i, step = cuda.grid(1), cuda.gridsize(1)",
            f"    while i < n // {width}:",
            *indented(loop, 2),
            "        i += step",
            f"    i = n - n % {width} + cuda.grid(1)",
            "    while i < n:",
            *indented(self._element(at("[i]")), 2),
            *(f"        {out}[i] = storage({out}_0)" for out in self.outs),
            "        i += step",
        ]

    def _walk(self, form: str) -> list[str]:
        """Arrays of four axes and any strides."""
        return [
            f"def {form}({listed([*steps(AXES), *self.operands, *self.outs])}):",
            *indented(split("cuda.grid(1)", AXES), 1),
            f"    while a < {length('a')}:",
            *indented(self._element(strided(form)), 2),
            *(f"        put({out}, {listed(AXES)}, {out}_0)" for out in self.outs),
            *indented(advance(AXES), 2),
        ]

    def _reduce(self, form: str) -> list[str]:
        """The gradient of x, and sums of the others: over the last two axes, for each of the first.

        A block takes one sum, or a piece of it: it adds what its threads have summed, each in two
        numbers, and leaves one pair.
        """
        sums = self.outs[1:]
        halves = [
            line
            for out in sums
            for line in (
                added(out, f"{out}_high[thread + half]"),
                f"{out}_low[thread] += {out}_low[thread + half]",
            )
        ]
        return [
            f"def {form}({listed([*steps(AXES[2:]), *self.operands, *self.outs])}):",
            "    thread, slot, piece = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.y",
            *(
                f"    {out}_{part} = cuda.shared.array(THREADS, real)"
                for out in sums
                for part in PAIR
            ),
            *(f"    {out}_high[thread] = {out}_low[thread] = real(0.0)" for out in sums),
            *indented(split("slot", AXES[:2]), 1),
            *indented(split("piece * THREADS + thread", AXES[2:]), 1),
            f"    while c < {length('c')}:",
            *indented(self._element(strided(form)), 2),
            f"        put(out0, {listed(AXES)}, out0_0)",
            *(f"        {added(out, f'{out}_0')}" for out in sums),
            *indented(advance(AXES[2:]), 2),
            "    half = THREADS // 2",
            "    while half > 0:",
            "        cuda.syncthreads()",
            "        if thread < half:",
            *indented(halves, 3),
            "        half //= 2",
            "    if thread == 0:",
            *(
                f"        {out}[slot, piece, {i}] = {out}_{part}[0]"
                for out in sums
                for i, part in enumerate(PAIR)
            ),
        ]


def split(value: str, axes: Sequence[str]) -> list[str]:
    """Divide a number by the lengths of axes of x, the last one running fastest."""
    lines = [f"rest = {value}"]
    for axis in reversed(axes[1:]):
        size = f"x.shape[{AXES.index(axis)}]"
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
    """Length of x along an axis."""
    return f"index(x.shape[{AXES.index(axis)}])"


def strided(form: str) -> Callable[[str], str]:
    """How a form reads the element that the indices stand at."""

    def read(name: str) -> str:
        is_number = form.endswith(NUMBERS) and name not in ("g", "x")
        return name if is_number else f"real(get({name}, {listed(AXES)}))"

    return read


def added(out: str, term: str) -> str:
    """Add a number to a thread's sum, which is two numbers in memory: registers are scarce."""
    pair = listed([f"{out}_{part}[thread]" for part in PAIR])
    return f"{pair} = add({pair}, {term})"
