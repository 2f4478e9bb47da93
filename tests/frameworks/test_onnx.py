"""s3s4.onnx: models that onnx checks and onnxruntime runs, and a table for PyTorch's exporter.

# Design:
# - What is right is s3s4's kernels in double, which other tests compare with the definitions.
"""

import numpy as np
import pytest

import s3s4
from support import ELEMENTWISE, python

onnx = pytest.importorskip("onnx", reason="onnx is not installed: it is in [frameworks]")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import s3s4.onnx as so

pytestmark = pytest.mark.frameworks
X = np.concatenate([np.linspace(-30, 30, 6001), np.linspace(-2, 2, 2001)]).astype("f4")
FAR = np.array([1e10, -1e10, 1000, -1000, -104, -88], "f4")
EPS = 5 * np.finfo("f4").eps
NAN_AT_INFINITY = {"s3", "s4", "s3_smooth", "softsign", "rational_softsign", "squareplus", "snake"}
"""x / (1 + |x|) is infinity by infinity, and what grows cancels or has no limit."""


def run(model, **given):
    onnx.checker.check_model(model, full_check=True)
    session = runtime.InferenceSession(model.SerializeToString())
    return session.run(None, given)[0]


def assert_close(found, expected, eps=EPS):
    assert found.shape == expected.shape
    scale = np.where(np.isfinite(expected), np.maximum(1, abs(expected.astype(float))), 1)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=eps)


@pytest.mark.parametrize("opset", [18, 20])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values(name, opset):
    activation = ELEMENTWISE[name]
    x = np.concatenate([X, FAR])[:, None]
    assert_close(run(so.model(name, opset=opset), x=x), activation(x.astype(float)))
    others = {one: value * 0.75 for one, value in activation.parameters.items()}
    assert_close(
        run(so.model(name, others, opset=opset), x=x),
        activation(x.astype(float), *map(np.float64, map(np.float32, others.values()))),
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_infinities_and_nan(name):
    ends = np.array([[np.inf, -np.inf, np.nan]], "f4")
    found, expected = run(so.model(name), x=ends), ELEMENTWISE[name](ends)
    assert np.isnan(found[0, 2])
    if name in NAN_AT_INFINITY:
        assert np.all((found == expected) | np.isnan(found))
    else:
        assert_close(found, expected)


def test_s4_has_few_nodes_and_gelu_is_the_runtimes_own():
    assert len(so.function("s4").node) <= 12
    assert "Gelu" in {node.op_type for node in so.function("gelu", opset=20).node}
    assert "Erf" in {node.op_type for node in so.function("gelu").node}


def test_axes_are_dynamic_and_parameters_keep_their_names():
    k = np.linspace(0.5, 5, 4).astype("f4")
    model = so.model("s4", {"k": k}, shape=("batch", 4))
    assert [one.name for one in model.graph.initializer] == ["k"]
    assert [one.name for one in model.graph.input] == ["x"]
    for count in (1, 7):
        x = X[: 4 * count].reshape(count, 4)
        assert_close(run(model, x=x), s3s4.s4(x.astype(float), k.astype(float)))

    model = so.model("rational_softsign", {"b": None, "a": 2.0})
    assert [one.name for one in model.graph.input] == ["x", "b"]
    assert_close(
        run(model, x=X[:, None], b=np.array(0.5, "f4")),
        s3s4.rational_softsign(X.astype(float)[:, None], 2.0, 0.5),
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_dtypes(dtype):
    x = X.astype(dtype)[:, None]
    found = run(so.model("s4", dtype=dtype), x=x)
    assert found.dtype == dtype
    assert_close(found, s3s4.s4(x.astype(float)), eps=5 * np.finfo(dtype).eps)


def test_functions_go_into_models_of_others():
    node = onnx.helper.make_node("silu", ["x"], ["y"], domain="s3s4")
    kind = onnx.TensorProto.FLOAT
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "one", [info("x", kind, [3])], [info("y", kind, [3])])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("s3s4", 1)]
    model = onnx.helper.make_model(
        graph, functions=[so.function("silu")], opset_imports=opsets, ir_version=8
    )
    assert_close(run(model, x=X[:3]), s3s4.silu(X[:3].astype(float)))


def test_arguments_that_are_of_no_use():
    with pytest.raises(ValueError, match="did you mean s4"):
        so.model("s44")
    with pytest.raises(ValueError, match="softmax acts on rows"):
        so.function("softmax")
    with pytest.raises(ValueError, match="s4 has no parameter 'beta'"):
        so.model("s4", {"beta": 1.0})
    with pytest.raises(ValueError, match="opset must be 18 or later, not 17"):
        so.function("s4", opset=17)


def test_onnx_is_loaded_by_its_module_alone():
    missing = python("import sys; sys.modules['onnx'] = None; import s3s4.onnx", check=False)
    last = missing.stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: s3s4.onnx needs onnx >= 1.17, which is not installed: "
        "pip install '.[onnx]' (in a clone of s3s4)"
    )
    old = python("import onnx; onnx.__version__ = '1.16.2'; import s3s4.onnx", check=False)
    last = old.stderr.strip().splitlines()[-1]
    assert last == "ImportError: s3s4.onnx needs onnx >= 1.17, not 1.16.2"


# --- PyTorch's exporter ---------------------------------------------------------------------------


def from_torch(test):
    """PyTorch's exporter warns of what is within itself."""
    for kind in ("DeprecationWarning", "FutureWarning", "UserWarning"):
        test = pytest.mark.filterwarnings(f"ignore::{kind}")(test)
    return test


def exported(module, x, **options):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.onnx.export(
        module.eval(), (x,), dynamo=True, dynamic_shapes=shapes, verbose=False, **options
    )
    return program.model_proto


@from_torch
@pytest.mark.parametrize(
    ("name", "opset"), [("s4", 18), ("gelu", 20), ("silu", 18), ("s3_smooth", 18), ("elu", 20)]
)
def test_operators_are_translated(name, opset):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")
    activation = ELEMENTWISE[name]

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for parameter, value in activation.parameters.items():
                self.register_parameter(parameter, torch.nn.Parameter(torch.full((3,), value)))

        def forward(self, x):
            return getattr(torch.ops.s3s4, name).default(x, *self.parameters())

    x = X[:6000].reshape(-1, 3)
    table = so.translations(opset)
    assert len(table) == len(ELEMENTWISE)
    model = exported(
        Layer(), torch.tensor(x[:4]), opset_version=opset, custom_translation_table=table
    )
    assert {one.name for one in model.graph.initializer} >= set(activation.parameters)
    assert_close(run(model, x=x), activation(x.astype(float)))


@from_torch
def test_modules_of_s3s4_torch_need_no_table():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is in [frameworks]")
    import s3s4.torch as st

    x = X[:6000].reshape(-1, 3)
    model = exported(st.S4(k=2.0, num_parameters=3), torch.tensor(x[:4]))
    assert_close(run(model, input=x), s3s4.s4(x.astype(float), 2.0))
