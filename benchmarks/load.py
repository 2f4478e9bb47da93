"""How much else this machine does, and a machine that is made busy.

Design: what others take is the time that all processors were not idle, less that of this process
and of those it started to be busy. It comes in ticks of 10 ms, so a race must last some tenths of a
second. A race that others disturbed is run again, and the quietest one counts.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timing import Call, Timing, race

TICKS = os.sysconf("SC_CLK_TCK")

DISTURBED = 0.1
"""Processors' time that others may take of a race."""

TRIES = 3

_beside: list[int] = []
"""Processes that were started to be busy."""

_ended: list[int] = []
"""What those that have ended took."""


def _ticks_of(pid: int) -> int:
    # The name in brackets may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _ticks_of_others() -> int:
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, Path("/proc/stat").read_text().split()[1:9]
    )
    own = sum(_ticks_of(pid) for pid in [os.getpid(), *_beside]) + sum(_ended)
    return user + nice + system + irq + soft + steal - own


class Watch:
    """Tell how many processors others took since it began."""

    def __init__(self) -> None:
        self._start, self._ticks = time.monotonic(), _ticks_of_others()

    @property
    def others(self) -> float:
        """Processors that others took on average."""
        passed = max(time.monotonic() - self._start, 1 / TICKS)
        return max(0.0, (_ticks_of_others() - self._ticks) / TICKS / passed)


def before(seconds: float = 1.0) -> str:
    """Say how loaded the machine is while this process does nothing."""
    watch = Watch()
    time.sleep(seconds)
    return f"others take {watch.others:.2f} processors; load {os.getloadavg()[0]:.1f}"


def is_busy() -> bool:
    """Tell whether this machine was made busy."""
    return bool(_beside)


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Run so many processes that compute without end.

    Nobody of real time may take part: such processes would never let each other run.
    """
    if count:
        for task in os.listdir("/proc/self/task"):
            os.sched_setscheduler(int(task), os.SCHED_OTHER, os.sched_param(0))
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    _beside.extend(process.pid for process in processes)
    try:
        yield
    finally:
        for process in processes:
            _ended.append(_ticks_of(process.pid))
            process.kill()
            process.wait()
            _beside.remove(process.pid)


def calm_race(
    contenders: Mapping[str, Call], budget: float, *, tries: int = TRIES, **options: Any
) -> tuple[dict[str, Timing], float]:
    """Run a race, and again while others disturb it.

    Returns
    -------
    timings : dict
        Those of the quietest race.
    others : float
        Processors that others took of it.
    """
    best: tuple[dict[str, Timing], float] | None = None
    for _ in range(tries):
        watch = Watch()
        timings = race(contenders, budget, **options)
        others = watch.others
        if best is None or others < best[1]:
            best = timings, others
        if others <= DISTURBED:
            break
    assert best is not None
    return best


def calm_for(seconds: float) -> Callable[..., tuple[dict[str, Timing], float]]:
    """Return a `calm_race` that runs each race but once when so many seconds have passed."""
    end = time.monotonic() + seconds

    def calm(*arguments: Any, **options: Any) -> tuple[dict[str, Timing], float]:
        return calm_race(*arguments, tries=TRIES if time.monotonic() < end else 1, **options)

    return calm
