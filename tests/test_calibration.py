"""The calibration against made-up machines whose true cutover is known: no real clock is read."""

import json
import math

import numpy as np
import pytest

from s3s4._measured import comparison as _calibration

SIZES = [1 << n for n in range(13, 25, 2)]
EVERY = np.unique(np.geomspace(1 << 13, 1 << 26, 400).round())
BUDGET = 2.0


class Machine:
    """A clock that goes on by what a cost model says, with noise, outliers and coarse steps."""

    def __init__(self, *, seed=0, noise=0.0, outliers=0.0, jumps=0.0, step=0.0):
        self.rng = np.random.default_rng(seed)
        self.noise, self.outliers, self.jumps, self.step = noise, outliers, jumps, step
        self.now = 0.0
        self.longest = 0.0

    def clock(self):
        return math.floor(self.now / self.step) * self.step if self.step else self.now

    def way(self, cost):
        def run(size):
            seconds = cost(size) * (1 + self.noise * self.rng.exponential())
            if self.rng.random() < self.outliers:
                seconds *= 10
            if self.rng.random() < self.jumps:
                seconds /= 100
            self.now += seconds
            self.longest = max(self.longest, seconds)

        return run

    def compare(self, first, second, **options):
        result = _calibration.compare(
            self.way(first),
            self.way(second),
            SIZES,
            clock=self.clock,
            resolution=self.step,
            budget=BUDGET,
            **options,
        )
        assert self.now <= BUDGET + self.longest + self.step
        return result


def line(latency, rate):
    return lambda size: latency + rate * size


def regret(cutover, first, second):
    """What a cutover loses against the best one: of the time in all, and of that at a size."""
    one, other = (np.array([way(n) for n in EVERY]) for way in (first, second))
    start = math.inf if cutover is None else cutover
    chosen = np.where(start <= EVERY, other, one)

    def excess(scale):
        before = np.concatenate([[0], np.cumsum(scale(one))])
        after = np.concatenate([np.cumsum(scale(other)[::-1])[::-1], [0]])
        return scale(chosen).sum(), (before + after).min()

    total, best = excess(lambda times: times)
    logarithms, least = excess(np.log)
    return max(total / best, np.exp((logarithms - least) / len(EVERY))) - 1


@pytest.mark.parametrize(
    "disturbance",
    [
        {},
        {"noise": 0.05},
        {"outliers": 0.15, "noise": 0.02},
        {"jumps": 0.03, "noise": 0.02},
        {"step": 1e-3},
    ],
    ids=["exact", "noise", "outliers", "a clock that jumps", "coarse clock"],
)
@pytest.mark.parametrize("seed", range(10))
def test_regret(seed, disturbance):
    rng = np.random.default_rng(seed)
    first = line(10 ** rng.uniform(-6, -5), 10 ** rng.uniform(-10, -8.5))
    second = line(10 ** rng.uniform(-5.5, -3), 10 ** rng.uniform(-10.5, -8.5))
    found = Machine(seed=seed, **disturbance).compare(first, second)
    assert regret(found.cutover, first, second) <= 0.1


def test_regret_where_the_first_way_bends():
    """Threads from a size on, and a cache that ends."""

    def first(size):
        threads = 1 if size < 100_000 else 4
        return 3e-6 + size * (1e-9 if size < 4_000_000 else 2e-9) / threads

    second = line(1e-4, 3e-10)
    assert regret(Machine(noise=0.02).compare(first, second).cutover, first, second) <= 0.1


@pytest.mark.parametrize("disturbed", SIZES)
@pytest.mark.parametrize("way", ["first", "second"])
def test_regret_where_one_size_was_disturbed_throughout(disturbed, way):
    """As by another program that ran meanwhile."""
    true = {"first": line(2e-6, 1e-9), "second": line(5e-5, 3e-10)}

    def slow(size):
        return true[way](size) * (8 if size == disturbed else 1)

    found = Machine(noise=0.02).compare(*{**true, way: slow}.values())
    assert regret(found.cutover, *true.values()) <= 0.1


@pytest.mark.parametrize("seed", range(5))
def test_slower_at_every_size(seed):
    found = Machine(seed=seed, noise=0.05).compare(line(2e-6, 3e-10), line(3e-5, 1e-9))
    assert found.cutover is None
    assert "never" in str(found)


@pytest.mark.parametrize("seed", range(5))
def test_faster_at_every_size(seed):
    found = Machine(seed=seed, noise=0.05).compare(line(3e-5, 3e-9), line(2e-6, 1e-10))
    assert found.cutover == SIZES[0]


def test_equal_ways_stay_with_the_first():
    assert Machine().compare(line(1e-5, 1e-9), line(1e-5, 1e-9)).cutover is None


def test_a_crossing_behind_the_largest_size():
    found = Machine().compare(line(1e-6, 1e-9), line(40e-3, 2e-10))
    assert found.cutover == pytest.approx(5e7, rel=0.01)


def test_lines_are_those_of_the_model():
    found = Machine().compare(line(1e-6, 1e-9), line(1e-4, 2e-10))
    assert [line.latency for line in found.lines] == pytest.approx([1e-6, 1e-4])
    assert [line.per_element for line in found.lines] == pytest.approx([1e-9, 2e-10])


def test_samples_around_the_crossing():
    found = Machine().compare(line(1e-6, 1e-9), line(1e-4, 2e-10))
    assert found.cutover == pytest.approx(123_750, rel=0.05)
    assert min(abs(s.size / 123_750 - 1) for s in found.samples) < 0.2
    sizes = [s.size for s in found.samples]
    assert sizes == sorted(set(sizes))


def test_stops_early_when_it_is_clear():
    machine = Machine()
    found = machine.compare(line(1e-6, 1e-8), line(1e-6, 1e-10))
    assert found.samples[-1].size < SIZES[-1]
    assert "clear" in found.reason
    assert machine.now < BUDGET / 10


@pytest.mark.parametrize("slow", ["first", "second"])
def test_a_way_too_slow_for_the_budget(slow):
    ways = {"first": line(1e-6, 1e-9), "second": line(1e-5, 1e-9), slow: line(0.1, 1e-5)}
    found = Machine().compare(ways["first"], ways["second"])
    assert found.reason.startswith("time was up after ")


def failing(cost, machine, largest):
    way = machine.way(cost)

    def run(size):
        if size > largest:
            raise RuntimeError("device lost")
        way(size)

    return run


def test_a_second_way_that_fails_is_never_taken():
    machine = Machine()
    found = _calibration.compare(
        machine.way(line(1e-5, 1e-8)),
        failing(line(1e-6, 1e-9), machine, SIZES[1]),
        SIZES,
        clock=machine.clock,
        resolution=0,
        budget=BUDGET,
        names=("CPU", "GPU"),
    )
    assert found.cutover is None
    assert len(found.samples) == 2
    assert "device lost" in found.reason
    assert "GPU failed" in str(found)


def test_a_first_way_that_fails_ends_the_measurement():
    machine = Machine()
    found = _calibration.compare(
        failing(line(1e-6, 1e-9), machine, SIZES[3]),
        machine.way(line(1e-4, 1e-10)),
        SIZES,
        clock=machine.clock,
        resolution=0,
        budget=BUDGET,
    )
    assert found.cutover == pytest.approx(110_000, rel=0.1)
    assert "device lost" in found.reason


def test_interrupts_pass_through():
    def interrupted(size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _calibration.compare(
            interrupted, interrupted, SIZES, clock=lambda: 0.0, resolution=0, budget=1
        )


def test_progress_is_told_every_sample():
    seen = []
    found = Machine().compare(line(1e-6, 1e-9), line(1e-4, 2e-10), progress=seen.append)
    assert sorted(seen, key=lambda s: s.size) == list(found.samples)


def test_json_and_back():
    found = Machine().compare(line(1e-6, 1e-9), line(1e-4, 2e-10))
    assert _calibration.Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("spoil", ["names", "samples", "lines", "cutover", "reason"])
@pytest.mark.parametrize(
    "value",
    [..., 7.5, "text", [1], [{"size": -1}], -4, True, pytest.param(10**400, id="400 digits")],
)
def test_json_of_something_else(spoil, value):
    data = Machine().compare(line(1e-6, 1e-9), line(1e-4, 2e-10)).to_json()
    if value is ...:
        del data[spoil]
    else:
        data[spoil] = value
    if spoil == "reason" and value == "text":
        assert _calibration.Comparison.from_json(data).reason == "text"
    else:
        with pytest.raises(ValueError, match="no comparison"):
            _calibration.Comparison.from_json(data)


@pytest.mark.parametrize(
    "value",
    [10**400, 2**63, -1, math.inf, math.nan, "1", None, True],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("samples", "size"),
        ("samples", "first"),
        ("samples", "second"),
        ("lines", "latency"),
        ("lines", "per_element"),
    ],
)
def test_json_with_a_number_that_is_none(part, name, value):
    data = Machine().compare(line(1e-6, 1e-9), line(1e-4, 2e-10)).to_json()
    data[part][0][name] = value
    with pytest.raises(ValueError, match="no comparison"):
        _calibration.Comparison.from_json(data)
