"""The text of a kernel of rows: the phases of a function, around what they take of an element.

Design:
- So many threads, a power of 2, take the elements of a row in turns; their number follows from
  the length of the row. What each has added up is halved until one number is left. So the order of
  a sum follows from the length alone, as on the CPU, and every sum is two numbers.
- A block has several rows where few threads take one. Neighbours in a block are neighbours in
  memory: threads of a row, or rows that lie side by side.
- One kernel has all phases of a row. A row that is worth many blocks is divided into pieces, and
  each phase is a kernel of its own, which begins with what the pieces of those before it have left.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from s3s4._gpu.loops import AXES, advance, indented, listed, split, steps

WHOLE = "whole"
SCALARS = ("count", "n", "piece", "lanes", "rows", "lane_at", "row_at")
"""Arguments of every kernel: how many rows, their length and that of a piece; threads of a row,
rows of a block, and by how many bits a thread's number is shifted for either of its two places."""


@dataclass(frozen=True)
class RowLoops:
    """The kernels of a row function.

    Parameters
    ----------
    name : str
    inputs : tuple of str
        g, perhaps, and x.
    phases : tuple
        Of each what it reads of an element, its reductions, and how many values follow from them.
    """

    name: str
    inputs: tuple[str, ...]
    phases: tuple[tuple[tuple[str, ...], tuple[str, ...], int], ...]

    @property
    def forms(self) -> list[str]:
        """One for rows of one piece, and one for each phase of the others."""
        return [WHOLE, *(f"phase{phase}" for phase in range(len(self.phases)))]

    @property
    def slots(self) -> int:
        """How many reductions there are."""
        return sum(len(reductions) for _, reductions, _ in self.phases)

    def text(self, form: str) -> str:
        """Text of the kernel of a form."""
        pieces = [] if form == WHOLE else ["partial"]
        last = len(self.phases) - 1
        phase = last if form == WHOLE else int(form.removeprefix("phase"))
        lines = [
            f"def {form}({listed([*SCALARS, *steps(AXES[2:]), *self.inputs, 'out0', *pieces])}):",
            *indented(self._head(form), 1),
        ]
        for before in range(phase):
            own = self._loop(before) if form == WHOLE else self._merge(before)
            lines += indented([*own, *self._known(before)], 1)
        lines += indented(self._loop(phase), 1)
        if phase < last:
            lines += indented(self._leave(phase), 1)
        return "\n".join(lines)

    def _head(self, form: str) -> list[str]:
        """Which thread of which row this is, and the elements that it begins and ends with."""
        begin = "0" if form == WHOLE else "cuda.blockIdx.y * piece"
        return [
            "thread = cuda.threadIdx.x",
            "lane, row = thread >> lane_at & (lanes - 1), thread >> row_at & (rows - 1)",
            "first = thread - (lane << lane_at)",
            "row += cuda.blockIdx.x * rows",
            "of_highs = cuda.shared.array(THREADS, real)",
            "of_lows = cuda.shared.array(THREADS, real)",
            f"begin = {begin}",
            "start, stop = begin + lane, min(begin + piece, n) if row < count else 0",
            *split("row", AXES[:2]),
            *(
                line.replace("c = ", "c0 = ").replace("d = ", "d0 = ")
                for line in split("start", AXES[2:])
            ),
        ]

    def _values(self, phase: int) -> list[str]:
        """The values of a row that are known before a phase."""
        return [
            name
            for before in range(phase)
            for name in (*self._reduced(before), *self._derived(before))
        ]

    def _reduced(self, phase: int) -> list[str]:
        return [f"reduced{phase}_{i}" for i in range(len(self.phases[phase][1]))]

    def _derived(self, phase: int) -> list[str]:
        return [f"derived{phase}_{i}" for i in range(self.phases[phase][2])]

    def _slot(self, phase: int) -> int:
        """The place of a phase's first reduction."""
        return sum(len(reductions) for _, reductions, _ in self.phases[:phase])

    def _loop(self, phase: int) -> list[str]:
        """What a thread takes of its elements: the result of the last phase, or its reductions."""
        reads, reductions, _ = self.phases[phase]
        terms = [f"term{i}" for i in range(len(reductions))] or ["result"]
        arguments = [
            *(f"wide(get({name}, {listed(AXES)}))" for name in reads),
            *self._values(phase),
        ]
        taken = [f"put(out0, {listed(AXES)}, result)"]
        if reductions:
            taken = [_take(i, reduction, f"term{i}") for i, reduction in enumerate(reductions)]
        return [
            *(f"high{i}, low{i} = {_nothing(one)}, real(0.0)" for i, one in enumerate(reductions)),
            "i, c, d = start, c0, d0",
            "while i < stop:",
            f"    {listed(terms)} = {self.name}_term{phase}({listed(arguments)})",
            *indented([*taken, "i += lanes", *advance(AXES[2:])], 1),
            *self._halved(phase),
        ]

    def _merge(self, phase: int) -> list[str]:
        """The reductions of a phase, from what the pieces of the row have left."""
        _, reductions, _ = self.phases[phase]
        lines = ["i = lane if row < count else cuda.gridDim.y"]
        lines += [
            f"high{i}, low{i} = {_nothing(one)}, real(0.0)" for i, one in enumerate(reductions)
        ]
        lines.append("while i < cuda.gridDim.y:")
        for i, reduction in enumerate(reductions):
            place = f"partial[{self._slot(phase) + i}, row * cuda.gridDim.y + i, "
            lines.append(f"    {_take(i, reduction, f'{place}0]')}")
            if reduction == "total":
                lines.append(f"    low{i} += {place}1]")
        return [*lines, "    i += lanes", *self._halved(phase)]

    def _halved(self, phase: int) -> Iterator[str]:
        """The threads' reductions become one, which the first thread of a row has."""
        for i, reduction in enumerate(self.phases[phase][1]):
            is_total = reduction == "total"
            left = [f"of_highs[thread] = high{i}", *[f"of_lows[thread] = low{i}"] * is_total]
            lower = [f"low{i} += of_lows[thread + (half << lane_at)]"] * is_total
            yield from [
                "half = lanes >> 1",
                "cuda.syncthreads()",
                *left,
                "while half > 0:",
                "    cuda.syncthreads()",
                "    if lane < half:",
                f"        {_take(i, reduction, 'of_highs[thread + (half << lane_at)]')}",
                *indented([*lower, *left], 2),
                "    half >>= 1",
                "cuda.syncthreads()",
            ]
            # Where a sum is infinite the rest is NaN.
            high, low = f"high{i}", f"low{i}"
            yield f"{high}, {low} = of_highs[first], {'of_lows[first]' if is_total else low}"
            value = f"{high} + {low} if {high} - {high} == real(0.0) else {high}"
            yield f"reduced{phase}_{i} = {value if is_total else high}"

    def _known(self, phase: int) -> list[str]:
        """What follows from the reductions of a phase."""
        derived = self._derived(phase)
        if not derived:
            return []
        values = [*self._values(phase), *self._reduced(phase)]
        return [f"{listed(derived)} = {self.name}_finish{phase}({listed(values)})"]

    def _leave(self, phase: int) -> list[str]:
        """What a piece leaves to the phases that follow."""
        lines = [
            "if lane == 0 and row < count:",
            "    place = row * cuda.gridDim.y + cuda.blockIdx.y",
        ]
        for i in range(len(self.phases[phase][1])):
            lines += [
                f"    partial[{self._slot(phase) + i}, place, 0] = high{i}",
                f"    partial[{self._slot(phase) + i}, place, 1] = low{i}",
            ]
        return lines


def _nothing(reduction: str) -> str:
    return "lowest" if reduction == "largest" else "real(0.0)"


def _take(i: int, reduction: str, term: str) -> str:
    """A term goes into a reduction; NaN into no largest, and its row is NaN all the same."""
    if reduction == "largest":
        return f"high{i} = larger(high{i}, {term})"
    return f"high{i}, low{i} = add(high{i}, low{i}, {term})"
