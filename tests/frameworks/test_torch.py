"""s3s4.torch: values and derivatives of every order, in every way that PyTorch takes them.

# Design:
# - What is right is the oracle's, in 50 digits from the definitions; second derivatives are
#   differences of its slopes. At 0 they are those of one side: the one that the formula takes.
# - WAYS are the ways to a first derivative, eager and compiled. None may be silently wrong.
"""

import copy
import io
import pickle
import re
import threading
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

import oracle
import s3s4
from slopes import CASES, X, exact, exact_second
from support import ELEMENTWISE, python

torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")

from functorch.compile import make_boxed_func
from torch import nn
from torch._dynamo.backends.common import aot_autograd
from torch.autograd import gradcheck, gradgradcheck

import s3s4.torch as st

# What PyTorch warns of within itself.
pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:.torch.jit.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]
NAMES = list(ELEMENTWISE)
ROUGH = {"s3", "relu", "relu6", "leaky_relu", "prelu", "rrelu", "hardtanh", "hardsigmoid"} | {
    "hardswish", "softshrink", "hardshrink", "threshold", "elu", "celu", "selu", "s3_smooth",
}  # fmt: skip
"""Their first derivative jumps somewhere."""


TRANSFORMED = {"s4", "s3", "s3_smooth", "prelu", "rational_softsign", "gelu"}
"""Compiled under every transform: how is the same for all, and tracing takes a second each."""


def tensors(values, dtype=torch.float64):
    return [torch.tensor(value, dtype=dtype) for value in values]


def assert_close(found, expected, rtol=1e-11, atol=1e-13):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=atol)


# --- First derivatives, in every way --------------------------------------------------------------


def backward(f, x, parameters):
    leaves = [one.clone().requires_grad_() for one in (x, *parameters)]
    f(*leaves).sum().backward()
    return [one.grad for one in leaves]


def func_grad(f, x, parameters):
    where = tuple(range(1 + len(parameters)))
    return torch.func.grad(lambda *given: f(*given).sum(), where)(x, *parameters)


def vmap_grad(f, x, parameters):
    where = tuple(range(1 + len(parameters)))
    inner = torch.func.grad(lambda *given: f(*given), where)
    found = torch.func.vmap(inner, (0, *[None] * len(parameters)))(x, *parameters)
    return [found[0], *(one.sum() for one in found[1:])]


def func_jvp(f, x, parameters):
    return [torch.func.jvp(lambda x: f(x, *parameters), (x,), (torch.ones_like(x),))[1]]


def dual(f, x, parameters):
    with torch.autograd.forward_ad.dual_level():
        y = f(torch.autograd.forward_ad.make_dual(x, torch.ones_like(x)), *parameters)
        return [torch.autograd.forward_ad.unpack_dual(y).tangent]


def jacrev(f, x, parameters):
    return [torch.func.jacrev(lambda x: f(x, *parameters))(x).diagonal()]


def create_graph(f, x, parameters):
    leaves = [one.clone().requires_grad_() for one in (x, *parameters)]
    return torch.autograd.grad(f(*leaves).sum(), leaves, create_graph=True)


WAYS = (backward, func_grad, vmap_grad, func_jvp, dual, jacrev, create_graph)


@pytest.mark.parametrize(("name", "values"), CASES)
def test_every_first_derivative(name, values):
    function = getattr(st, name)
    x, parameters = torch.tensor(X, dtype=torch.float64), tensors(values)
    assert_close(function(x, *parameters), exact(name, None, values))
    slopes = [exact(name, wrt, values) for wrt in oracle.inputs(name)]
    expected = [slopes[0], *(np.sum(slope) for slope in slopes[1:])]
    for way in WAYS:
        for found, wanted in zip(way(function, x, parameters), expected, strict=False):
            assert_close(found, wanted)


@pytest.mark.parametrize(("name", "values"), dict(CASES).items())
def test_compiled_and_transformed(name, values):
    """Traced and differentiated by AOTAutograd; Inductor only makes code of what comes out.

    Of each activation the last parameters, which are the unusual ones.
    """
    function = getattr(st, name)
    x, parameters = torch.tensor(X, dtype=torch.float64), tensors(values)
    slopes = [exact(name, wrt, values) for wrt in oracle.inputs(name)]
    expected = [slopes[0], *(np.sum(slope) for slope in slopes[1:])]

    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for found, wanted in zip(backward(compiled, x, parameters), expected, strict=True):
        assert_close(found, wanted)

    taken = (func_grad, vmap_grad, func_jvp) if name in TRANSFORMED else (func_grad,)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def transformed(x, *parameters):
        ways = [way(function, x, parameters) for way in taken]
        return function(x, *parameters), ways

    value, ways = transformed(x, *parameters)
    assert_close(value, exact(name, None, values))
    for way in ways:
        for found, wanted in zip(way, expected, strict=False):
            assert_close(found, wanted)


@pytest.mark.parametrize(("name", "values"), CASES)
def test_second_derivatives(name, values):
    function = getattr(st, name)
    x, parameters = torch.tensor(X, dtype=torch.float64), tensors(values)
    expected = exact_second(name, values)
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(leaf, *parameters).sum(), leaf, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), leaf)
    assert_close(bend, expected, atol=1e-12)

    def total(x):
        return function(x, *parameters).sum()

    twice = torch.func.grad(lambda x: torch.func.grad(total)(x).sum())(x)
    assert_close(twice, expected, atol=1e-12)
    assert_close(torch.func.hessian(total)(x).diagonal(), expected, atol=1e-12)


# --- What PyTorch's own checks say ----------------------------------------------------------------

SMOOTH = [case for case in CASES if case[0] not in ROUGH | {"softplus"}]


@pytest.mark.parametrize(("name", "values"), SMOOTH)
def test_gradcheck_and_gradgradcheck(name, values):
    function = getattr(st, name)
    x = torch.tensor([[-3.1, -0.4], [0.7, 2.6]], dtype=torch.float64, requires_grad=True)
    parameters = [torch.full((2,), v, dtype=torch.float64, requires_grad=True) for v in values]
    assert gradcheck(function, (x, *parameters), check_forward_ad=True)
    assert gradgradcheck(function, (x, *parameters))


@pytest.mark.parametrize("name", ["s4", "gelu", "rational_softsign", "s3_smooth"])
def test_opcheck(name):
    values = [torch.tensor(v) for v in ELEMENTWISE[name].parameters.values()]
    x = torch.randn(3, 4)
    for given in ((x, *values), (x.clone().requires_grad_(), *values)):
        results = torch.library.opcheck(getattr(torch.ops.s3s4, name).default, given)
        assert set(results.values()) == {"SUCCESS"}
    operator = getattr(torch.ops.s3s4, f"{name}_backward").default
    assert set(torch.library.opcheck(operator, (x, x, *values)).values()) == {"SUCCESS"}


def test_third_derivative():
    x = torch.tensor([0.5, -2.0], dtype=torch.float64, requires_grad=True)
    y = st.s4(x, 2.0)
    for _ in range(3):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)

    def definition(x):
        a, s = (1 / (1 + mp.exp(-t)) for t in (2 * x, x))
        return a * x / (1 + abs(x)) + (1 - a) * s

    with mp.workdps(50):
        expected = [float(mp.diff(definition, t, 3)) for t in (0.5, -2.0)]
    assert_close(y, np.array(expected))


# --- Compilers and exporters ----------------------------------------------------------------------


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), st.S4(2.0, num_parameters=16), nn.Linear(16, 1))


def test_compiled_by_inductor():
    torch._dynamo.reset()
    plain, compiled = model(), model()
    x = torch.randn(5, 8)
    y = torch.compile(compiled, fullgraph=True)(x)
    torch.testing.assert_close(y, plain(x))
    y.sum().backward()
    plain(x).sum().backward()
    for ours, theirs in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_compiler_gets_plain_operations():
    """What it can fuse: no operator of this package, forward or backward."""
    found = set()

    def keep(graph, _):
        found.update(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return make_boxed_func(graph.forward)

    torch._dynamo.reset()
    backend = aot_autograd(fw_compiler=keep, bw_compiler=keep)
    x = torch.ones(5, requires_grad=True)
    torch.compile(st.s4, backend=backend)(x, torch.tensor(2.0)).sum().backward()
    assert "aten.sigmoid.default" in found
    assert all(name.startswith("aten.") for name in found)


def test_few_graphs_and_no_break():
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    compiled = torch.compile(lambda x, k: st.s4(x, k), fullgraph=True, backend="aot_eager")
    for rows in range(5, 11):
        compiled(torch.randn(rows, 3), torch.tensor(2.0))
    assert counters["stats"]["unique_graphs"] <= 2
    assert not counters["graph_break"]


def test_exported_as_plain_operations(tmp_path):
    x = torch.randn(7, 8)
    rows = {0: torch.export.Dim("rows")}
    program = torch.export.export(model(), (torch.randn(5, 8),), dynamic_shapes=(rows,))
    calls = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert all(call.startswith("aten.") for call in calls)
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    torch.testing.assert_close(loaded(x), model()(x))


def test_traced_and_symbolically_traced():
    x = torch.randn(5, 8)
    for made in (torch.jit.trace(model(), torch.randn(5, 8)), torch.fx.symbolic_trace(model())):
        torch.testing.assert_close(made(x), model()(x))


@pytest.mark.parametrize("title", ["S4", "PReLU", "Snake", "ReLU"])
def test_a_module_with_its_defaults_is_symbolically_traced(title):
    layers = torch.nn.Sequential(torch.nn.Linear(8, 8), getattr(st, title)())
    traced = torch.fx.symbolic_trace(layers)
    for x in (torch.randn(5, 8), torch.randn(8)):
        torch.testing.assert_close(traced(x), layers(x))


def test_tensors_of_several_devices_are_refused():
    x, k = torch.linspace(-2, 2, 5, requires_grad=True), torch.ones(5, device="meta")
    for call in (
        lambda: st.S4(device="meta")(x),
        lambda: st.s4(x, k),
        lambda: torch.ops.s3s4.s4(x, k),
        lambda: torch.ops.s3s4.s4_backward(x, x, k),
        lambda: torch.func.vmap(st.s4)(x, k),
    ):
        with pytest.raises(RuntimeError, match=r"(same|expected) device"):
            call()
    assert st.s4(torch.ones(5, device="meta"), torch.tensor(5.0)).device.type == "meta"


# --- Modules --------------------------------------------------------------------------------------

MODULES = [name for name in st.__all__ if name[0].isupper()]


@pytest.mark.parametrize("title", MODULES)
def test_every_module(title):
    made = getattr(st, title)()
    x = torch.randn(4, 3, requires_grad=True)
    y = made.eval()(x)
    y.sum().backward()
    assert y.shape == x.grad.shape
    for parameter in made.parameters():
        assert parameter.shape == (1,)
        assert parameter.grad.shape == (1,)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(other(x), y)
        assert repr(other) == repr(made)


THEIRS = [title for title in MODULES if hasattr(nn, title) and title != "Threshold"]


@pytest.mark.parametrize("title", THEIRS)
def test_modules_that_pytorch_has_too(title):
    """The same calls, state and values."""
    ours, theirs = getattr(st, title)().eval(), getattr(nn, title)().eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.linspace(-4, 4, 24).view(2, 3, 4)
    torch.testing.assert_close(ours(x), theirs(x))
    name = {"ReLU": "relu", "ReLU6": "relu6"}.get(title)
    if title in ("LeakyReLU", "ELU", "CELU", "Hardtanh"):
        first = {"Hardtanh": -0.5}.get(title, 0.3)
        torch.testing.assert_close(getattr(st, title)(first)(x), getattr(nn, title)(first)(x))
    if name:
        y = x.clone()
        getattr(st, title)(inplace=True)(y)
        torch.testing.assert_close(y, theirs(x))


def test_a_parameter_per_channel():
    made = st.S4(2.0, num_parameters=3)
    assert repr(made) == "S4(k=2.0, num_parameters=3)"
    with torch.no_grad():
        made.k.copy_(torch.tensor([1.0, 2.0, 3.0]))
    x = torch.randn(2, 3, 4, 5)
    for channel in range(3):
        torch.testing.assert_close(made(x)[:, channel], st.s4(x[:, channel], channel + 1.0))
    made(x).sum().backward()
    assert made.k.grad.shape == (3,)
    last = st.S4(2.0, num_parameters=5, channel_dim=-1)
    assert last(x).shape == x.shape
    made.reset_parameters()
    assert made.k.tolist() == [2.0] * 3
    with pytest.raises(ValueError, match="3 channels in dimension 1"):
        made(torch.randn(2, 4))


def test_what_is_not_learnt_is_a_number():
    made = st.S4(2.0, learnable=False)
    assert not made.state_dict()
    torch.testing.assert_close(made(torch.ones(3)), st.s4(torch.ones(3), 2.0))
    with pytest.raises(ValueError, match="learnable is False"):
        st.S4(num_parameters=3, learnable=False)
    with pytest.raises(TypeError, match="num_parameters must be an integer"):
        st.S4(num_parameters=1.5)


def test_state_and_files():
    made, other = st.PSS(0.5, num_parameters=2), st.PSS(num_parameters=2)
    buffer = io.BytesIO()
    torch.save(made.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.alpha.tolist() == [0.5, 0.5]


def test_functional_calls_and_ensembles():
    models = [model() for _ in range(3)]
    state = torch.func.stack_module_state(models)
    x = torch.randn(5, 8)

    def call(parameters, buffers, x):
        return torch.func.functional_call(models[0], (parameters, buffers), (x,))

    together = torch.func.vmap(call, (0, 0, None))(*state, x)
    torch.testing.assert_close(together, torch.stack([one(x) for one in models]))

    def loss(parameters, x):
        return torch.func.functional_call(models[0], parameters, (x,)).sum()

    parameters = {name: one.detach() for name, one in models[0].named_parameters()}
    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    models[0](x).sum().backward()
    for name, parameter in models[0].named_parameters():
        torch.testing.assert_close(each[name].sum(0), parameter.grad)


def test_checkpoint_saves_and_parametrize():
    x = torch.randn(5, 8, requires_grad=True)
    made = model()
    plain = torch.autograd.grad(made(x).sum(), x)[0]
    again = torch.utils.checkpoint.checkpoint(made, x, use_reentrant=False)
    torch.testing.assert_close(torch.autograd.grad(again.sum(), x)[0], plain)
    saved = []

    def pack(tensor):
        saved.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        st.s4(x, torch.tensor(5.0, requires_grad=True))
    assert saved == [(5, 8), ()]
    nn.utils.parametrize.register_parametrization(made[1], "k", st.Softplus())
    made(x).sum().backward()
    assert made[1].parametrizations.k.original.grad.shape == (16,)


# --- Memory, dtypes, threads ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(dtype):
    x = torch.linspace(-6, 6, 101).to(dtype).requires_grad_()
    for made in (st.S4().to(dtype), st.S4()):
        y = made(x)
        y.float().sum().backward()
        assert y.dtype is x.grad.dtype is dtype
        assert made.k.grad.dtype is made.k.dtype
        exact = st.s4(x.detach().double(), 5.0)
        # One rounding more than that of the result: what is computed is in single precision.
        assert ((y.double() - exact).abs() <= 0.51 * torch.finfo(dtype).eps + 3e-7).all()
    with torch.autocast("cpu", torch.bfloat16):
        assert st.s4(x).dtype is dtype


def test_layouts():
    x = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
    k = torch.rand(1, 3, 1, 1, requires_grad=True)
    y = st.s4(x, k)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()  # the gradient that comes in has strides of 0
    assert x.grad.is_contiguous(memory_format=torch.channels_last)
    once = torch.autograd.grad(st.s4(x.detach().contiguous(), k).sum(), k)[0]
    torch.testing.assert_close(k.grad, once)
    plain = x.detach()
    for view in (plain.transpose(1, 3), plain[:, ::2, 1:], plain[:1].expand(4, 3, 8, 8)):
        torch.testing.assert_close(st.s4(view, 2.0), st.s4(view.contiguous(), 2.0))
    assert st.s4(torch.tensor(1.0)).shape == ()
    assert st.s4(torch.empty(0, 3)).shape == (0, 3)
    assert st.s4(torch.empty(3, device="meta")).device.type == "meta"
    assert st.s4(torch.ones(3, 1), torch.ones(4)).shape == (3, 4)


def test_one_gradient_alone():
    x, k = torch.randn(9, requires_grad=True), torch.tensor(5.0)
    st.s4(x, k).sum().backward()
    assert x.grad is not None
    k.requires_grad_()
    st.s4(x.detach(), k).sum().backward()
    assert k.grad.shape == ()


def test_in_place():
    x = torch.randn(5, requires_grad=True)
    y = st.s4(x * 1.0, inplace=True)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.autograd.grad(st.s4(x).sum(), x)[0])
    z = torch.randn(5)
    assert st.s4(z, inplace=True) is z
    with pytest.raises(RuntimeError, match="leaf"):
        st.s4(x, inplace=True)


def test_gradients_do_not_depend_on_threads():
    x, k = torch.randn(1_000_003), torch.tensor(2.0, requires_grad=True)
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 4):
            torch.set_num_threads(count)
            found.append(torch.autograd.grad(st.s4(x, k).sum(), k)[0].item())
    finally:
        torch.set_num_threads(before)
    assert len(set(found)) == 1


def test_python_threads():
    results = []

    def work():
        x = torch.ones(200_000, requires_grad=True)
        st.s4(x).sum().backward()
        results.append(x.grad[0].item())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return st.s4(torch.full((300_000,), float(index)))


# JAX, where another file has loaded it, warns of every fork.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
def test_workers_that_are_forked():
    st.s4(torch.ones(1_000_000))
    loader = torch.utils.data.DataLoader(Rows(), num_workers=2, multiprocessing_context="fork")
    found = [row[0, 0].item() for row in loader]
    assert found == [st.s4(torch.tensor(float(index))).item() for index in range(4)]


# --- The README -----------------------------------------------------------------------------------


def test_the_model_of_the_readme():
    """A model with learnt k: what it prints is what the page says, but for rounding."""
    page = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    pattern = r"```python\n(import torch\n.*?)```\n\n    (.*?)\n"
    block, output = re.search(pattern, page, re.DOTALL).groups()
    printed = python(block, timeout=300, OMP_NUM_THREADS="1").stdout
    number = r"-?[\d.]+"
    assert re.sub(number, "#", printed.strip()) == re.sub(number, "#", output)
    found, wanted = (list(map(float, re.findall(number, text))) for text in (printed, output))
    assert all(abs(a - b) <= 0.1 * b for a, b in zip(found, wanted, strict=True))


# --- Bad input, and what the package says of it ---------------------------------------------------


def test_what_is_no_tensor_of_floats():
    with pytest.raises(TypeError, match=r"input must be a torch\.Tensor, not ndarray"):
        st.s4(np.ones(3))
    with pytest.raises(TypeError, match=r"input must be of a floating dtype, not torch\.int64"):
        st.s4(torch.arange(3))
    with pytest.raises(TypeError, match=r"k must be a number or a torch\.Tensor, not str"):
        st.s4(torch.ones(3), "5")
    with pytest.raises(TypeError, match="k must be of a floating dtype"):
        st.s4(torch.ones(3), torch.tensor(5))


def test_functions_by_name():
    assert st.get("s4") is st.s4
    with pytest.raises(ValueError, match="did you mean s4"):
        st.get("s44")
    with pytest.raises(ValueError, match="softmax acts on rows"):
        st.get("softmax")


def test_every_activation_is_there():
    assert set(NAMES) < set(st.__all__)
    assert len(MODULES) == len(NAMES)


def test_a_tensor_that_requires_grad_is_sent_here():
    with pytest.raises(TypeError, match=r"s3s4\.torch\.s4"):
        s3s4.s4(torch.ones(3, requires_grad=True))


def test_torch_is_loaded_by_its_module_alone():
    python("import sys, s3s4; assert 'torch' not in sys.modules")
    missing = python("import sys; sys.modules['torch'] = None; import s3s4.torch", check=False)
    assert "s3s4.torch needs PyTorch >= 2.10, which is not installed" in missing.stderr
    old = "import torch; torch.__version__ = '2.9.1'; import s3s4.torch"
    assert "needs PyTorch >= 2.10, not 2.9.1" in python(old, check=False).stderr
