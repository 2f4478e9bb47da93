"""The two readers of text: with pyarrow and without, in pipes and in little memory."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

import s3s4
from commandline import COMMAND, run, written_s4
from s3s4._command import text as _text
from s3s4._command.data import DataError, Function, Target

pytestmark = pytest.mark.usefixtures("own_folder")

USUAL = ["1", "-2.5", "", "  ", " 3"]
# fmt: off
ODD = [
    "1", "-2.5", "+3", "+-1", "++1", ".5", "5.", "1e5", "1E-5", "inf", "-Infinity", "nan", "NAN",
    "nan(1)", "1e999", "-1e-999", "0x10", "1_0", "\uff11", "-", "1e", "abc", "2020-01-01", '"1"',
    '"a,b"', 'a"b', '"a"b', '"', "NA", "1d5", "é", "#", "0.1", "1e15", "1e-7", "-0", "true",
    "1\u00a0", "\ufeff1", "\x001", "\t1",
]
# fmt: on


@pytest.mark.parametrize("seed", range(60))
def test_both_readers_agree(monkeypatch, seed):
    """Whatever a file holds: the same results, or the same refusal."""
    rng = random.Random(seed)
    mark, end = rng.choice([",", ";", "\t", " "]), rng.choice(["\n", "\r\n", "\r"])
    width, odd = rng.randint(1, 3), rng.choice([0, 0.05, 0.5])
    fields = [
        [rng.choice(ODD if rng.random() < odd else USUAL) for _ in range(width)]
        for _ in range(rng.randint(1, 6))
    ]
    content = end.join(map(mark.join, fields)) + rng.choice(["", end])
    Path("in.txt").write_bytes(content.encode())
    function = rng.choice([Function("s4", s3s4.s4), Function("softmax", s3s4.softmax, True, 0)])
    seen = []
    for fast in (_text._fast_reader, lambda layout: None):
        with monkeypatch.context() as patch:
            patch.setattr(_text, "_fast_reader", fast)
            with Path("in.txt").open("rb") as source:
                try:
                    target = Target("out.txt", None, False, False, source)
                    _text.Columns(source, "text").apply(function, target, lambda count: None)
                    seen.append(Path("out.txt").read_bytes())
                except DataError as error:
                    seen.append(str(error))
    assert seen[0] == seen[1]


def test_text_through_pipes():
    result = run("apply", "s4", "-", "-", input=b"a,b\n1,2\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode() == "a,b\n{},{}\n".format(*written_s4(1, 2))


def test_without_pyarrow():
    script = """if True:
        import runpy, sys
        sys.modules["pyarrow"] = None
        sys.argv = ["s3s4", "apply", "s4", "-", "-"]
        runpy.run_module("s3s4", run_name="__main__")
    """
    done = subprocess.run([sys.executable, "-c", script], input=b"a,b\n1,2\n", capture_output=True)
    assert done.stdout.decode() == "a,b\n{},{}\n".format(*written_s4(1, 2))


@pytest.mark.slow
def test_memory_stays_small_for_text():
    rows = b"2020-01-01,0.25,-1.5,3.75\n" * (1 << 15)
    with open("large.csv", "wb") as file:
        for _ in range(400):
            file.write(rows)
    command = [*COMMAND, "apply", "s4", "large.csv", "out.csv", "--columns", "2,3,4"]
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    peak = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, check=True)
    assert int(peak.stdout) < 300 << 10
