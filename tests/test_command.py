"""The command line, run as its users run it: arguments, options, help."""

import os
import pty
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import COMMAND, SAMPLE, applied, error_of, run, s4_by_definition
from s3s4._command.main import commands, main
from support import ELEMENTWISE

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize("derivative", [False, True])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_activation(name, derivative):
    np.save("in.npy", SAMPLE)
    options = ["--derivative"] if derivative else []
    assert main(["apply", name, "in.npy", "out.npy", *options]) == 0
    activation = ELEMENTWISE[name]
    expected = activation.derivative(SAMPLE) if derivative else activation(SAMPLE)
    np.testing.assert_array_equal(np.load("out.npy"), expected)


def test_values_are_those_of_the_definition():
    np.save("in.npy", SAMPLE)
    result = applied("in.npy", "out.npy", "--k", "-2")
    np.testing.assert_allclose(result, s4_by_definition(SAMPLE, -2), rtol=0, atol=1e-14)


def test_dtype_and_parameter():
    np.save("in.npy", SAMPLE)
    result = applied("in.npy", "out.npy", "--dtype", "float32", "--k", "inf")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, s3s4.s4(SAMPLE, np.inf, dtype=np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("s4 none.npy out.npy", "none.npy: No such file"),
        ("s4 . out.npy", ".: Is a directory"),
        ("s4 in.npy .", ".: Is a directory"),
        ("s4 in.npy none/out.npy", "none/out.npy: No such file"),
        (
            "s4 in.npy out.csv",
            "in.npy: is npy, which cannot become text",
        ),
        ("s4 in.npy out.npz", "in.npy: is npy, which cannot become npz"),
        ("s4 in.csv out.npz", "in.csv: is text, which cannot become npz, only text, text.gz, npy"),
        ("gleu in.npy out.npy", "not 'gleu': did you mean "),
        ("xyz in.npy out.npy", ", ".join(ELEMENTWISE)),
        ("s4 in.npy out.npy --k abc", "'--k': 'abc' is not a valid float"),
        ("s4 in.npy out.npy --k nan", "'--k': nan is not a number"),
        ("s3 in.npy out.npy --k 2", "k is no parameter of s3"),
        ("s3 in.npy out.npy --wrt k", "--wrt must be one of x, not 'k'"),
        ("s4 in.npy out.npy --threads 0", "'--threads': 0 is not in the range 1<=x<=1024"),
        ("s4 in.npy out.npy --axis x", "'--axis': 'x' is not a valid integer"),
        ("s4 in.npy out.npy --dtype int8", "'--dtype': 'int8' is not one of"),
        ("s4 in.npy", "Missing argument 'OUT'"),
    ],
)
def test_mistaken_arguments(capfd, arguments, message):
    np.save("in.npy", SAMPLE)
    Path("in.csv").write_text("1\n")
    assert message in error_of(capfd, "apply", *arguments.split())
    assert sorted(os.listdir()) == ["in.csv", "in.npy"]


def test_progress_is_shown_on_a_terminal_only():
    np.save("in.npy", SAMPLE)
    command = [*COMMAND, "apply", "s4", "in.npy", "out.npy"]
    ours, theirs = pty.openpty()
    subprocess.run(command, stderr=theirs, check=True, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    assert b"100%" in os.read(ours, 10_000)
    os.close(ours)
    assert run(*command[3:]).stderr == b""


@pytest.mark.parametrize(
    ("term", "option", "shown"),
    [("xterm", "-q", ""), ("xterm", "--quiet", ""), ("dumb", None, ""), ("xterm", None, "s4\n")],
)
def test_terminals_and_people_that_want_no_progress(capfd, monkeypatch, term, option, shown):
    np.save("in.npy", SAMPLE)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(os, "isatty", lambda descriptor: True)
    applied("in.npy", "out.npy", *filter(None, [option]))
    assert capfd.readouterr() == ("", shown)


@pytest.mark.parametrize("wrt", ["x", "k"])
def test_derivative_by_any_input(wrt):
    np.save("in.npy", SAMPLE)
    result = applied("in.npy", "out.npy", "--wrt", wrt, "--k", "2", "--derivative")
    step = 1e-6
    beside = [
        s4_by_definition(SAMPLE + (wrt == "x") * h, 2 + (wrt == "k") * h) for h in (-step, step)
    ]
    np.testing.assert_allclose(result, (beside[1] - beside[0]) / (2 * step), atol=1e-8)


def test_threads(monkeypatch):
    np.save("in.npy", SAMPLE)
    seen = []
    monkeypatch.setattr(type(s3s4.s4), "__call__", lambda *a, **o: seen.append(threads()) or a[1])
    threads = s3s4.get_num_threads
    for given in (["--threads", "3"], []):
        main(["apply", "s4", "in.npy", "out.npy", *given])
    assert (set(seen[:2]), set(seen[2:])) == ({3}, {threads()})


@pytest.mark.parametrize("name", ["S4", "Gelu", "SOFTMAX"])
def test_names_in_any_case(name):
    np.save("in.npy", SAMPLE)
    assert main(["apply", name, "in.npy", "out.npy"]) == 0
    np.testing.assert_array_equal(np.load("out.npy"), s3s4.get(name.lower())(SAMPLE))


def test_a_terminal_is_spared_binary_output():
    np.save("in.npy", SAMPLE)
    ours, theirs = pty.openpty()
    result = subprocess.run(
        [*COMMAND, "apply", "s4", "in.npy", "-"], stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    os.close(ours)
    assert result.returncode == 2
    assert b"redirect" in result.stderr


def test_every_parameter_is_an_option_of_apply():
    np.save("in.npy", SAMPLE)
    for name, activation in ELEMENTWISE.items():
        values = {key: default + 0.25 for key, default in activation.parameters.items()}
        options = [text for key, value in values.items() for text in (f"--{key}", str(value))]
        assert main(["apply", name, "in.npy", "out.npy", *options]) == 0
        np.testing.assert_array_equal(np.load("out.npy"), activation(SAMPLE, **values))


def test_info(capfd):
    assert main(["info"]) == 0
    shown = capfd.readouterr().out
    for name, value in s3s4.build_config().items():
        assert name in shown
        assert (", ".join(value) if isinstance(value, list) else str(value)) in shown


def test_version(capfd):
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"s3s4 {version('s3s4')}\n"


def test_help(capfd):
    for name, command in commands.commands.items():
        assert main([name, "--help"]) == 0
        output = capfd.readouterr().out
        for parameter in command.params:
            assert parameter.opts[0] in output or parameter.metavar in output
    main(["apply", "--help"])
    output = " ".join(capfd.readouterr().out.split())
    for name, activation in ELEMENTWISE.items():
        assert name in output.partition("NAME is one of")[2]
        for parameter, default in activation.parameters.items():
            assert f"--{parameter}" in output
            assert f"{name} (default {default:g})" in output


def test_no_arguments_shows_the_help(capfd):
    assert main([]) == 2
    assert "apply" in capfd.readouterr().err


@pytest.mark.parametrize(("module", "command"), [("click", "info"), ("matplotlib", "plot")])
def test_missing_extra(module, command):
    script = f"""if True:
        import runpy, sys

        class Absent:
            def find_spec(self, name, *_):
                if name == {module!r}:
                    raise ModuleNotFoundError(name=name)

        sys.meta_path.insert(0, Absent())
        sys.argv = ["s3s4", {command!r}]
        runpy.run_module("s3s4", run_name="__main__")
    """
    result = subprocess.run([sys.executable, "-c", script], capture_output=True)
    expected = (
        f"s3s4: {module} is missing; install it with: pip install '.[cli]' (in a clone of s3s4)\n"
    )
    assert (result.returncode, result.stderr.decode()) == (2, expected)


def test_package_does_not_import_its_command():
    script = "import sys, s3s4; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    modules = set(result.stdout.decode().split())
    ours = {"__main__", "_command"}
    assert not modules & {"click", "matplotlib", "pyarrow", *(f"s3s4.{name}" for name in ours)}


def test_a_call_leaves_the_signal_handler_of_its_caller():
    before = signal.getsignal(signal.SIGTERM)
    main(["info"])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("command", "variable", "value"),
    [
        (["-m", "s3s4", "plot"], "S3S4_NUM_THREADS", "many"),
        (["-m", "s3s4", "plot"], "S3S4_ISA", "avx1024"),
        (["-m", "s3s4", "plot"], "S3S4_DEVICE", "tpu"),
        (["s3s4", "info"], "S3S4_NUM_THREADS", "0"),
    ],
)
def test_wrong_environment(command, variable, value):
    Path("s3s4").write_text("import sys; from s3s4._command.main import main; sys.exit(main())")
    result = subprocess.run(
        [sys.executable, "-P", *command], env={**os.environ, variable: value}, capture_output=True
    )
    assert (result.returncode, result.stdout, result.stderr.count(b"\n")) == (2, b"", 1)
    assert result.stderr.decode().startswith(f"s3s4: {variable}")
    assert value in result.stderr.decode()


def test_no_backend_of_matplotlib_is_asked_for():
    result = run("plot", env={**os.environ, "MPLBACKEND": "none such"})
    assert (result.returncode, result.stderr) == (0, b"")
