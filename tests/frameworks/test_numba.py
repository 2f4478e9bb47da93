"""Activations inside of functions that Numba compiles: the same bits as outside."""

import numpy as np
import pytest

import s3s4
from support import ELEMENTWISE, assert_same_bits, python

numba = pytest.importorskip("numba", reason="Numba is not installed: it is in [frameworks]")

pytestmark = pytest.mark.frameworks
X = np.linspace(-9, 9, 61)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_arrays_and_scalars(name):
    activation = ELEMENTWISE[name]
    compiled = numba.njit(lambda x: activation(x))
    for x in (X, X.astype("f4")):
        assert_same_bits(compiled(x), activation(x))
    assert compiled(0.75) == activation(0.75)


def test_parameters_by_position_and_name():
    @numba.njit
    def layer(x, k):
        return s3s4.s4(x, k) + s3s4.rational_softsign(x, b=2.0) + s3s4.gelu(x)

    k = np.linspace(0.5, 5, 61)
    for given in (2.0, 2, k):
        expected = s3s4.s4(X, given) + s3s4.rational_softsign(X, b=2.0) + s3s4.gelu(X)
        assert_same_bits(layer(X, given), expected)
    assert_same_bits(numba.njit(lambda x, k: s3s4.s4(x, k))(X[:, None], k), s3s4.s4(X[:, None], k))


def test_types_are_numpys():
    call = numba.njit(lambda x, k: s3s4.s4(x, k))
    single = X.astype("f4")
    assert call(single, 2.0).dtype == call(single, k=X.astype("f4")).dtype == np.float32
    assert call(single, X).dtype == call(np.arange(3), 2.0).dtype == np.float64


def test_prange_takes_scalars():
    @numba.njit(parallel=True)
    def everywhere(x):
        out = np.empty_like(x)
        for i in numba.prange(x.size):
            out[i] = s3s4.s4(x[i], 2.0)
        return out

    assert_same_bits(everywhere(X), s3s4.s4(X, 2.0))


def test_an_unknown_parameter_is_an_error():
    with pytest.raises(numba.TypingError):
        numba.njit(lambda x: s3s4.s4(x, beta=2.0))(1.0)


def test_numba_is_not_loaded_by_the_package():
    python("import sys, s3s4; assert 'numba' not in sys.modules")
    python("import numba, s3s4; assert numba.njit(lambda x: s3s4.s4(x))(1.0) == s3s4.s4(1.0)")
