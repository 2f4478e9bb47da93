"""Expressions over whole arrays, for any library with NumPy's names: torch, jax.numpy, keras.ops.

The primitives become the library's own functions: their range and accuracy are that library's.
"""

from codegen.family import Activation, Family
from codegen.ir import Function
from codegen.text import Language, Writer, infix

ARRAYS = Language(
    infix(
        fma="({} * {} + {})",
        select="np.where({}, {}, {})",
        abs="np.abs({})",
        copysign="np.copysign({}, {})",
        finite="np.minimum({}, HUGE)",
        unless_nan="np.where(np.isnan({1}), {1}, {0})",
        unscaled="({} * 2.0**-64)",
        unscaled_product="({} * {} * 2.0**-64)",
        exp_neg="np.exp(-({}))",
        expm1_neg="np.expm1(-({}))",
        log1p="np.log1p({})",
        exp_neg_product="np.exp(-({} * {}))",
        scaled_exp_neg_product="(2.0**64 * np.exp(-({} * {})))",
    ),
    number=lambda digits: repr(float(digits)),
    call=lambda op: op,
)
HEAD = """\
def build(np, normal_tail, tanh_rest, HUGE=1e30):
    # What an array library lacks comes in beside it: u >= 0 in both.
"""


def module(family: Family) -> str:
    """A function that makes every activation and derivative of a library's functions."""
    parts = [
        function(one, activation)
        for activation in family.activations
        for one in (activation.value, *activation.derivatives.values())
    ]
    return "\n".join([HEAD, *parts, "    return locals()\n"])


def function(one: Function, activation: Activation) -> str:
    """One activation or derivative over arrays."""
    writer = Writer(one, ARRAYS, ["np", "normal_tail", "tanh_rest", "HUGE"])
    lines = [f"{name} = {text}" for name, text in writer.assignments(one.nodes)]
    lines.append(f"return {writer.text(one.outputs[0])}")
    defaults = activation.defaults
    arguments = [f"{n}={defaults[n]!r}" if n in defaults else n for n in one.inputs]
    head = f"    def {one.name}({', '.join(arguments)}):\n"
    return head + "".join(f"        {line}\n" for line in lines)
