"""Row functions as phases: loops over the elements of a row, split at its reductions.

Design:
- The first phases reduce, the last one has the result. What follows from reductions alone is a row
  value, computed once a row.
- An exponential that a later phase needs again is stored in the output meanwhile, which then may be
  x itself. Everything else is computed again.
"""

from collections.abc import Collection
from dataclasses import dataclass

from codegen.family import Family
from codegen.ir import REDUCTIONS, Function, Node, read, walk

MAX_PHASES = 3
MAX_SUMS = 2
"""Reductions in one phase."""
MAX_VALUES = 7
"""Row values of a function."""


@dataclass(frozen=True)
class Phase:
    """One loop: the reductions it makes, and the row values that follow from them."""

    reductions: tuple[Node, ...]
    derived: tuple[Node, ...]


@dataclass(frozen=True)
class Phases:
    """A row function: its phases, and what the output holds from one of them on."""

    function: Function
    phases: tuple[Phase, ...]
    stored: Node | None
    stored_by: int

    @property
    def values(self) -> list[Node]:
        """The row values, each phase's together."""
        return [value for phase in self.phases for value in (*phase.reductions, *phase.derived)]

    def targets(self, phase: int) -> tuple[Node, ...]:
        """What a phase computes of each element: the last one the result."""
        if phase == len(self.phases):
            return self.function.outputs
        return tuple(reduction.args[0] for reduction in self.phases[phase].reductions)

    def reads_stored(self, phase: int) -> bool:
        """Whether a phase takes from the output what an earlier one left."""
        if self.stored is None or phase <= self.stored_by:
            return False
        return self.stored in walk(self.targets(phase), self.values)

    def stores(self, phase: int) -> bool:
        return self.stored is not None and phase == self.stored_by

    def steps(self, phase: int) -> set[Node]:
        """What a phase computes, and the inputs, row values and stored elements it takes."""
        stored = [self.stored] if self.stored else []
        kept = stored if self.stores(phase) else []
        known = {*self.values, *(stored if self.reads_stored(phase) else [])}
        found = {*walk([*self.targets(phase), *kept], known)}
        used = {arg for node in found for arg in node.args} | {*self.targets(phase)}
        return found | (known & used)


def phases(family: Family, function: Function) -> Phases:
    """Split a function: a reduction belongs to the first phase that has all it is made of."""
    ready: dict[Node, int] = {}
    for node in function.nodes:
        made = max((ready[arg] for arg in node.args), default=0)
        ready[node] = made + (node.op in REDUCTIONS)
    count = max(ready.values())
    wanted = {
        arg
        for node in function.nodes
        for arg in node.args
        if not node.is_of_row or ready[arg] < ready[node]
    } | {*function.outputs}
    found = []
    for index in range(count):
        own = [node for node in function.nodes if node.is_of_row and ready[node] == index + 1]
        reductions = tuple(node for node in own if node.op in REDUCTIONS)
        derived = tuple(node for node in own if node not in reductions and node in wanted)
        found.append(Phase(reductions, derived))
    bare = Phases(function, tuple(found), None, 0)
    if any(len(phase.reductions) > MAX_SUMS for phase in found):
        reason = f"{function.name} has more than {MAX_SUMS} reductions in one phase"
        family.formulas.refuse(function.name, reason)
    if count > MAX_PHASES or len(bare.values) > MAX_VALUES:
        family.formulas.refuse(function.name, f"{function.name} has too many phases or row values")
    stored = repeated(bare)
    if len(stored) > 1:
        family.formulas.refuse(function.name, f"{function.name} has two exponentials to keep")
    if not stored:
        return bare
    ((node, phase),) = stored.items()
    late = [target for p in range(phase + 1, count + 1) for target in bare.targets(p)]
    if read("x") in walk(late, {*bare.values, node}):
        family.formulas.refuse(function.name, f"{function.name} needs x when its place is taken")
    return Phases(function, bare.phases, node, phase)


def repeated(bare: Phases) -> dict[Node, int]:
    """What costs an exponential and is wanted in two phases, with the first of them."""
    values = {*bare.values}
    costly = {
        node
        for node in bare.function.nodes
        if not node.is_of_row and any(n.is_costly for n in walk([node], values))
    }
    made: dict[Node, int] = {}
    found: dict[Node, int] = {}
    for phase in range(len(bare.phases) + 1):
        reached = reach(bare.targets(phase), values, {*made})
        found |= {node: made[node] for node in reached if node in made}
        for node in walk(bare.targets(phase), values):
            if node in costly:
                made.setdefault(node, phase)
    return found


def reach(targets: Collection[Node], values: set[Node], made: set[Node]) -> set[Node]:
    """The nodes that lead to targets, as far as row values and what was made before."""
    found: set[Node] = set()
    queue = list(targets)
    while queue:
        node = queue.pop()
        if node not in values and node not in found:
            found.add(node)
            if node not in made:
                queue += node.args
    return found
