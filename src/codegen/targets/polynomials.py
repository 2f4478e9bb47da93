"""The polynomials of the primitives: of elements, of vectors, and the text of the GPU's."""

from codegen.family import Family
from codegen.targets.c_elements import BLOCKS, SUFFIX, TYPES
from formulas.coefficients import COEFFICIENTS, TABLES

ABOUT = {
    "exp2_fraction": "2^f for |f| <= 1/2.",
    "exp2_step": "(2^f - 1) / f for |f| <= 1/32.",
    "exp_rest": "(e^r - 1 - r) / r^2 for |r| <= ln(2) / 2.",
    "expm1_rest": "The same, for the relative error of e^r - 1.",
    "atanh_rest": "(atanh(s) / s - 1) / s^2 in w = s^2 <= 1/9.",
    "tanh_ratio": "(u - tanh(u)) / u^3 in w = u^2 <= 1.",
    "sine_rest": "(sin(r) / r - 1) / r^2 in w = r^2 <= (pi / 2)^2.",
    "tail_ratio": "(u + K) e^(u^2/2) Phi(-u) in t = (u - K) / (u + K): K is 4, of long double 6.",
    "exp2_sixteenths": "2^(j/16), and what its rounding left, relative to it.",
    "tail_pieces": "e^(u^2/2) Phi(-u) in the distance from the nearest 7/16 j, by rows of a power.",
}
OF_VECTORS = {"f32": ("exp2_step",), "f64": ("exp2_step", "tail_ratio")}
"""What the primitives of vectors have of these, besides the tables."""
ONLY_OF_VECTORS = ("exp2_step",)
VECTORS_HEAD = """\
/* vector_polynomials.h: the polynomials and tables of the primitives of vectors, of one type, made
 * from coefficients.py, included by vectors_type.h. */
"""


def header(_: Family) -> str:
    """Each polynomial by Horner's rule, from fused operations."""
    parts = [
        "/* polynomials.h: the polynomials of the primitives, minimax in relative error, made\n"
        " * from coefficients.py, included by primitives.h. */\n"
        "#ifndef S3S4_POLYNOMIALS_H\n#define S3S4_POLYNOMIALS_H"
    ]
    for name, by_kind in COEFFICIENTS.items():
        if name not in ONLY_OF_VECTORS:
            parts.append(f"/* {ABOUT[name]} */")
            for kind in by_kind:
                parts[-1] += "\n" + function(name, kind, TYPES[kind])
    return "\n\n".join([*parts, "#endif\n"])


def vectors(_: Family) -> str:
    """The same of whole vectors, and tables that registers hold."""
    parts = [VECTORS_HEAD]
    for kind, bits in (("f32", 23), ("f64", 52)):
        parts.append(f"#if S3S4_MANTISSA == {bits}")
        for name in OF_VECTORS[kind]:
            polynomial = function(name, kind, f"s3s4_v_{kind}", "v_", "s3s4_v_splat_{kind}({})")
            parts.append(f"/* {ABOUT[name]} */\n{polynomial}")
        parts += [table(name, kind) for name in TABLES if kind in TABLES[name]]
        parts.append("#endif")
    return "\n".join([*parts, ""])


def function(name: str, kind: str, ctype: str, of: str = "", constant: str = "{}") -> str:
    """A polynomial as a function of numbers or, with what makes a constant one, of vectors."""
    first, *rest = (
        constant.format(digits + SUFFIX[kind], kind=kind) for digits in COEFFICIENTS[name][kind]
    )
    return "\n".join([
        f"S3S4_INLINE {ctype} s3s4_{of}{name}_{kind}({ctype} t) {{",
        f"    {ctype} p = {first};",
        *(f"    p = s3s4_{of}fma_{kind}(p, t, {digits});" for digits in rest),
        "    return p;",
        "}",
    ])  # fmt: skip


def table(name: str, kind: str) -> str:
    """An array of a table's rows, or of its only one."""
    rows = TABLES[name][kind]
    lines = [f"    {{{', '.join(one + SUFFIX[kind] for one in row)}}}," for row in rows]
    shape = f"[{len(rows)}][{len(rows[0])}]" if len(rows) > 1 else f"[{len(rows[0])}]"
    body = ["{", *lines, "}"] if len(rows) > 1 else [lines[0].strip().rstrip(",")]
    head = f"static const {TYPES[kind]} s3s4_{name}_{kind}{shape} ="
    return "\n".join([f"/* {ABOUT[name]} */", head, *body]) + ";"


def for_python() -> str:
    """The text of a function that makes every polynomial for a type."""
    lines = ["def polynomials(inline, real, fma, double):"]
    for kind in BLOCKS:
        lines.append("    if double:" if kind == "f64" else "    if not double:")
        for name, by_kind in COEFFICIENTS.items():
            if name in ONLY_OF_VECTORS:
                continue
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
