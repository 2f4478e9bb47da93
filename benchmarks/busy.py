"""What other work on the processors costs: the default number of threads beside one thread.

Prints, for S4 of float64:

- idle: calls a second of the default, as a ratio to that of as many threads whatever happens, in an
  OpenMP runtime that waits for them as long as it likes to;
- two at once: calls a second of each of two processes, as a ratio to one process on one thread;
- busy: the 99th percentile beside a process that computes without end, as a ratio to that of one
  thread there.

The second and third are what a shared server or a CI machine looks like.

Design: contenders are processes that live through all of it and take short turns, so that whatever
else the machine does disturbs them all. A turn's figure is compared with that of the turns beside
it, and the median of these ratios is printed. The idle turns come first, since a process that was
beside others uses fewer threads for a while.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

import load

SIZES = (30_000, 100_000, 1_000_000)
TURN = 0.15
SECONDS, QUICK_SECONDS = 20.0, 4.0
"""For each size."""

LIBGOMPS_OWN_SPIN = "300000"


class Contender:
    """A process that calls S4 when it is told to."""

    def __init__(self, *, exact=False, **environment):
        cleared = dict.fromkeys(("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"))
        merged = {**os.environ, **cleared, **environment}
        self.process = subprocess.Popen(
            [sys.executable, __file__, *(["exact"] if exact else [])],
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, size, begin):
        self.process.stdin.write(f"{size} {begin}\n")
        self.process.stdin.flush()

    def times(self):
        return [int(part) for part in self.process.stdout.readline().split()]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def contend(exact):
    """Serve as a contender: for each line, call for one turn and print the nanoseconds."""
    import s3s4

    largest = np.random.default_rng(0).uniform(-12, 12, SIZES[-1])
    block = s3s4.threads(s3s4.get_num_threads())
    if exact:  # for as long as this process lives
        block.__enter__()
    for line in sys.stdin:
        size, begin = line.split()
        x = largest[: int(size)]
        out = np.zeros_like(x)
        time.sleep(max(0.0, float(begin) - time.monotonic()))
        end = time.perf_counter_ns() + int(TURN * 1e9)
        times, now = [], time.perf_counter_ns()
        while now < end:
            s3s4.s4(x, out=out)
            before, now = now, time.perf_counter_ns()
            times.append(now - before)
        print(*times, flush=True)


def turn(size, *contenders):
    """The times of the calls of each, all at once."""
    begin = time.monotonic() + 0.03
    for contender in contenders:
        contender.start(size, begin)
    return [contender.times() for contender in contenders]


def typical(times):
    return statistics.median(times)


def late(times):
    return np.percentile(times, 99)


def run(quick: bool, names: Sequence[str]) -> None:
    """Measure and print."""
    seconds = QUICK_SECONDS if quick else SECONDS
    one, ours, other = Contender(S3S4_NUM_THREADS="1"), Contender(), Contender()
    patient = Contender(exact=True, GOMP_SPINCOUNT=LIBGOMPS_OWN_SPIN)
    print(f"load {os.getloadavg()[0]:.1f} before; {os.cpu_count()} processors")
    for size in SIZES:
        idle, pairs, busy = [], [], []
        end = time.monotonic() + seconds / 3
        while time.monotonic() < end:
            mine, theirs = (turn(size, c)[0] for c in (ours, patient))
            idle.append(typical(theirs) / typical(mine))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            alone = len(turn(size, one)[0])
            pairs += [len(times) / alone for times in turn(size, ours, other)]
            with load.busy(1):
                serial, threaded = (turn(size, c)[0] for c in (one, ours))
            busy.append(late(threaded) / late(serial))
        print(
            f"n = {size:9}  idle {statistics.median(idle):5.2f}"
            f"  two at once {statistics.median(pairs):5.2f} (least {min(pairs):.2f})"
            f"  busy {statistics.median(busy):5.2f} (most {max(busy):.2f})  of {len(busy)} turns",
            flush=True,
        )
    for contender in (one, ours, other, patient):
        contender.end()


if __name__ == "__main__":
    contend(exact=sys.argv[1:] == ["exact"])
