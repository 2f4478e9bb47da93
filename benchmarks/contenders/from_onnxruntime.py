"""ONNX Runtime: a model of one operator, bound to the arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper

import threads
from job import Job

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "mish": ("Mish", {}),
    "elu": ("Elu", {}),
    "softplus": ("Softplus", {}),
    "hardswish": ("HardSwish", {}),
    "softsign": ("Softsign", {}),
    "relu": ("Relu", {}),
}
"""Its operators by the names of ours."""


def session(nodes: list[Any], x: np.ndarray, out: np.ndarray) -> Callable[[], Any]:
    """Return a call that applies operators to "x" and writes "y"."""
    kinds = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}
    if x.dtype.name not in kinds:
        raise NotImplementedError(f"not tried in {x.dtype}")
    tensor = kinds[x.dtype.name]
    graph = helper.make_graph(
        nodes,
        "benchmark",
        [helper.make_tensor_value_info("x", tensor, x.shape)],
        [helper.make_tensor_value_info("y", tensor, out.shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.limit()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        made = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as reason:  # its classes of errors are private
        raise NotImplementedError(str(reason).splitlines()[0][:90]) from None
    binding = made.io_binding()
    binding.bind_input("x", "cpu", 0, x.dtype.type, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, out.dtype.type, out.shape, out.ctypes.data)

    def call() -> np.ndarray:
        made.run_with_iobinding(binding)
        return out

    return call


def prepare(job: Job) -> Callable[[], Any]:
    """Prepare the job with the output given."""
    if job.quantity == "silu":
        nodes = [
            helper.make_node("Sigmoid", ["x"], ["s"]),
            helper.make_node("Mul", ["x", "s"], ["y"]),
        ]
    elif job.quantity in OPERATORS:
        operator, attributes = OPERATORS[job.quantity]
        nodes = [helper.make_node(operator, ["x"], ["y"], **attributes)]
    else:
        raise NotImplementedError("it has no such operator")
    return session(nodes, job.x, job.out[0])


def softmax(x: np.ndarray, out: np.ndarray, axis: int, name: str = "Softmax") -> Callable[[], Any]:
    """Return a call of a function of rows."""
    return session([helper.make_node(name, ["x"], ["y"], axis=axis)], x, out)
