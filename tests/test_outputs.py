"""The memory of large new outputs, kept for the next ones: whose, how much, and until when."""

import gc
import os
import threading

import numpy as np
import pytest

import s3s4
from s3s4 import _outputs
from support import python

get_handler_name = pytest.importorskip("numpy._core.multiarray").get_handler_name
X = np.linspace(-8, 8, 1 << 18)
WANTED = s3s4.s4(X)
MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def reused():
    s3s4.reuse_outputs(64 * MEBIBYTE)
    yield
    s3s4.reuse_outputs(0)


CALLS = {
    "contiguous": lambda: s3s4.s4(X),
    "transposed": lambda: s3s4.s4(X.reshape(512, -1).T),
    "broadcast": lambda: s3s4.s4(X.reshape(512, -1), np.arange(1.0, 513)),
    "derivative": lambda: s3s4.s4.derivative(X, 2.0),
    "value and derivative": lambda: s3s4.s4.value_and_derivative(X)[1],
    "backward": lambda: s3s4.s4.backward(X, X)[0],
    "rows": lambda: s3s4.softmax(X.reshape(512, -1)),
    "rows, backward": lambda: s3s4.softmax.backward(X.reshape(512, -1), X.reshape(512, -1), 0),
    "rows of every second": lambda: s3s4.softmax(np.concatenate([X, X]).reshape(512, -1)[:, ::2]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_memory_of_an_output_serves_the_next_one(call):
    first = call()
    assert get_handler_name(first) == "s3s4_reused_outputs"
    wanted = first.copy()
    del first
    held = _outputs.held()
    assert held >= X.nbytes
    again = call()
    assert _outputs.held() < held
    np.testing.assert_array_equal(again, wanted)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_is_kept_unless_asked_for(call):
    s3s4.reuse_outputs(0)
    assert get_handler_name(call()) == get_handler_name(np.empty(3)) == "default_allocator"
    assert _outputs.held() == 0


def test_arrays_in_use_share_no_memory():
    outputs = [s3s4.s4(X) for _ in range(9)]
    views = [output[5:] for output in outputs]
    del outputs
    gc.collect()
    more = [s3s4.s3(X) for _ in range(9)]
    for view in views:
        np.testing.assert_array_equal(view, WANTED[5:])
        assert not any(np.shares_memory(view, one) for one in more)


def test_other_arrays_are_never_concerned():
    class Foreign(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **options):
            made.append(np.empty(X.size))
            return np.zeros(3)

    made = [np.empty(X.size)]
    s3s4.s4(X.view(Foreign))
    s3s4.s4(X, np.ones(X.size).view(Foreign))
    s3s4.s4(X, out=made[0])
    s3s4.s4(X[:100])
    made += [np.exp(X), s3s4.s4(X[:100])]
    assert {get_handler_name(array) for array in made} == {"default_allocator"}
    assert len(made) == 5


@pytest.mark.parametrize("count", [1, 3, 9])
def test_never_more_is_kept_than_told(count):
    s3s4.reuse_outputs(5 * MEBIBYTE)
    outputs = [s3s4.s4(X) for _ in range(count)]
    assert _outputs.held() == 0
    while outputs:
        outputs.pop()
        assert _outputs.held() <= 5 * MEBIBYTE
    assert _outputs.held() >= X.nbytes
    large = s3s4.s4(np.zeros(MEBIBYTE))
    del large
    assert _outputs.held() <= 5 * MEBIBYTE
    s3s4.reuse_outputs(5 * MEBIBYTE)
    assert _outputs.held() == 0


def test_an_output_outlives_the_choice():
    output = s3s4.s4(X)
    s3s4.reuse_outputs(0)
    np.testing.assert_array_equal(output, WANTED)
    del output
    assert _outputs.held() == 0


def test_an_output_is_resized_in_place():
    output = s3s4.s4(X)
    for size in (X.size + 5, 3 * X.size, 100):
        output.resize(size, refcheck=False)
        kept = min(size, X.size)
        np.testing.assert_array_equal(output[:kept], WANTED[:kept])
        assert not output[X.size :].any()


def test_threads_take_and_give_at_once():
    wrong = []

    def work():
        for _ in range(50):
            outputs = [s3s4.s4(X), s3s4.s4(X)]
            if not all(np.array_equal(output, WANTED) for output in outputs):
                wrong.append(outputs)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert _outputs.held() <= 64 * MEBIBYTE


FORK = """
import os, numpy as np, s3s4
from s3s4 import _outputs
s3s4.reuse_outputs(64 << 20)
x = np.linspace(-8, 8, 1 << 18)
y = s3s4.s4(x)
kept = s3s4.s4(x)
del kept
child = os.fork()
if not child:
    right = _outputs.held() == 0 and np.array_equal(s3s4.s4(x), y)
    del y
    os._exit(not (right and _outputs.held() > 0))
print(os.waitpid(child, 0)[1], _outputs.held() > 0, np.array_equal(s3s4.s4(x), y))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_begins_with_nothing_kept():
    assert python(FORK).stdout.split() == ["0", "True", "True"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [(-1, ValueError), (1 << 62, ValueError), (1e6, TypeError), (True, TypeError)],
)
def test_a_wrong_number_is_refused_by_name(wrong, error):
    with pytest.raises(error, match="max_bytes"):
        s3s4.reuse_outputs(wrong)
