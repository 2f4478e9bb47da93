"""The benchmarks measure what they say: their definitions, their check, their completeness."""

import ast
import importlib
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import oracle
import s3s4
from support import ELEMENTWISE

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the module of jobs from where it lies."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("job")


QUANTITIES = [quantity for name in ELEMENTWISE for quantity in (name, f"{name}_dx")]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_the_reference_is_the_definition(job: ModuleType, quantity: str) -> None:
    """What contenders are checked against agrees with 50 digits."""
    made = job.Job.make(quantity, "float64", 50)
    (wanted,) = job.expected(made)
    name, what = job.split(quantity)
    wrt = "x" if what else None
    exactly = oracle.exact(name, wrt, made.x, *job.parameters(quantity)).high
    np.testing.assert_allclose(wanted.astype(float), exactly.astype(float), rtol=1e-12, atol=1e-15)


def test_an_activation_without_a_definition_is_named(job: ModuleType) -> None:
    """The peers' definitions are complete, and it would be noticed if they were not."""
    definitions = importlib.import_module("definitions")
    assert definitions.undefined(ELEMENTWISE) == []
    assert definitions.undefined(["relu", "s5"]) == ["s5", "s5_dx"]


def test_a_contender_without_the_means_says_so(job: ModuleType) -> None:
    """NumPy has no function of the normal distribution: it is left out with that reason."""
    cells = importlib.import_module("cells")
    prepared = cells.prepare(job.Job.make("gelu", "float64", 100), ["s3s4", "numpy"])
    assert list(prepared.calls) == ["s3s4"]
    assert "normal" in prepared.complaints["numpy"]


@pytest.mark.parametrize(
    ("quantity", "seconds", "verdict"),
    [
        ("gelu", {"torch": 3.1, "torch.compile": 1.6, "copy": 0.1}, "yes"),
        ("gelu_dx", {"torch": 2.9, "torch.compile": 1.6}, "torch 2.90 < 3"),
        ("tanh", {"torch": 3.1}, "torch.compile not timed"),
        ("softsign", {"torch": 1.0, "torch.compile": 1.0, "copy": 0.95}, "yes"),
        ("relu_dx", {"torch": 9.0, "copy": 0.5}, "copy 0.50 < 0.9"),
    ],
)
def test_targets_of_the_family(
    job: ModuleType, quantity: str, seconds: dict[str, float], verdict: str
) -> None:
    """Peers are the measure where something is computed, a copy where only bytes are moved."""
    tables = importlib.import_module("family_tables")
    row = {name: [value] for name, value in {"s3s4": 1.0, **seconds}.items()}
    assert tables.verdict(quantity, row) == verdict


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


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command of the benchmarks as a user does, whose modules lie beside it."""
    command = [sys.executable, BENCHMARKS / "run.py", *arguments]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the list of commands from where it lies."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("run")


def test_every_command_has_a_module_and_a_help(
    commands: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help is the module's docstring, and the options are everywhere the same."""
    for name in commands.COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            commands.parser().parse_args([name, "--help"])
        told = capsys.readouterr().out
        assert commands.documentation(name) in told
        assert "--quick" in told
        assert "--threads" in told
        functions = {
            node.name: [argument.arg for argument in node.args.args]
            for node in ast.parse((BENCHMARKS / f"{name}.py").read_text("utf-8")).body
            if isinstance(node, ast.FunctionDef)
        }
        assert functions["run"] == ["quick", "names"]


def test_options_are_read_in_one_place() -> None:
    """No module but run.py has a parser."""
    readers = [file.name for file in BENCHMARKS.glob("*.py") if "argparse" in file.read_text()]
    assert readers == ["run.py"]


def test_a_quick_command_prints_and_keeps_nothing() -> None:
    """The quickest of them, as a user calls it."""
    kept = {file: file.read_bytes() for file in (BENCHMARKS / "results").glob("*.json")}
    done = run("in_cache", "--quick", "relu")
    assert done.returncode == 0, done.stderr
    assert "relu, float64" in done.stdout
    assert kept == {f: f.read_bytes() for f in (BENCHMARKS / "results").glob("*.json")}


@pytest.mark.parametrize("arguments", [("rows", "nosuch"), ("targets", "--only", "nosuch")])
def test_a_name_that_is_none_is_refused(arguments: tuple[str, ...]) -> None:
    """With what there is to choose from."""
    done = run(*arguments)
    assert done.returncode == 1
    assert "nosuch: " in done.stderr


# Compiling the headers of these takes seconds; ggml's method needs a compiler alone.
NATIVE = [
    pytest.param(name, marks=[] if name == "ggml" else pytest.mark.slow)
    for name in ("ggml", "oneDNN", "XNNPACK", "SLEEF", "Highway")
]


@pytest.mark.parametrize("name", NATIVE)
def test_a_peer_in_c_computes_the_function_meant(job: ModuleType, name: str) -> None:
    """Also the elements that fill no vector; what it lacks it refuses."""
    contenders = importlib.import_module("contenders")
    peer = contenders.CONTENDERS[name]
    if peer.missing:
        pytest.skip(peer.missing)
    timed = []
    for quantity in (*ELEMENTWISE, "s4_dx"):
        for dtype in ("float32", "float64"):
            made = job.Job.make(quantity, dtype, 1003)
            try:
                call = peer.prepare(made)
            except NotImplementedError:
                continue
            made.out[0].fill(np.nan)
            assert job.complaint(made, call()) == ""
            timed.append(quantity)
    assert timed


def test_a_peer_that_cannot_be_built_says_why(
    job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left out with the reason and what to install."""
    contenders = importlib.import_module("contenders")
    native = importlib.import_module("contenders.native")
    monkeypatch.setattr(native, "FLAGS", "-DNOT_BUILT_BEFORE -include no/such/header.h")
    native.compiled.cache_clear()
    reason = contenders.CONTENDERS["oneDNN"].missing
    assert "no/such/header.h" in reason
    assert "libdnnl-dev" in reason
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler" in contenders.CONTENDERS["oneDNN"].missing


def test_errors_of_contenders(job: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """In units in the last place of normal results, and in eps of the sum of terms."""
    ulps = importlib.import_module("ulps")
    one, tiny = np.float32(1), np.finfo(np.float32).tiny
    got = np.array([one + 3 * np.spacing(one), tiny / 2], np.float32)
    exact = oracle.Exact(np.array([1, 0], np.longdouble), np.zeros(2), np.array([2, 1.0]))
    assert ulps.compared(got, exact) == ulps.Error(ulp=3.0, terms=1.5)
    monkeypatch.setattr(ulps, "SAMPLE", 20)
    assert ulps.error("s3s4", "gelu", "float32").terms <= 4


def test_a_disturbed_race_is_run_again(job: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quietest one counts, and none follows a quiet one."""
    load = importlib.import_module("load")
    others = iter([0.9, 0.4, 0.7, 0.05, 1.0])
    made: list[int] = []

    def race(*_: object, **__: object) -> int:
        made.append(len(made))
        return made[-1]

    monkeypatch.setattr(load, "race", race)
    monkeypatch.setattr(load, "Watch", lambda: SimpleNamespace(others=next(others)))
    assert load.calm_race({}, 1.0) == (1, 0.4)
    assert load.calm_race({}, 1.0) == (3, 0.05)
    assert load.calm_for(0.0)({}, 1.0) == (4, 1.0), "the time for repeating is over"
    assert len(made) == 5


def test_busy_processes_are_no_others(job: ModuleType) -> None:
    """They are told from what others use, and end with the block."""
    load = importlib.import_module("load")
    with load.busy(1):
        (pid,) = load._beside
        assert load.is_busy()
        assert load._ticks_of(pid) >= 0
    assert not load.is_busy()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("median", "is_right", "word"),
    [(0.9, True, "met"), (1.1, True, "MISSED"), (0.9, False, "MISSED")],
)
def test_a_target_is_judged_by_its_median_and_its_errors(
    job: ModuleType, median: float, is_right: bool, word: str
) -> None:
    """And one without a figure is not measurable."""
    verdict = importlib.import_module("verdict")
    timing = importlib.import_module("timing")
    figure = timing.Ratio(median, 0.5, 1.5)
    judged = verdict.Verdict("2", "this / that", 1.0, "x", figure, 0.3, "a note", is_right)
    assert judged.word == word
    assert f"{median:.2f}x (0.50 to 1.50), <= 1x; a note; others 0.30" in str(judged)
    assert verdict.Verdict("3", "this", 1.0, note="why").word == verdict.NOT_MEASURABLE


def test_the_sweep_is_dense_where_threads_begin(job: ModuleType) -> None:
    """It has 1, the largest, the first size on threads and the one below it."""
    module = importlib.import_module("sizes")
    begin = s3s4._cpu.threads.parallel_size("s4", np.dtype("float64"))
    sizes = module.sizes("float64", 10**8)
    assert {1, 10**8, begin - 1, begin} <= {*sizes}
    assert sum(begin / 2 <= n <= 4 * begin for n in sizes) > 12


def cell(median: float, error: str = "") -> dict[str, object]:
    """Make a cell of a table of `questions`, of 1000 elements."""
    return {"median": median * 1e-6, "spread": median * 1e-7, "error": error}


def test_a_function_stands_beside_its_fastest_peer(job: ModuleType) -> None:
    """With the errors of both: a faster wrong answer is seen to be one."""
    answers = importlib.import_module("answers")
    cells = {
        "s3s4": {"gelu": cell(2.0, "2.8 ulp")},
        "torch, out=": {"gelu": cell(3.0)},
        "oneDNN": {"gelu": cell(1.0, "2e7 ulp")},
        "copy": {"gelu": cell(0.5)},
    }
    table = {"caption": "ns", "unit": "ns an element", "cells": cells, "elements": {"gelu": 1000}}
    line = answers.functions(table).splitlines()[-1]
    found = [part.strip() for part in line.strip("|").split("|")]
    assert found[:5] == ["gelu", "2.00 ± 10%, 2.8 ulp", "1.00 ± 10%, 2e7 ulp", "oneDNN", "0.50x"]


def test_the_page_has_the_worst_size_and_the_missed_targets(job: ModuleType) -> None:
    """Whatever else is left out of it."""
    answers = importlib.import_module("answers")

    def size(n: int, median: float) -> dict[str, object]:
        return {"n": n, "serial": 1e-6, "ratio": {"median": median, "low": 0.9, "high": 1.3}}

    sweep = {"idle, float64": {"rows": [size(1, 1.0), size(77, 1.25), size(10**4, 0.5)]}}
    told = answers.busy(sweep)
    assert "1.25x (0.90 to 1.30)" in told
    assert "77" in told
    rows = [
        {"point": "4", "target": name, "asked": "<= 1x", "measured": "2x", "verdict": word}
        | {"note": ""}
        for name, word in (("this", "met"), ("that", "MISSED"))
    ]
    told = answers.targets({"rows": rows, "before": "quiet", "during": "quiet"})
    assert "4: that" in told
    assert "4: this" not in told


def test_results_of_another_machine_are_named_as_such(
    job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is about one machine."""
    pytest.importorskip("matplotlib", reason="the report draws with matplotlib")
    report = importlib.import_module("report")
    described = importlib.import_module("machine").describe() | {"processor": "Another"}
    row = {"layout": "contiguous", "dtype": "float64", "ns": 1.0, "ratio": 1.0}
    row["quartiles"] = [1.0, 1.0]
    kept = {"layouts": {"machine": described, "content": [row]}}
    assert "Measured elsewhere: Another" in report.sections(kept, "This")["layouts"]
    assert "elsewhere" not in report.sections(kept, "Another")["layouts"]


def test_softmax_of_peers_is_checked(job: ModuleType) -> None:
    """Along the axis that is meant, value and gradient."""
    complaint = importlib.import_module("beside_peers").rows_complaint
    x = np.random.default_rng(0).normal(size=(9, 5, 4)).astype(np.float32)
    g = np.cos(x)
    for axis in (0, -1):
        assert complaint(s3s4.softmax(x, axis), x, axis) == ""
        assert complaint(s3s4.softmax.backward(g, x, axis), x, axis, g) == ""
        assert "wrong by" in complaint(s3s4.softmax(x, 1), x, axis)


def test_no_module_has_the_name_of_a_tool() -> None:
    """Tests import both from the path, where only the first is found."""
    tools = Path(__file__).parent / "tools"
    assert not {p.stem for p in BENCHMARKS.glob("*.py")} & {p.stem for p in tools.glob("*.py")}
