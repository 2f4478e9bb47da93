"""The benchmarks measure what they say: their definitions, their check, their completeness."""

import importlib
import runpy
from pathlib import Path
from types import ModuleType

import mpmath
import numpy as np
import pytest

import s3s4

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the module of jobs from where it lies."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("job")


def exact(quantity: str, x: float, k: float) -> mpmath.mpf:
    """Compute a value or, by differences, a derivative at 30 digits."""

    def sigmoid(t: mpmath.mpf) -> mpmath.mpf:
        return 1 / (1 + mpmath.exp(-t))

    def s3(t: mpmath.mpf) -> mpmath.mpf:
        return t / (1 + abs(t)) if t > 0 else sigmoid(t)

    def s4(t: mpmath.mpf) -> mpmath.mpf:
        a = sigmoid(k * t)
        return a * t / (1 + abs(t)) + (1 - a) * sigmoid(t)

    function = {"s3": s3, "s4": s4, "s4_dx": lambda t: mpmath.diff(s4, t)}[quantity]
    with mpmath.workdps(30):
        return function(mpmath.mpf(x))


@pytest.mark.parametrize("quantity", ["s3", "s4", "s4_dx"])
def test_the_reference_is_the_definition(job: ModuleType, quantity: str) -> None:
    """What contenders are checked against agrees with mpmath."""
    made = job.Job.make(quantity, "float64", 50)
    (wanted,) = job.expected(made)
    exactly = [float(exact(quantity, x, job.K)) for x in made.x]
    np.testing.assert_allclose(wanted.astype(float), exactly, rtol=1e-12, atol=1e-15)


def test_a_right_result_passes_and_a_wrong_one_does_not(job: ModuleType) -> None:
    """The check accepts rounding and refuses float32 in place of float64."""
    made = job.Job.make("s4", "float64", 1000)
    right = s3s4.s4(made.x)
    assert job.complaint(made, right) == ""
    assert "tolerance" in job.complaint(made, right.astype(np.float32))
    assert "results" in job.complaint(made, (right, right))
    assert "tolerance" in job.complaint(made, np.full_like(right, np.nan))


def test_backward_is_checked_with_its_sum(job: ModuleType) -> None:
    """A wrong sum is noticed even where the elements are right."""
    made = job.Job.make("s4_backward", "float64", 1000)
    grad_x, grad_k = s3s4.s4.backward(made.grad, made.x)
    assert job.complaint(made, (grad_x, grad_k)) == ""
    assert "tolerance" in job.complaint(made, (grad_x, grad_k + 1e-9))


HISTORY = str(BENCHMARKS / "asv" / "benchmarks" / "bench_ufuncs.py")


def test_every_public_ufunc_has_a_benchmark() -> None:
    """Importing the history benchmarks is enough: they refuse when one is missing."""
    assert runpy.run_path(HISTORY)["UFUNCS"]


def test_a_ufunc_without_a_benchmark_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public ufunc that no activation accounts for fails the import."""
    monkeypatch.setattr(s3s4.ufuncs, "s5", np.exp, raising=False)
    with pytest.raises(NotImplementedError, match="s5"):
        runpy.run_path(HISTORY)


def test_every_ufunc_of_rows_has_a_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of those of rows."""
    history = HISTORY.replace("bench_ufuncs", "bench_rows")
    assert runpy.run_path(history)["ROWS"]
    monkeypatch.setattr(s3s4.ufuncs, "softest", np.vecdot, raising=False)
    with pytest.raises(NotImplementedError, match="softest"):
        runpy.run_path(history)


def test_the_report_fills_its_marks_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text between marks is replaced; a mark without results is an error."""
    pytest.importorskip("matplotlib", reason="the report draws with matplotlib")
    monkeypatch.syspath_prepend(BENCHMARKS)
    report = importlib.import_module("report")
    document = "a\n<!-- begin: grid -->\nold\n<!-- end: grid -->\nb\n"
    filled = report.fill(document, {"grid": "new\n"})
    assert filled == "a\n<!-- begin: grid -->\nnew\n<!-- end: grid -->\nb\n"
    assert report.fill(filled, {"grid": "new\n"}) == filled
    with pytest.raises(SystemExit, match="grid"):
        report.fill(document, {})
