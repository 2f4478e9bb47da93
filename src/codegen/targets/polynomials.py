"""The polynomials of the primitives: polynomials.h, and the text of the GPU's."""

from codegen.family import Family
from codegen.targets.c_elements import BLOCKS, SUFFIX, TYPES
from formulas.coefficients import COEFFICIENTS

ABOUT = {
    "exp2_fraction": "2^f for |f| <= 1/2.",
    "exp_rest": "(e^r - 1 - r) / r^2 for |r| <= ln(2) / 2.",
    "expm1_rest": "The same, for the relative error of e^r - 1.",
    "atanh_rest": "(atanh(s) / s - 1) / s^2 in w = s^2 <= 1/9.",
    "tanh_ratio": "(u - tanh(u)) / u^3 in w = u^2 <= 1.",
    "sine_rest": "(sin(r) / r - 1) / r^2 in w = r^2 <= (pi / 2)^2.",
    "tail_ratio": "(u + K) e^(u^2/2) Phi(-u) in t = (u - K) / (u + K): K is 4, of long double 6.",
}


def header(_: Family) -> str:
    """Each polynomial by Horner's rule, from fused operations."""
    parts = [
        "/* polynomials.h: the polynomials of the primitives, minimax in relative error, made\n"
        " * from coefficients.py, included by primitives.h. */\n"
        "#ifndef S3S4_POLYNOMIALS_H\n#define S3S4_POLYNOMIALS_H"
    ]
    for name, by_kind in COEFFICIENTS.items():
        parts.append(f"/* {ABOUT[name]} */")
        for kind, (first, *rest) in by_kind.items():
            ctype, suffix = TYPES[kind], SUFFIX[kind]
            parts[-1] += "".join([
                f"\nS3S4_INLINE {ctype} s3s4_{name}_{kind}({ctype} t) {{",
                f"\n    {ctype} p = {first}{suffix};",
                *(f"\n    p = s3s4_fma_{kind}(p, t, {digits}{suffix});" for digits in rest),
                "\n    return p;\n}",
            ])  # fmt: skip
    return "\n\n".join([*parts, "#endif\n"])


def for_python() -> str:
    """The text of a function that makes every polynomial for a type."""
    lines = ["def polynomials(inline, real, fma, double):"]
    for kind in BLOCKS:
        lines.append("    if double:" if kind == "f64" else "    if not double:")
        for name, by_kind in COEFFICIENTS.items():
            if kind not in by_kind:
                raise SystemExit(f"coefficients.py: {name} has no coefficients of {kind}")
            digits = by_kind[kind]
            constants = [f"{name}_{i}" for i in range(len(digits))]
            lines += [
                *(
                    f"        {constant} = real(float.fromhex({one!r}))"
                    for constant, one in zip(constants, digits, strict=True)
                ),
                "",
                "        @inline",
                f"        def {name}(t):",
                f"            p = {constants[0]}",
                *(f"            p = fma(p, t, {constant})" for constant in constants[1:]),
                "            return p",
                "",
            ]
    return "\n".join([*lines, "    return locals()", ""])
