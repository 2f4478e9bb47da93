"""Letters and lines of every picture in the documentation can be seen, light and dark."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
pytestmark = pytest.mark.skipif(not (ROOT / "study").exists(), reason="the study is not here")
colors = pytest.importorskip("matplotlib.colors", reason="Matplotlib is not installed: [cli]")
WIDTH = 838
"""Pixels that a page has for a picture."""


@pytest.fixture
def load(monkeypatch):
    """Import a module from where it lies."""

    def module(folder, name):
        monkeypatch.syspath_prepend(ROOT / folder)
        monkeypatch.delitem(importlib.sys.modules, name, raising=False)
        return importlib.import_module(name)

    return module


def luminance(colour):
    """Of WCAG."""
    parts = np.array(colour[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(colour, ground, alpha=None):
    """Of a colour, which may let its ground through."""
    ink, under = np.array(colors.to_rgba(colour, alpha)), np.array(colors.to_rgba(ground))
    shown = ink[3] * ink[:3] + (1 - ink[3]) * under[:3]
    light, dark = sorted((luminance(shown), luminance(under)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def unseen(figure, most=WIDTH):
    """What of a picture is too small or too faint: letters, and lines that are no guides."""
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    inches = figure.get_figwidth()
    shown = min(most, inches * 96) / inches / 72  # pixels for each point
    for axes in figure.axes:
        axes.get_xticklabels(), axes.get_yticklabels()  # are there once they are asked for
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            ground = (text.axes or figure).get_facecolor()
            if text.get_fontsize() * shown < 8.99 or contrast(text.get_color(), ground) < 3:
                yield text
    for axes in figure.axes:
        guides = {*axes.get_xgridlines(), *axes.get_ygridlines()}
        for line in {*axes.findobj(Line2D)} - guides - {*axes.xaxis.findobj(Line2D)}:
            if line in {*axes.yaxis.findobj(Line2D)} or line.get_linewidth() < 1:
                continue
            if contrast(line.get_color(), axes.get_facecolor(), line.get_alpha()) < 3:
                yield line


def test_what_cannot_be_seen_is_found():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8))
    axes = figure.subplots()
    assert not list(unseen(figure))
    (faint,) = axes.plot([0, 1], color="#a6cee3")
    axes.plot([1, 0], color="#d7301f")
    small = axes.text(0, 0, "small", fontsize=8)
    pale = axes.text(0, 1, "pale", color="0.7")
    assert {*unseen(figure)} == {faint, small, pale}
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("dark", [False, True])
def test_curves(dark):
    from s3s4._command.figures import curves

    assert not list(unseen(curves(dark)))


def test_activations(load):
    """One of each kind: they differ in their data alone."""
    pictures = load("docs/site", "pictures")
    for theme in pictures.THEMES.values():
        with pictures.rc_context(theme.settings()):
            assert not list(unseen(pictures.single(theme, "s4")))


@pytest.mark.slow
def test_gallery(load):
    pictures = load("docs/site", "pictures")
    for theme in pictures.THEMES.values():
        with pictures.rc_context(theme.settings()):
            assert not list(unseen(pictures.gallery(theme)))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_performance(load, theme):
    picture = load("benchmarks", "picture")
    files = (ROOT / "benchmarks" / "results").glob("*.json")
    (content, *_) = [
        found["grid"]["content"]
        for found in map(json.loads, map(Path.read_text, files))
        if "grid" in found
    ]
    assert not list(unseen(picture.panels(content, "time an element", theme)))
    assert (DOCS / f"performance-{theme}.png").exists()


@pytest.mark.slow
def test_study(load):
    page, figures = load("study", "page"), load("study", "figures")
    for name in figures.DRAWN:
        for file, figure in figures.drawn(page.kept(), name):
            assert not list(unseen(figure)), file


def test_no_other_picture_is_kept():
    themes = ("light", "dark")
    study = ("forest", "steepness", "curves", "learnt", "gradients")
    assert {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.png")} == {
        "functions.png",
        *(f"performance-{theme}.png" for theme in themes),
        *(f"study/{name}-{theme}.png" for name in study for theme in themes),
    }
