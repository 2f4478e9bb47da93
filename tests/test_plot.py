"""What `plot` draws, beside the definitions; without Matplotlib it says so."""

import numpy as np
import pytest

import s3s4
from commandline import s4_by_definition
from s3s4._command.main import main
from support import python

figure = pytest.importorskip("matplotlib.figure", reason="Matplotlib is not installed: [cli]")


@pytest.fixture
def ax():
    return figure.Figure().subplots()


def curves(ax):
    return {line.get_label(): line.get_data() for line in ax.lines if line.get_label()[0] != "_"}


def test_values_and_derivatives(ax):
    assert s3s4.plot("gelu", s3s4.s4, k=[1, 5], xlim=(-2, 3), ax=ax) is ax
    found = curves(ax)
    assert list(found) == ["gelu", "s4, k = 1", "s4, k = 5"]
    for k in (1, 5):
        x, y = found[f"s4, k = {k}"]
        assert (x[0], x[-1]) == (-2, 3)
        np.testing.assert_allclose(y, s4_by_definition(x, k), atol=1e-14)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(found)
    other = figure.Figure().subplots()
    x, y = curves(s3s4.plot("tanh", derivative=True, ax=other))["tanh"]
    np.testing.assert_allclose(y, 1 - np.tanh(x) ** 2, atol=1e-14)


def test_rows_are_drawn_for_x_and_0(ax):
    found = curves(s3s4.plot("softmax", "log_softmax", ax=ax))
    x, y = found["softmax of (x, 0)"]
    sigmoid = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(y, sigmoid, atol=1e-14)
    np.testing.assert_allclose(found["log_softmax of (x, 0)"][1], np.log(sigmoid), atol=1e-13)
    other = figure.Figure().subplots()
    x, y = curves(s3s4.plot(s3s4.softmin, derivative=True, ax=other))["softmin of (x, 0)"]
    np.testing.assert_allclose(y, -sigmoid * (1 - sigmoid), atol=1e-14)


def test_the_command_draws_rows(monkeypatch):
    drawn = []
    monkeypatch.setattr("s3s4._command.main.save", lambda figure, output: drawn.append(figure))
    assert main(["plot", "Softmax", "relu", "--derivative"]) == 0
    values, slopes = drawn[0].axes
    assert list(curves(values)) == list(curves(slopes)) == ["softmax of (x, 0)", "relu"]


def test_many_curves_differ_and_have_their_names_outside(ax):
    numbers = np.arange(1, 9)
    s3s4.plot("s4", k=numbers, ax=ax)
    lines = [line for line in ax.lines if line.get_label()[0] != "_"]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(numbers)
    assert ax.get_legend()._loc_real == 2
    assert ax.get_legend().get_bbox_to_anchor().x0 >= ax.bbox.x1


def test_on_a_dark_ground_black_is_light(ax):
    ax.set_facecolor("#0d1117")
    assert s3s4.plot("relu", ax=ax).lines[0].get_color() != "black"


@pytest.mark.parametrize(
    ("given", "named", "kind", "why"),
    [
        ([], {}, ValueError, "activations must name at least one"),
        (["misch"], {}, ValueError, "did you mean mish"),
        ([np.tanh], {}, TypeError, "activations must be names or activations, not ufunc"),
        (["relu", "tanh"], {"k": 2}, TypeError, "k is no parameter of relu, tanh"),
        (["s4"], {"k": "two"}, TypeError, "k must be a number or several"),
        (["s4"], {"xlim": (2, 1)}, ValueError, "xlim must be two finite numbers in order"),
        (["s4"], {"xlim": (0, np.inf)}, ValueError, "xlim must be two finite numbers in order"),
    ],
)
def test_mistakes_draw_nothing(ax, given, named, kind, why):
    with pytest.raises(kind, match=why):
        s3s4.plot(*given, ax=ax, **named)
    assert not ax.lines


def test_axes_are_pyplots_and_imported_late():
    done = python(
        "import sys, s3s4\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib; matplotlib.use('Agg')\n"
        "ax = s3s4.plot('relu')\n"
        "from matplotlib import pyplot\n"
        "print(ax is pyplot.gca())"
    )
    assert done.stdout == "True\n"


def test_without_matplotlib():
    done = python(
        "import sys, s3s4\n"
        "sys.modules['matplotlib'] = None\n"
        "try:\n    s3s4.plot('relu')\nexcept ImportError as error:\n    print(error)"
    )
    assert done.stdout.startswith("s3s4.plot needs Matplotlib: pip install '.[cli]'")
