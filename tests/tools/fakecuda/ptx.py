"""PTX of one kernel as C, an instruction a line.

Design:
- An instruction, or a form of one, that is not known is refused: nothing is guessed.
- A register is a C variable that starts with a poisonous value. Registers of the same size are
  bits, read as the type that the instruction names.
- Every load and store goes through a function of block.h, which checks it.
"""

import re
from dataclasses import dataclass

C_TYPES = {
    "f32": "float", "f64": "double", "f16": "uint16_t", "pred": "int",
    **{f"{sign}{bits}": f"{c}int{bits}_t" for bits in (8, 16, 32, 64)
       for sign, c in (("b", "u"), ("u", "u"), ("s", ""))},
}  # fmt: skip
REALS = ("f32", "f64")
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
UNSIGNED_COMPARISONS = {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
SPECIAL = {
    f"%{name}.{axis}": f"(uint32_t)t->{name}.{axis}"
    for name in ("tid", "ntid", "ctaid", "nctaid")
    for axis in "xyz"
}
WIDE = {"s16": "int32_t", "u16": "uint32_t", "s32": "int64_t", "u32": "uint64_t"}


class Refused(ValueError):
    """PTX that this translator does not know."""


def size(kind: str) -> int:
    """Bytes of a type."""
    return int(kind[1:]) // 8


@dataclass
class Operation:
    """An instruction without its guard."""

    text: str
    name: str
    modifiers: list[str]
    kind: str
    operands: list[str]

    def refuse(self) -> Refused:
        return Refused(f"not known: {self.text}")


class Kernel:
    """The one kernel of a PTX module.

    Parameters
    ----------
    ptx : str

    Raises
    ------
    Refused
        For what is not known.
    """

    def __init__(self, ptx: str) -> None:
        found = re.search(r"\.entry ([\w$]+)\((.*?)\)(.*?)\{(.*)\}", ptx, re.DOTALL)
        if found is None or ptx.count(".entry") != 1:
            raise Refused("a module has one kernel")
        self.name, head, _, body = found.groups()
        self.parameters = re.findall(r"\.param \.(\w+) ([\w$]+)", head)
        self.shared: dict[str, int] = {}
        self.shared_size = 0
        for align, name, length in re.findall(
            r"\.shared \.align (\d+) \.b8 ([\w$]+)\[(\d+)\];", ptx
        ):
            step = max(int(align), 8)
            self.shared[name] = -(-self.shared_size // step) * step
            self.shared_size = self.shared[name] + int(length)
        self.body = "\n".join(line for raw in body.splitlines() for line in self._line(raw))

    def source(self) -> str:
        """The C text, for block.h."""
        sizes = ", ".join(str(size(kind)) for kind, _ in self.parameters) or "0"
        return (
            f'#include "block.h"\nstatic void body(Thread *restrict t) {{\n{self.body}\n}}\n'
            f'const char kernel_name[] = "{self.name}";\n'
            f"const int kernel_sizes[] = {{{sizes}}};\n"
            f"const int kernel_count = {len(self.parameters)};\n"
            f"void kernel_run(const Launch *launch) {{\n"
            f"    run(launch, body, {self.shared_size}, {int('barrier(t)' in self.body)});\n}}\n"
        )

    def _line(self, raw: str) -> list[str]:
        line = raw.partition("//")[0].strip()
        if not line or line in "{}" or line.startswith((".pragma", ".shared")):
            return []
        if re.fullmatch(r"\$[\w$]+:", line):
            return [f"{_label(line[:-1])}:;"]
        registers = re.fullmatch(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>;", line)
        if registers:
            kind, base, count = registers.groups()
            names = ", ".join(f"{base}{i} = POISON_{kind}" for i in range(int(count)))
            return [f"    {C_TYPES[kind]} {names};"]
        if line.startswith("."):
            raise Refused(f"not known: {line}")
        return [f"    {self._guarded(one.strip())}" for one in line.split(";") if one.strip()]

    def _guarded(self, text: str) -> str:
        guard = re.match(r"@(!?)%(p\d+)\s+(.*)", text)
        condition = f"if ({guard[1]}{guard[2]}) " if guard else ""
        opcode, *rest = (guard[3] if guard else text).split(None, 1)
        name, *parts = opcode.split(".")
        operands = [part.strip() for one in rest for part in re.split(r",(?![^{]*\})", one)]
        operation = Operation(text, name, parts[:-1], parts[-1] if parts else "", operands)
        return f"{condition}{{ {self._translated(operation)} }}"

    # --- Operands ---

    def _value(self, text: str) -> str:
        if text in SPECIAL:
            return SPECIAL[text]
        if text.startswith("%"):
            return text[1:]
        if text in self.shared:
            return f"({self.shared[text]}ull)"
        for pattern, form in (
            (r"0f[0-9A-Fa-f]{8}", "F32(0x{}u)"),
            (r"0d[0-9A-Fa-f]{16}", "F64(0x{}ull)"),
            (r"0[xX][0-9A-Fa-f]+", "(0x{}ull)"),
        ):
            if re.fullmatch(pattern, text):
                return form.format(text[2:])
        if re.fullmatch(r"-?\d+", text):
            return f"({text}ll)"
        raise Refused(f"not known: operand {text}")

    def _typed(self, text: str, kind: str) -> str:
        value = self._value(text)
        return value if kind in (*REALS, "pred") else f"({C_TYPES[kind]}){value}"

    def _address(self, text: str) -> str:
        found = re.fullmatch(r"\[([%\w$]+)(?:\+(-?\d+))?\]", text)
        if not found:
            raise Refused(f"not known: address {text}")
        return f"{self._value(found[1])} + ({found[2] or 0})"

    # --- Instructions ---

    def _translated(self, op: Operation) -> str:
        if op.name in ("ret", "exit"):
            return "return;"
        if op.name == "bra":
            return f"goto {_label(op.operands[0])};"
        if op.name == "bar":
            if op.kind != "sync" or op.operands != ["0"]:
                raise op.refuse()
            return "barrier(t);"
        if op.name in ("ld", "st"):
            return self._memory(op)
        if op.name == "mov" and "{" in op.text:
            return self._packed(op)
        target = op.operands[0].removeprefix("%")
        if op.name == "mov" and op.operands[1].startswith("%") and op.operands[1] not in SPECIAL:
            return f"BITS({target}, {op.operands[1][1:]});"
        if op.name == "mov":
            return f"{target} = {self._typed(op.operands[1], op.kind)};"
        if op.name == "setp":
            return f"{target} = {self._compared(op)};"
        if op.name == "cvt":
            return f"{target} = {self._converted(op)};"
        if op.name == "cvta":
            return f"{target} = {self._typed(op.operands[1], 'u64')};"
        values = [self._typed(text, op.kind) for text in op.operands[1:]]
        if op.name == "selp":
            chosen = self._value(op.operands[3])
            return f"{target} = {chosen} ? {values[0]} : {values[1]};"
        if op.kind == "pred":
            return f"{target} = {self._logic(op, values)};"
        if op.kind in REALS:
            return f"{target} = {self._real(op, values)};"
        if op.name in ("shl", "shr"):
            return f"{target} = {self._shifted(op)};"
        return f"{target} = {self._integer(op, values)};"

    def _memory(self, op: Operation) -> str:
        space, *flags = op.modifiers
        if op.name == "ld" and space == "param":
            index = [name for _, name in self.parameters].index(op.operands[1].strip("[]"))
            register = op.operands[0][1:]
            return f"memcpy(&{register}, t->launch->parameters[{index}], {size(op.kind)});"
        vector = next((flag for flag in flags if flag in ("v2", "v4")), "v1")
        if space not in ("global", "shared") or set(flags) - {"v2", "v4", "nc"}:
            raise op.refuse()
        registers, place = op.operands if op.name == "ld" else op.operands[::-1]
        parts = [part.strip() for part in registers.strip("{}").split(",")]
        if len(parts) != int(vector[1]):
            raise op.refuse()
        kind, width = C_TYPES[op.kind], size(op.kind)
        access = "read" if op.name == "ld" else "write"
        text = f"char *q = {access}_{space}(t, {self._address(place)}, {width * len(parts)});"
        for i, part in enumerate(parts):
            at = f"q + {i * width}"
            text += (
                f" {kind} v{i}; memcpy(&v{i}, {at}, {width}); {part[1:]} = v{i};"
                if op.name == "ld"
                else f" {kind} v{i} = {self._value(part)}; memcpy({at}, &v{i}, {width});"
            )
        return text

    def _packed(self, op: Operation) -> str:
        target, source = op.operands
        parts = [part.strip() for part in (target + source).split("{")[1].split("}")[0].split(",")]
        bits = size(op.kind) * 8 // len(parts)
        if target.startswith("{"):
            whole = self._value(source)
            return " ".join(
                f"{part[1:]} = (uint{bits}_t)({whole} >> {bits * i});"
                for i, part in enumerate(parts)
                if part != "_"
            )
        whole = " | ".join(
            f"((uint{size(op.kind) * 8}_t)(uint{bits}_t){self._value(part)} << {bits * i})"
            for i, part in enumerate(parts)
        )
        return f"{target[1:]} = {whole};"

    def _compared(self, op: Operation) -> str:
        if len(op.modifiers) != 1:
            raise op.refuse()
        (how,) = op.modifiers
        x, y = (self._typed(text, op.kind) for text in op.operands[1:])
        if op.kind not in REALS:
            known = {**COMPARISONS, **UNSIGNED_COMPARISONS}
            if how not in known:
                raise op.refuse()
            return f"{x} {known[how]} {y}"
        unordered = f"isnan({x}) || isnan({y})"
        if how in ("num", "nan"):
            return unordered if how == "nan" else f"!({unordered})"
        if how in COMPARISONS:
            return f"!({unordered}) && {x} {COMPARISONS[how]} {y}"
        if how[-1] == "u" and how[:-1] in COMPARISONS:
            return f"{unordered} || {x} {COMPARISONS[how[:-1]]} {y}"
        raise op.refuse()

    def _converted(self, op: Operation) -> str:
        *modifiers, to = op.modifiers
        value = self._typed(op.operands[1], op.kind)
        from_integer, to_integer = op.kind[0] in "us", to[0] in "us"
        exact = not modifiers
        if to_integer and from_integer and exact:
            return f"({C_TYPES[to]}){value}"
        if to in ("f32", "f64") and op.kind == "f16" and exact:
            return f"float_from_half({value})"
        if (to, op.kind, modifiers) == ("f16", "f32", ["rn"]):
            return f"half_from_float({value})"
        if (to, op.kind) == ("f64", "f32") and exact:
            return f"(double){value}"
        if to in REALS and modifiers == ["rn"] and (from_integer or (to, op.kind) == REALS):
            return f"({C_TYPES[to]}){value}"
        raise op.refuse()

    def _logic(self, op: Operation, values: list[str]) -> str:
        if op.name == "not":
            return f"!{values[0]}"
        signs = {"and": "&", "or": "|", "xor": "^"}
        if op.name not in signs or op.modifiers:
            raise op.refuse()
        return f"!!{values[0]} {signs[op.name]} !!{values[1]}"

    def _real(self, op: Operation, values: list[str]) -> str:
        suffix = "f" if op.kind == "f32" else ""
        form = (op.name, *op.modifiers)
        signs = {"add": "+", "sub": "-", "mul": "*"}
        if op.name in signs and op.modifiers in ([], ["rn"]):
            result = f"{values[0]} {signs[op.name]} {values[1]}"
            return f"rounded_{op.kind}({result})" if op.modifiers else result
        if form == ("copysign",):  # the sign of the first, the magnitude of the second
            return f"copysign{suffix}({values[1]}, {values[0]})"
        if form == ("rcp", "approx", "ftz") and op.kind == "f32":
            return f"approximate_reciprocal(t->launch, {values[0]})"
        if form == ("ex2", "approx", "ftz") and op.kind == "f32":
            return f"approximate_exp2(t->launch, {values[0]})"
        known = {
            ("fma", "rn"): f"fma{suffix}({', '.join(values)})",
            ("div", "rn"): " / ".join(values),
            ("rcp", "rn"): f"({C_TYPES[op.kind]})1 / {values[0]}",
            ("sqrt", "rn"): f"sqrt{suffix}({values[0]})",
            ("neg",): f"-{values[0]}",
            ("abs",): f"fabs{suffix}({values[0]})",
            ("min",): f"fmin{suffix}({', '.join(values)})",
            ("max",): f"fmax{suffix}({', '.join(values)})",
        }
        if form not in known:
            raise op.refuse()
        return known[form]

    def _shifted(self, op: Operation) -> str:
        bits = size(op.kind) * 8
        value, count = (
            self._typed(op.operands[1], op.kind),
            f"(uint32_t){self._value(op.operands[2])}",
        )
        if op.modifiers:
            raise op.refuse()
        beyond = f"({value} < 0 ? -1 : 0)" if op.kind[0] == "s" else "0"
        sign = "<<" if op.name == "shl" else ">>"
        return f"{count} >= {bits}u ? {beyond} : {value} {sign} ({count} & {bits - 1}u)"

    def _integer(self, op: Operation, values: list[str]) -> str:
        # Sums and products of signed numbers wrap around: C promises it of unsigned ones alone.
        unsigned = [self._typed(text, "u64") for text in op.operands[1:]]
        form = (op.name, *op.modifiers)
        if form in (("mul", "wide"), ("mad", "wide")):
            product = f"({WIDE[op.kind]}){values[0]} * ({WIDE[op.kind]}){values[1]}"
            return product if op.name == "mul" else f"(uint64_t)({product}) + {unsigned[2]}"
        x, y = (*values, "", "")[:2]
        if form in (("div",), ("rem",)):
            return f"divisor(t, {y} != 0) ? {x} {'/' if op.name == 'div' else '%'} {y} : 0"
        known = {
            ("add",): " + ".join(unsigned),
            ("sub",): " - ".join(unsigned),
            ("mul", "lo"): " * ".join(unsigned),
            ("mad", "lo"): f"{' * '.join(unsigned[:2])} + {unsigned[-1]}",
            ("neg",): f"0 - {unsigned[0]}",
            ("not",): f"~{x}",
            ("and",): f"{x} & {y}",
            ("or",): f"{x} | {y}",
            ("xor",): f"{x} ^ {y}",
            ("min",): f"{x} < {y} ? {x} : {y}",
            ("max",): f"{x} > {y} ? {x} : {y}",
            ("abs",): f"{x} < 0 ? 0 - {unsigned[0]} : {unsigned[0]}",
        }
        if form not in known:
            raise op.refuse()
        return f"({C_TYPES[op.kind]})({known[form]})"


def _label(text: str) -> str:
    return "L" + text.strip().replace("$", "_")
