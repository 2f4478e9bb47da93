"""What the command makes of columns of text."""

import csv
import io
import os
import random
import re
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import SAMPLE, applied, error_of, written_s4
from s3s4._command import text as _text
from s3s4._command.main import main

pytestmark = pytest.mark.usefixtures("own_folder", "reader")


@pytest.fixture(params=["pyarrow", "csv"])
def reader(request, monkeypatch):
    """Let every test run with pyarrow, and as if it were not installed."""
    if request.param == "csv":
        monkeypatch.setattr(_text, "_fast_reader", lambda layout: None)
    else:
        pytest.importorskip("pyarrow")


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
    assert Path("out.csv").read_bytes().decode() == expected.format(*written_s4(1, 2, -3, 4))


def test_empty_fields_are_missing_values():
    Path("in.csv").write_text("1,2\n,4\n")
    np.testing.assert_array_equal(applied("in.csv", "out.npy"), s3s4.s4([[1, 2], [np.nan, 4]]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a,b\n1,\n ,nan\n", "a,b\n{},\n,nan\n"),
        ('a\n1\n""\n', "a\n{}\nnan\n"),
        ('a b\n1 ""\n', "a b\n{} nan\n"),
    ],
    ids=["commas", "one-column", "blanks"],
)
def test_missing_values_stay_missing(given, expected):
    Path("in.csv").write_text(given)
    assert main(["apply", "s4", "in.csv", "out.csv"]) == 0
    assert Path("out.csv").read_text() == expected.format(*written_s4(1))


@pytest.mark.parametrize("columns", [1, 3])
def test_text_becomes_an_array(monkeypatch, columns):
    monkeypatch.setattr(_text, "BLOCK", 1 << 12)
    x = np.resize(SAMPLE, (1001, columns))
    np.savetxt("in.txt", x, "%.17g")
    result = applied("in.txt", "out.npy")
    np.testing.assert_array_equal(result, s3s4.s4(x[:, 0] if columns == 1 else x))


def test_text_in_another_precision():
    Path("in.csv").write_text("0.1\n")
    assert main(["apply", "s3", "in.csv", "out.csv", "--dtype", "float32"]) == 0
    assert Path("out.csv").read_text() == str(s3s4.s3(np.float32(0.1))) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('"1,000.5",2\n', "line 1, column 1: '1,000.5' is not a number"),
        ("1,NA\n2,3\n", "line 1, column 2: 'NA' is not a number"),
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 columns, not 2"),
        ("a,b\n1,2\n3\n", "line 3: 1 column, not 2"),
        ("a,b\n1,2\n\n# c\n", "line 4: 1 column, not 2"),
        ("a\tb\n1\t1_000\n", "line 2, column 2 (b): '1_000' is not a number"),
        ("1,2\n\uff11,2\n", "line 2, column 1: '\uff11' is not a number"),
        ("1,2\n1,2\x0c\n", r"line 2, column 2: '2\x0c' is not a number"),
        ("1\u00a02,3\n", r"line 1, column 1: '1\xa02' is not a number"),
        ("1\u00852,3\n", r"line 1, column 1: '1\x852' is not a number"),
        ("1,2\n3,nan(4)\n", "line 2, column 2: 'nan(4)' is not a number"),
        ("1,2\n0x10,2\n", "line 2, column 1: '0x10' is not a number"),
        ('1,2\n"3"4,5\n', "line 2: ',' expected after '\"'"),
        ('1,2\n\n"3,4\n5,6\n', "line 3: unexpected end of data"),
        ('a,b\n"x\n\ny",1\n', r"line 2, column 1 (a): 'x\n\ny' is not a number"),
        ('"a\nb",c\n1,2\n3,x\n', r"line 4, column 2 (c): 'x' is not a number"),
        (f"1,2\n{'3' * 200_000}x,4\n", "line 2: field larger than field limit (131072)"),
        ("a,b\nc,d\n", "line 2, column 1 (a): 'c' is not a number"),
    ],
)
@pytest.mark.parametrize("block", [1 << 22, 3])
def test_what_is_refused(capfd, monkeypatch, content, message, block):
    monkeypatch.setattr(_text, "BLOCK", block if len(content) < 1000 else 1 << 22)
    Path("in.csv").write_text(content, newline="")
    assert error_of(capfd, "apply", "s4", "in.csv", "out.csv") == f"s3s4: in.csv: {message}\n"
    assert os.listdir() == ["in.csv"]


@pytest.mark.parametrize("columns", ["b", "2", '"b"'])
def test_other_columns_are_copied(columns):
    start = '# made by hand\r\ndate,b,"say ""x"""\r\n'
    rows = [("2020-01-01", "1", "é"), ('"a,b"', '"-2"', " x "), ('"""\n"', "3", ""), ("", "", "1")]
    Path("in.csv").write_text(start + "".join(",".join(row) + "\r\n" for row in rows), newline="")
    assert main(["apply", "s4", "in.csv", "out.csv", "--columns", columns]) == 0
    results = [*written_s4(1, -2, 3), ""]
    expected = "".join(f"{a},{y},{c}\r\n" for (a, _, c), y in zip(rows, results, strict=True))
    assert Path("out.csv").read_bytes() == (start + expected).encode()


def test_chosen_columns_become_an_array():
    Path("in.csv").write_text("date,a,b,c\nx,1,2,3\ny,4,5,6\n")
    result = applied("in.csv", "out.npy", "--columns", "c,a")
    np.testing.assert_array_equal(result, s3s4.s4([[1.0, 3.0], [4.0, 6.0]]))


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ("a,b\n1,2\n", "c", "has no column 'c'; it has a, b"),
        ("a,a\n1,2\n", "a", "has several columns 'a'; it has a, a"),
        ("1,2\n", "a", "has no column 'a': it has no line of names, only numbers"),
        ("1,2\n", "3", "has no column 3, only 2"),
        ("1,2\n", "0", "has no column 0, only 2"),
    ],
)
def test_columns_that_are_not_there(capfd, content, columns, message):
    Path("in.csv").write_text(content)
    error = error_of(capfd, "apply", "s4", "in.csv", "out.csv", "--columns", columns)
    assert error == f"s3s4: in.csv: {message}\n"


def written(rng, kind, mark):
    """Give a field as it may stand in a file, and what it means, or None for what is refused."""
    if kind == "number":
        value = rng.choice([0.0, -1.5, 1e22, 1e-7, 2**-1074, 123456789.0, rng.normalvariate(0, 3)])
        form = rng.choice(["{!r}", "{:+}", " {!r} ", '"{!r}"', "{:.25e}", "{:.3f}"])
        field = form.format(value)
        return field, float(field.strip('" '))
    letters = rng.choices(["a", "é", "1", '"', mark, "\n", "\r\n", " ", "_"], k=rng.randint(0, 5))
    value = "".join(letters)
    special = any(letter in value for letter in ('"', mark, "\n", "\r"))
    return ('"' + value.replace('"', '""') + '"' if special or rng.random() < 0.2 else value), value


@pytest.mark.parametrize("seed", range(40))
def test_generated_files(monkeypatch, seed):
    """What csv reads of the output is the function of what csv reads of the input."""
    rng = random.Random(seed)
    monkeypatch.setattr(_text, "BLOCK", rng.choice([5, 100, 1 << 22]))
    mark, end = rng.choice(",;\t"), rng.choice(["\n", "\r\n"])
    kinds = ["number", *(rng.choice(["number", "text"]) for _ in range(rng.randint(1, 4)))]
    names = [f"n{place}" for place in range(len(kinds))]
    fields = [[written(rng, kind, mark)[0] for kind in kinds] for _ in range(rng.randint(1, 30))]
    lines = [mark.join(row) + end for row in [names, *fields]]
    Path("in.txt").write_text("".join(lines), newline="")
    chosen = [name for name, kind in zip(names, kinds, strict=True) if kind == "number"]
    assert main(["apply", "s4", "in.txt", "out.txt", "--columns", ",".join(chosen)]) == 0
    before, after = (
        list(csv.reader(io.StringIO(Path(name).read_bytes().decode(), newline=""), delimiter=mark))
        for name in ("in.txt", "out.txt")
    )
    for one, other in zip(before, after, strict=True):
        for kind, x, y in zip(kinds, one, other, strict=True):
            if kind == "text" or one is before[0]:
                assert x == y
            else:
                assert float(y) == s3s4.s4(float(x))
    raw = Path("out.txt").read_bytes().decode()
    place = len(lines[0])
    for row in fields:
        for kind, field in zip(kinds, row, strict=True):
            if kind == "text":
                assert raw.startswith(field, place)
                place += len(field)
            else:
                place = re.compile(f"{mark}|{end}").search(raw, place).start()
            place += len(end) if raw.startswith(end, place) else 1


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
def test_numbers_are_written_as_numpy_does(dtype):
    rng = np.random.default_rng(3)
    wide = rng.normal(0, 1, 2000) * 10.0 ** rng.integers(-9, 20, 2000)
    finite = np.concatenate([[0.0, -0.0, 1.0, 1e-3, 1e-4, 1e6, 1e16], wide])
    x = np.append(finite[abs(finite) < float(np.finfo(dtype).max)], [np.inf, np.nan])
    np.savetxt("in.txt", x, "%.17g")
    assert main(["apply", "relu", "in.txt", "out.txt", "--dtype", dtype]) == 0
    results = s3s4.relu(x.astype(dtype))
    assert Path("out.txt").read_text().split() == [str(y) for y in results.astype(str)]
