"""Nodes as numbers: what they are made of, in mpmath."""

import sys
from collections.abc import Mapping
from pathlib import Path

import mpmath as mp

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from codegen.ir import Node, walk

OPERATIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if a or b else mp.nan,
    "neg": lambda a: -a,
    "fma": lambda a, b, c: a * b + c,
    "select": lambda test, a, b: a if test else b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "abs": abs,
    "copysign": lambda u, x: abs(u) if x >= 0 else -abs(u),
    "finite": lambda u: u,
    "unless_nan": lambda y, x: y,
    "unscaled": lambda y: y / 2**64,
    "unscaled_product": lambda k, y: k * y / 2**64,
    "within_exp": lambda u: u,
    "within_normal": lambda u: u,
    "exp_neg": lambda u: mp.exp(-u),
    "row_reference": lambda largest: largest,
    "binary_exponent": lambda m: mp.floor(m / mp.log(2)),
    "exp_neg_scaled": lambda u, N: mp.exp(-u) / 2**N,
    "scaled_exp_neg": lambda u: 2**64 * mp.exp(-u),
    "scaled_exp_neg_half_square": lambda u: 2**64 * mp.exp(-u * u / 2),
    "exp_neg_product": lambda k, u: mp.exp(-k * u),
    "scaled_exp_neg_product": lambda k, u: 2**64 * mp.exp(-k * u),
    "expm1_neg": lambda u: mp.expm1(-u),
    "log1p": mp.log1p,
    "log1p_any": mp.log1p,
    "normal_tail": lambda u: mp.exp(u * u / 2) * mp.erfc(u / mp.sqrt(2)) / 2,
    "sinc_product": lambda k, u: mp.sinc(k * u),
    "sqrt_square_plus": lambda u, b: mp.sqrt(u * u + b),
    "tanh_rest": lambda u: (u - mp.tanh(u)) / u**3,
}


def value(output: Node, inputs: Mapping[str, mp.mpf]) -> mp.mpf:
    """What a node is for these inputs, in mpmath's precision."""
    found: dict[Node, mp.mpf] = {}
    for node in walk([output]):
        if node.op == "input":
            found[node] = inputs[node.text]
        elif node.op == "number":
            found[node] = mp.mpf(node.text)
        else:
            found[node] = OPERATIONS[node.op](*(found[arg] for arg in node.args))
    return found[output]
