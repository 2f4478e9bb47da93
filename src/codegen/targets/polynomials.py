"""The polynomials of the primitives for other languages than C."""

import re
from pathlib import Path

HEADER = Path(__file__).parents[2] / "kernels" / "polynomials.h"
HORNER = re.compile(
    r"S3S4_INLINE (?P<type>float|double) s3s4_(?P<name>\w+)_f(?:32|64)\([^{]*\{\s+"
    r"(?P=type) p = (?P<first>\S+?)f?;(?P<rest>(?:\s+p = \w+\(p, \w+, \S+\);)+)"
)


def coefficients() -> dict[str, dict[str, list[str]]]:
    """The digits of each polynomial, the highest power first, by C type and name."""
    found: dict[str, dict[str, list[str]]] = {"float": {}, "double": {}}
    for match in HORNER.finditer(HEADER.read_text()):
        rest = re.findall(r", ([^,]+?)f?\);", match["rest"])
        found[match["type"]][match["name"]] = [match["first"], *rest]
    return found


def for_python() -> str:
    """The text of a function that makes every polynomial for a type."""
    lines = ["def polynomials(inline, real, fma, double):"]
    for kind, by_name in coefficients().items():
        lines.append("    if double:" if kind == "double" else "    if not double:")
        for name, digits in by_name.items():
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
