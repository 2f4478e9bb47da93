"""The pictures that the command draws."""

import os
from pathlib import Path

import numpy as np
import pytest

import s3s4
from commandline import error_of, s4_by_definition
from s3s4._command import demo as _demo
from s3s4._command.main import main

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_plot(capfd, suffix):
    assert main(["plot", "-o", f"curves.{suffix}"]) == 0
    assert f"curves.{suffix}" in capfd.readouterr().out
    assert Path(f"curves.{suffix}").stat().st_size > 10_000


@pytest.mark.parametrize("options", [[], ["--derivative", "--k", "2"]])
def test_plot_of_several(monkeypatch, options):
    drawn = []
    monkeypatch.setattr("s3s4._command.main.save", lambda figure, output: drawn.append(figure))
    assert main(["plot", "gelu", "s4", *options]) == 0
    panels = drawn[0].axes
    assert len(panels) == (2 if options else 1)
    gelu, s4, *_ = panels[0].lines
    assert gelu.get_label() == "gelu"
    assert s4.get_label() == ("s4, k = 2" if options else "s4")
    x, y = s4.get_data()
    np.testing.assert_allclose(y, s4_by_definition(x, 2 if options else 5), atol=1e-14)


def test_plot_of_several_numbers(monkeypatch):
    drawn = []
    monkeypatch.setattr("s3s4._command.main.save", lambda figure, output: drawn.append(figure))
    numbers = "0.5,1,2,5,10,20"
    options = ["--xlim", "-2,3", "--ylim", "-1,1", "--dpi", "50", "--dark"]
    assert main(["plot", "S4", "GELU", "--k", numbers, *options]) == 0
    (figure,) = drawn
    (axes,) = figure.axes
    assert (axes.get_xlim(), axes.get_ylim(), figure.dpi) == ((-2, 3), (-1, 1), 50)
    lines = axes.lines[:7]
    labels = [*(f"s4, k = {k}" for k in numbers.split(",")), "gelu"]
    assert [line.get_label() for line in lines] == labels
    looks = {(line.get_color(), line.get_linestyle()) for line in lines}
    assert len(looks) == 7
    assert len({style for _, style in looks}) > 1
    for line, k in zip(lines, map(float, numbers.split(",")), strict=False):
        x, y = line.get_data()
        np.testing.assert_allclose(y, s4_by_definition(x, k), atol=1e-14)


def test_plot_leaves_a_gap_at_a_jump(monkeypatch):
    drawn = []
    monkeypatch.setattr("s3s4._command.main.save", lambda figure, output: drawn.append(figure))
    assert main(["plot", "threshold", "--threshold", "2"]) == 0
    x, y = drawn[0].axes[0].lines[0].get_data()
    assert np.isnan(y).sum() == 1
    assert abs(x[np.isnan(y)].item() - 2) < 0.01


def test_plot_mistakes(capfd):
    assert "did you mean mish" in error_of(capfd, "plot", "gelu", "misch")
    assert "k is no parameter of gelu, mish" in error_of(capfd, "plot", "gelu", "mish", "--k", "2")
    assert "Missing argument 'NAME'" in error_of(capfd, "plot", "--derivative")
    assert ".png, .svg, .pdf" in error_of(capfd, "plot", "-o", "curves.doc")
    assert "none/curves.png: No such file" in error_of(capfd, "plot", "-o", "none/curves.png")
    assert "is not a number" in error_of(capfd, "plot", "s4", "--k", "1,x")
    assert "nan is not a number" in error_of(capfd, "plot", "s4", "--k", "1,nan")
    assert "the smaller one first" in error_of(capfd, "plot", "s4", "--xlim", "3,1")
    assert "takes 2 numbers, not 3" in error_of(capfd, "plot", "s4", "--ylim", "1,2,3")
    assert os.listdir() == []


def test_demo(capfd):
    assert main(["demo"]) == 0
    output = capfd.readouterr().out
    for label in ("S3", "S3'", "S4", "S4'"):
        assert f"\n{label} " in output
    assert Path("s3s4-demo.png").read_bytes().startswith(b"\x89PNG")


def test_layer_of_the_demo():
    height = np.tile(np.arange(6.0), (5, 1))
    height[1] += 1
    x = dict(zip(_demo.DIRECTIONS, np.moveaxis(_demo.layer(height), -1, 0), strict=True))
    # Rows 2 to 4 rise towards the east alone, and row 1 is higher than those south of it.
    assert (x["E"][2] > x["SE"][2]).all()
    np.testing.assert_allclose(x["W"], -x["E"], atol=1e-12)
    np.testing.assert_allclose(x["N"][2], 0, atol=1e-12)
    assert (x["N"][1] > 0).all()


def test_demo_notices_a_difference(capfd, monkeypatch):
    few = _demo.heights()[:50, :50]
    monkeypatch.setattr(_demo, "heights", lambda: few)
    monkeypatch.setattr(_demo, "_s4_dx", lambda x: s3s4.s4.derivative(x) + 1e-12)
    assert main(["demo"]) == 1
    assert capfd.readouterr().err == "s3s4: values or derivatives differ from NumPy's\n"
