"""What the command makes of columns of text."""

from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import SAMPLE, applied, run
from s3s4._command import text as _text
from s3s4._command.main import main

pytestmark = pytest.mark.usefixtures("own_folder")


def text(*numbers):
    """Write the S4 of numbers as the command does."""
    return [repr(float(s3s4.s4(x))) for x in numbers]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1,2\n-3,4\n", "{},{}\n{},{}\n"),
        ("a,b\n1,2\n-3,4\n", "a,b\n{},{}\n{},{}\n"),
        ("a;b\r\n1;2\r\n-3;4\r\n", "a;b\r\n{};{}\r\n{};{}\r\n"),
        ("a, 1st\tb\n1\t2\n-3\t4", "a, 1st\tb\n{}\t{}\n{}\t{}\n"),
        ("# made by hand\n\nx y\n  1  2\n\n -3 4\n", "# made by hand\n\nx y\n{} {}\n{} {}\n"),
        ('"a","b"\n"1","2"\n"-3", 4\n', '"a","b"\n{},{}\n{},{}\n'),
        ("\ufeffa,b\n1,2\n-3,4\n", "a,b\n{},{}\n{},{}\n"),
        ("1\n2\n-3\n4\n", "{}\n{}\n{}\n{}\n"),
    ],
    ids=["commas", "names", "semicolons", "tabs", "blanks", "quotes", "bom", "one-column"],
)
def test_text_keeps_its_form(given, expected):
    Path("in.csv").write_bytes(given.encode())
    assert main(["apply", "s4", "in.csv", "out.csv"]) == 0
    assert Path("out.csv").read_bytes().decode() == expected.format(*text(1, 2, -3, 4))


def test_empty_fields_are_missing_values():
    Path("in.csv").write_text("1,2\n,4\n")
    np.testing.assert_array_equal(applied("in.csv", "out.npy"), s3s4.s4([[1, 2], [np.nan, 4]]))


@pytest.mark.parametrize("columns", [1, 3])
def test_text_becomes_an_array(columns):
    x = np.resize(SAMPLE, (_text.PIECE + 1, columns))
    np.savetxt("in.txt", x, "%.17g")
    result = applied("in.txt", "out.npy")
    np.testing.assert_array_equal(result, s3s4.s4(x[:, 0] if columns == 1 else x))


def test_text_in_another_precision():
    Path("in.csv").write_text("0.1\n")
    assert main(["apply", "s3", "in.csv", "out.csv", "--dtype", "float32"]) == 0
    assert Path("out.csv").read_text() == str(s3s4.s3(np.float32(0.1))) + "\n"


def test_text_through_pipes():
    result = run("apply", "s4", "-", "-", input=b"a,b\n1,2\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode() == "a,b\n{},{}\n".format(*text(1, 2))
