"""Critical initialisation in PyTorch and Keras: gradients keep their norm, as s3s4's own does."""

import json
import math
import os

import numpy as np
import pytest

import s3s4

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:keras"),
]
WIDTH, DEPTH = 400, 12


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")


@pytest.fixture
def st(torch):
    import s3s4.torch

    return s3s4.torch


@pytest.fixture
def sk():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    reason = "Keras or its backend is not installed: they are in [frameworks]"
    pytest.importorskip(os.environ["KERAS_BACKEND"], reason=reason)
    pytest.importorskip("keras", reason=reason)
    import s3s4.keras

    return s3s4.keras


@pytest.mark.parametrize(("name", "k"), [("S4", 5.0), ("S4", 1.0), ("S3", None), ("ReLU", None)])
def test_gradients_keep_their_norm_in_pytorch(torch, st, name, k):
    found = []
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        neurons = getattr(st, name)(*([] if k is None else [k]))
        h = torch.randn(16, WIDTH, generator=generator)
        before, sums = None, []
        for _ in range(DEPTH):
            layer = torch.nn.Linear(WIDTH, WIDTH)
            assert st.init.critical_(layer, before, generator=generator) is layer
            z = layer(h)
            z.retain_grad()
            sums.append(z)
            h, before = neurons(z), neurons
        h.backward(torch.randn(h.shape, generator=generator))
        first, last = (float(sums[place].grad.norm()) for place in (2, DEPTH - 3))
        found.append((first / last) ** (1 / (DEPTH - 5)))
    assert math.exp(np.mean(np.log(found))) == pytest.approx(1, abs=0.03)


def test_moments_of_pytorchs_layers(torch, st):
    gain, bias_mean, bias_variance = s3s4.critical_init("s4", 2.0)
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Conv2d(64, 256, 3)
    st.init.critical_(layer, "s4", 2.0, generator=generator)
    weight = layer.weight.detach().double()
    assert float(weight.std()) == pytest.approx(gain / 24, rel=0.01)
    rest = layer.bias.detach().double() - bias_mean * weight.flatten(1).sum(1)
    assert float(rest.std()) == pytest.approx(math.sqrt(bias_variance), rel=0.15)
    first = st.init.critical_(torch.nn.Linear(400, 400), None)
    assert not first.bias.any()
    assert float(first.weight.detach().std()) == pytest.approx(1 / 20, rel=0.02)
    # The gradient of k is none of an initialisation's.
    assert st.init.critical_(torch.nn.Linear(8, 8), st.S4(k=2.0)).weight.requires_grad


def test_what_is_wrong_is_named_in_pytorch(torch, st):
    layer = torch.nn.Linear(8, 8)
    with pytest.raises(TypeError, match="layer must be one of Linear, Conv1d"):
        st.init.critical_(torch.nn.ReLU(), "s4")
    with pytest.raises(TypeError, match=r"activation must be a name or a module of s3s4\.torch"):
        st.init.critical_(layer, torch.nn.ReLU())
    with pytest.raises(ValueError, match="layer must have a bias after s4"):
        st.init.critical_(torch.nn.Linear(8, 8, bias=False), "s4")
    neurons = st.S4(num_parameters=8)
    st.init.critical_(layer, neurons)
    before = layer.weight.clone()
    with torch.no_grad():
        neurons.k[3] = 1.0
    with pytest.raises(ValueError, match="parameters of s4 must be the same in all channels"):
        st.init.critical_(layer, neurons)
    with pytest.raises(ValueError, match="name must be that of an activation"):
        st.init.critical_(layer, "no_such")
    assert torch.equal(layer.weight, before)


def test_signals_keep_their_moments_in_keras(sk):
    """A layer gives variance 1 and mean 0 again, and gradients keep their gain."""
    import keras
    from keras import ops

    init = sk.Critical("s4", 5.0, seed=0)
    x = np.random.default_rng(0).standard_normal((16, WIDTH)).astype("float32")
    for _ in range(DEPTH):
        init.seed += 2
        dense = keras.layers.Dense(WIDTH, kernel_initializer=init, bias_initializer=init)
        h = dense(sk.s4(x, 5.0))
        weights = ops.convert_to_numpy(dense.kernel)
        np.testing.assert_allclose(weights.sum(0), 0, atol=1e-4)
        assert weights.std() == pytest.approx(init.gain / math.sqrt(WIDTH), rel=0.02)
        x = ops.convert_to_numpy(h)
        assert abs(x.mean()) < 0.2
    assert x.var() == pytest.approx(1, abs=0.25)


def test_a_kernel_of_keras_is_saved_and_made_again(sk):
    import keras

    init = sk.Critical("s4", 2.0, seed=3)
    again = keras.initializers.deserialize(
        json.loads(json.dumps(keras.initializers.serialize(init)))
    )
    for shape in ((8, 4), (3, 3, 2, 4), (5,)):
        one, other = (keras.ops.convert_to_numpy(each(shape)) for each in (init, again))
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="one input"):
        init((1, 4))
    with pytest.raises(ValueError, match="name must be that of an activation"):
        sk.Critical("no_such")
