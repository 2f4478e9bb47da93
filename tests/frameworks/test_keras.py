"""s3s4.keras: functions and layers, fitted, saved and loaded, on each backend of Keras.

# Design:
# - A process has one backend: this file is run with JAX, and by its last test with the others.
# - Derivatives are compared with the oracle; values of layers with s3s4's kernels.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import oracle
import s3s4
from slopes import CASES, X, exact, exact_second
from support import ELEMENTWISE, python

os.environ.setdefault("KERAS_BACKEND", "jax")
BACKEND = os.environ["KERAS_BACKEND"]
pytest.importorskip("keras", reason="Keras is not installed: it is in [frameworks]")
pytest.importorskip(BACKEND, reason=f"{BACKEND} is not installed")

import keras
from keras import layers, ops

import s3s4.keras as sk

pytestmark = [
    pytest.mark.frameworks,
    # What Keras and its backends warn of within themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:keras"),
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
]
INPUTS = np.random.default_rng(0).normal(size=(64, 8)).astype("float32") * 2
TARGETS = np.random.default_rng(1).normal(size=(64, 1)).astype("float32")


def gradients(function, given, order=1):
    """The gradients of a sum by each argument; of the second order, by the first alone."""
    if BACKEND == "jax":
        import jax

        if order == 2:
            slope = jax.grad(lambda x: function(x, *given[1:]).sum())
            return jax.grad(lambda x: slope(x).sum())(given[0])
        return jax.grad(lambda *given: function(*given).sum(), tuple(range(len(given))))(*given)
    if BACKEND == "torch":
        import torch

        leaves = [torch.tensor(one, requires_grad=True) for one in given]
        total = function(*leaves).sum()
        found = torch.autograd.grad(total, leaves, create_graph=order == 2)
        if order == 2:
            found = torch.autograd.grad(found[0].sum(), leaves[0])
            return found[0].numpy()
        return [one.numpy() for one in found]
    import tensorflow as tf

    leaves = [tf.constant(one) for one in given]
    with tf.GradientTape() as outer:
        outer.watch(leaves)
        with tf.GradientTape() as inner:
            inner.watch(leaves)
            total = tf.reduce_sum(function(*leaves))
        found = inner.gradient(total, leaves)
    if order == 2:
        return outer.gradient(found[0], leaves[0]).numpy()
    return [one.numpy() for one in found]


@pytest.fixture
def _in_double():
    if BACKEND == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        yield
        jax.config.update("jax_enable_x64", False)
    else:
        yield


@pytest.mark.usefixtures("_in_double")
@pytest.mark.parametrize(("name", "values"), CASES)
def test_values_and_gradients(name, values):
    function, x = getattr(sk, name), np.array(X)
    given = [x, *map(np.array, values)]
    # On JAX, Keras computes sines of float64 in float32.
    is_single = name == "snake" and BACKEND == "jax"
    close = {"rtol": 1e-6, "atol": 1e-6} if is_single else {"rtol": 1e-11, "atol": 1e-13}
    value = ops.convert_to_numpy(function(*given))
    np.testing.assert_allclose(value, exact(name, None, values), **close)
    slopes = [exact(name, wrt, values) for wrt in oracle.inputs(name)]
    for found, slope, one in zip(gradients(function, given), slopes, given, strict=True):
        np.testing.assert_allclose(found, slope if one is x else slope.sum(), **close)


@pytest.mark.usefixtures("_in_double")
@pytest.mark.parametrize("name", ["s4", "sigmoid", "gelu", "swish", "s3_smooth"])
def test_second_derivatives_by_x(name):
    values = tuple(ELEMENTWISE[name].parameters.values())
    found = gradients(getattr(sk, name), [np.array(X), *map(np.array, values)], order=2)
    np.testing.assert_allclose(found, exact_second(name, values), rtol=1e-11, atol=1e-12)


def test_parameters_broadcast_and_have_gradients_of_their_shape():
    k = np.linspace(0.5, 5, 8).astype("float32")
    expected = s3s4.s4.backward(np.ones(INPUTS.shape), INPUTS.astype(float), k.astype(float))
    for found, wanted in zip(gradients(sk.s4, [INPUTS, k]), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    x, k = INPUTS[:, :1], k[:, None, None]
    found = gradients(sk.s4, [x, k])
    assert [one.shape for one in found] == [x.shape, k.shape]


def test_ends_and_dtypes():
    in_double = ops.convert_to_numpy(sk.leaky_relu(ops.cast([-1.0], "float64"), 0.1))
    assert in_double[0] == -0.1 or BACKEND == "jax"  # which has no float64 unless asked
    ends = np.array([np.inf, -np.inf, np.nan, 0.0], "float32")
    for name, activation in ELEMENTWISE.items():
        found = ops.convert_to_numpy(getattr(sk, name)(ends))
        np.testing.assert_allclose(found, activation(ends), rtol=1e-6)
    assert keras.backend.standardize_dtype(sk.s4(np.arange(3)).dtype) == "float32"
    half = sk.s4(ops.cast(INPUTS, "bfloat16"), 2.0)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    found = ops.convert_to_numpy(ops.cast(half, "float32"))
    np.testing.assert_allclose(found, s3s4.s4(INPUTS, 2.0), atol=0.02)


# --- Models ---------------------------------------------------------------------------------------


def model():
    sk.register_names()
    inputs = keras.Input((8,))
    x = layers.Dense(16, activation="s4")(inputs)
    x = sk.S4(k=2.0, shared_axes=[1], k_constraint="non_neg", k_regularizer="l2")(x)
    x = layers.Dense(16, activation=sk.threshold)(x) + sk.pss(x, 3.0)
    x = sk.RationalSoftsign(a=1.5)(sk.S3Smooth(shared_axes=1)(x))
    x = sk.PSS(alpha=1.5, alpha_initializer="ones")(sk.S3()(layers.Dense(4)(x)))
    return keras.Model(inputs, layers.Dense(1)(x))


def test_fitted_saved_and_loaded_in_a_fresh_process(tmp_path):
    net = model()
    net.compile("adam", "mse")
    net.fit(INPUTS, TARGETS, epochs=2, verbose=0)
    weights = {one.path: ops.convert_to_numpy(one) for one in net.trainable_variables}
    (k,) = [value for path, value in weights.items() if path.endswith("s4/k")]
    assert k.shape == (1,)
    assert k[0] != 2.0
    net.save(tmp_path / "net.keras")
    np.save(tmp_path / "x.npy", INPUTS)
    net.save_weights(tmp_path / "net.weights.h5")
    (tmp_path / "net.json").write_text(net.to_json())
    python(
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "import keras, numpy, s3s4.keras\n"
        "net = keras.models.load_model('net.keras')\n"
        "other = keras.models.model_from_json(open('net.json').read())\n"
        "other.load_weights('net.weights.h5')\n"
        "copied = keras.models.clone_model(net)\n"
        "copied.set_weights(net.get_weights())\n"
        "x = numpy.load('x.npy')\n"
        "numpy.save('y.npy', [one.predict(x, verbose=0) for one in (net, other, copied)])",
        KERAS_BACKEND=BACKEND,
        TF_CPP_MIN_LOG_LEVEL="3",
        timeout=240,
    )
    expected = net.predict(INPUTS, verbose=0)
    for found in np.load(tmp_path / "y.npy"):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="Inductor takes minutes to compile Keras's training")
def test_compiled_training_is_the_same():
    losses = []
    for jit in (False, True):
        keras.utils.set_random_seed(0)
        net = model()
        net.compile("sgd", "mse", jit_compile=jit)
        losses += net.fit(INPUTS, TARGETS, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(losses[:2], losses[2:], rtol=1e-5)


def test_initializers_regularizers_and_constraints_act():
    target = s3s4.s4(INPUTS, np.float32(-1))
    ends = []
    for constraint in (None, "non_neg"):
        layer = sk.S4(
            k_initializer=keras.initializers.Constant(3.0),
            k_regularizer=keras.regularizers.L2(0.5),
            k_constraint=constraint,
            shared_axes=[1],
        )
        net = keras.Sequential([keras.Input((8,)), layer])
        y = net.predict(INPUTS, verbose=0)
        np.testing.assert_allclose(y, s3s4.s4(INPUTS, np.float32(3)), rtol=1e-5, atol=1e-6)
        assert float(ops.convert_to_numpy(layer.losses[0])) == 0.5 * 3.0**2
        net.compile(keras.optimizers.SGD(1e3), "mse")
        net.fit(INPUTS, target, batch_size=64, epochs=1, verbose=0)
        ends.append(float(ops.convert_to_numpy(layer.k)[0]))
    assert ends[0] < 0
    assert ends[1] == 0


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        net = model()
        net.compile("sgd", "mse")
        losses = net.fit(INPUTS, TARGETS, epochs=1, verbose=0).history["loss"]
        assert np.all(np.isfinite(losses))
        layer = sk.S4(k=2.3, shared_axes=[1])
        y = layer(ops.cast(INPUTS, layer.compute_dtype))
        assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
        assert keras.backend.standardize_dtype(layer.k.dtype) == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_parameters_are_shared_as_those_of_prelu():
    x = np.ones((2, 5, 6, 3), "float32")
    for shared in (None, [1, 2], 3):
        ours, theirs = sk.S4(shared_axes=shared), layers.PReLU(shared_axes=shared)
        assert ours(x).shape == theirs(x).shape
        assert tuple(ours.k.shape) == tuple(theirs.alpha.shape)
        assert ours.get_config()["shared_axes"] == theirs.get_config()["shared_axes"]
    assert sk.S4(shared_axes=[1, 2])(keras.Input((None, None, 3))).shape == (None, None, None, 3)
    with pytest.raises(ValueError, match=r"S4 needs to know the shape .* or shared_axes=\[1\]"):
        sk.S4()(keras.Input((None, 3)))


def test_what_is_not_learnt():
    layer = sk.S4(k=2.0, shared_axes=[1], trainable=False)
    found = ops.convert_to_numpy(layer(INPUTS))
    np.testing.assert_allclose(found, s3s4.s4(INPUTS, 2.0), rtol=1e-6)
    assert not layer.trainable_variables
    assert layer.get_config()["k"] == 2.0


@pytest.mark.parametrize(
    "title", [one for one in sk.__all__ if one[0].isupper() and one != "Critical"]
)
def test_every_layer_is_made_again_from_its_configuration(title):
    layer = getattr(sk, title)()
    again = getattr(sk, title).from_config(json.loads(json.dumps(layer.get_config())))
    values = list(ELEMENTWISE[layer.activation].parameters.values())
    expected = ELEMENTWISE[layer.activation](INPUTS, *values)
    for one in (layer, again):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one(INPUTS)), expected, rtol=1e-5, atol=1e-6
        )


def test_names_of_keras_stay_its_own():
    sk.register_names()
    assert keras.activations.get("s4") is sk.s4
    assert keras.activations.get("relu") is keras.activations.relu
    layer = layers.Dense(3, activation=sk.threshold)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.activation is sk.threshold


def test_keras_is_loaded_by_its_module_alone():
    missing = python("import sys; sys.modules['keras'] = None; import s3s4.keras", check=False)
    assert "s3s4.keras needs Keras >= 3.8 and the backend it is set to, of which" in missing.stderr
    assert "keras is not installed: pip install '.[keras]'" in missing.stderr
    old = python("import keras; keras.__version__ = '3.7.0'; import s3s4.keras", check=False)
    last = old.stderr.strip().splitlines()[-1]
    assert last == "ImportError: s3s4.keras needs Keras >= 3.8, not 3.7.0"
    with pytest.raises(TypeError, match="x must be real"):
        sk.s4(np.ones(3, complex))


@pytest.mark.skipif(BACKEND != "jax", reason="it is this one that the test is about")
@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_other_backends(backend):
    pytest.importorskip(backend, reason=f"{backend} is not installed")
    options = ["-q", "-m", "frameworks", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *options],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
