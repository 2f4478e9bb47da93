"""MathML of the formulas in docstrings, which are written as `a x / (1 + |x|)^2`.

# Design:
# - What browsers show by themselves: no script, and nothing to fetch.
# - A formula stands alone (`block`), with a line for each case, or in a sentence, whose words
#   separate formulas (`sentence`). What is no formula there stays text; alone, it is refused.
# - Products bind more tightly than a quotient, whose denominator is one factor: `a x / b c` is
#   (a x / b) c.
"""

import re
from collections.abc import Iterator
from html import escape

# Letters and signs as books print them. That some look like Latin ones (RUF001) is their purpose.
GREEK = {
    "alpha": "α", "beta": "β", "eps": "ε", "lambd": "λ", "pi": "π", "Phi": "Φ", "phi": "φ",  # noqa: RUF001
    "inf": "∞", "sum": "∑",
}  # fmt: skip
OPERATORS = {"-": "−", "<=": "≤", ">=": "≥"}  # noqa: RUF001
RELATIONS = ("=", "<", ">", "<=", ">=")
FUNCTIONS = ("log", "exp", "sin", "tanh", "erf", "sigmoid", "softsign", "softplus", "softmax")
NAMES = ("min", "max", "lower", "upper", "scale", "threshold", "dz")
WORDS = r"with|for|and|else|where|in between|up to|from|on|as in|at"
TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|[A-Za-z]\w*|<=|>=|[-+/^()|=<>,_])(?=(\s?))")

Token = tuple[str, bool]
"""And whether it touches the next one, as the name of a function does."""


class NoFormula(ValueError):
    """A text that is not written as formulas are."""


class Formula:
    """A formula while it is read."""

    def __init__(self, text: str, known: tuple[str, ...]) -> None:
        self.tokens: list[Token] = []
        self.known = (*FUNCTIONS, *NAMES, *GREEK, *known)
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if found is None:
                raise NoFormula(text)
            self.tokens.append((found[1], not found[2]))
            at = found.end(1)
        self.text, self.at, self.within_bars = text, 0, False

    def read(self) -> str:
        """Return the whole of it."""
        found = self.relation()
        if not self.tokens or self.next() is not None:
            raise NoFormula(self.text)
        return found

    def next(self) -> str | None:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        token = self.next()
        if token in wanted:
            self.at += 1
            return token
        return None

    def require(self, wanted: str) -> None:
        if self.take(wanted) is None:
            raise NoFormula(self.text)

    def relation(self) -> str:
        parts = [self.sum()]
        while (sign := self.take(*RELATIONS, ",")) is not None:
            parts += [operator(sign), self.sum()]
        return row(*parts)

    def sum(self) -> str:
        sign = self.take("-")
        parts = [*([operator("-", "prefix")] if sign else []), self.product()]
        while (sign := self.take("+", "-")) is not None:
            parts += [operator(sign), self.product()]
        return row(*parts)

    def product(self) -> str:
        if self.tokens[self.at :][:1] == [("d", False)]:
            return self.differential()
        factors = [self.power()]
        while True:
            if self.take("/"):
                below = [self.power()]
                while below[-1].startswith("<munder"):
                    below.append(self.power())
                factors = [fraction(bare(row(*factors)), bare(row(*below)))]
            elif self.starts():
                factors.append(self.power())
            else:
                gap = "<mspace width='0.15em'/>"
                return row(*[part for factor in factors for part in (gap, factor)][1:])

    def differential(self) -> str:
        """`d f / d x`: one character for the derivative, whatever its parameters are."""
        parts = []
        for expected in ("d", "/", "d"):
            self.require(expected)
            if expected == "d":
                parts.append(row(operator("∂"), self.name()))
        return fraction(*parts)

    def starts(self) -> bool:
        token = self.next()
        return token is not None and (
            token == "(" or token[0].isalnum() or (token == "|" and not self.within_bars)
        )

    def power(self) -> str:
        base = self.atom()
        if self.take("_"):
            base = f"<msub>{base}{self.name()}</msub>"
        if not self.take("^"):
            return base
        sign = operator("-", "prefix") if self.take("-") else ""
        # What is raised to a sum in brackets needs none.
        exponent = self.within("(", ")") if self.next() == "(" else self.atom()
        return f"<msup>{base}{row(sign, exponent)}</msup>"

    def within(self, opening: str, closing: str) -> str:
        self.require(opening)
        found = self.relation()
        self.require(closing)
        return found

    def atom(self) -> str:
        token = self.next()
        if token is None:
            raise NoFormula(self.text)
        if token == "(":
            return brackets(self.within("(", ")"))
        if token == "|":
            self.within_bars = True
            self.at += 1
            found = self.sum()
            self.within_bars = False
            self.require("|")
            return row(operator("|", "prefix"), found, operator("|", "postfix"))
        if token[0].isdigit():
            self.at += 1
            return f"<mn>{token}</mn>"
        touches = self.tokens[self.at][1]
        name = self.name()
        if touches and self.next() == "(":
            if token == "sqrt":
                return f"<msqrt>{self.within('(', ')')}</msqrt>"
            return row(name, brackets(self.within("(", ")")))
        return name

    def name(self) -> str:
        """A name, its index below it."""
        token = self.next() or ""
        self.at += 1
        base, _, index = token.partition("_") if token not in self.known else (token, "", "")
        known = len(base) == 1 or base in self.known or base == "sqrt"
        if not base[:1].isalpha() or not known or len(index) > 1:
            raise NoFormula(self.text)
        if base == "sum":
            return f"<munder><mo>∑</mo><mi>{index}</mi></munder>"
        shown = f"<mi>{GREEK.get(base, base)}</mi>"
        return f"<msub>{shown}<mi>{index}</mi></msub>" if index else shown


def row(*parts: str) -> str:
    """Return parts beside each other."""
    parts = tuple(part for part in parts if part)
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def bare(part: str) -> str:
    """Return a part without the brackets around all of it: a fraction needs none."""
    found = re.fullmatch(r"<mrow><mo[^>]*>\(</mo>(.*)<mo[^>]*>\)</mo></mrow>", part)
    return found[1] if found else part


def brackets(part: str) -> str:
    """Return a part in brackets, which are as high as it is only if it holds a fraction."""
    stretchy = "true" if "<mfrac" in part else "false"
    ends = (f"<mo stretchy='{stretchy}'>{bracket}</mo>" for bracket in "()")
    return row(next(ends), part, next(ends))


def operator(sign: str, form: str = "") -> str:
    form = f' form="{form}"' if form else ""
    return f"<mo{form}>{escape(OPERATORS.get(sign, sign))}</mo>"


def fraction(above: str, below: str) -> str:
    return f"<mfrac>{above}{below}</mfrac>"


def inline(text: str, known: tuple[str, ...]) -> str:
    """Return a formula within a sentence."""
    return f"<math>{Formula(text, known).read()}</math>"


def block(lines: list[str], known: tuple[str, ...]) -> str:
    """Return a formula that stands alone: a line, or one for each case after the first `=`."""
    split = [re.split(r"\s{3,}", line.strip(), maxsplit=1) for line in lines]
    left, sign, split[0][0] = split[0][0].partition(" = ")
    if not sign:
        raise NoFormula(lines[0])
    rows = []
    for formula, *condition in split:
        shown = Formula(formula, known).read()
        rest = "".join(words(part, known) for part in condition)
        if len(lines) == 1:
            gap = "<mspace width='1.5em'/>" if rest else ""
            rows.append(shown + gap + rest)
        else:
            rows.append(f"<mtr><mtd>{shown}</mtd><mtd>{rest}</mtd></mtr>")
    right = rows[0]
    if len(lines) > 1:
        cells = f"<mtable columnalign='left' displaystyle='true'>{''.join(rows)}</mtable>"
        right = f"<mrow><mo form='prefix' stretchy='true'>{{</mo>{cells}</mrow>"
    shown = Formula(left, known).read()
    return f'<math display="block">{row(shown, operator("="), right)}</math>'


def words(text: str, known: tuple[str, ...]) -> str:
    """Return what stands behind a formula: words, as text of it, and formulas between them."""
    parts = []
    for is_word, part in divided(text):
        parts.append(f"<mtext>{part}&#160;</mtext>" if is_word else Formula(part, known).read())
    return row(*parts)


def sentence(text: str, known: tuple[str, ...]) -> str:
    """Return a sentence with its formulas typeset; what is none stays as it is."""
    parts = []
    for is_word, part in divided(text):
        try:
            parts.append(part if is_word else inline(part, known))
        except NoFormula:
            parts.append(escape(part, quote=False))
    return re.sub(r" ([,:;.])", r"\1", " ".join(parts))


def divided(text: str) -> Iterator[tuple[bool, str]]:
    """Yield what separates formulas, words and marks, and what stands between them."""
    for part in re.split(rf"\b({WORDS})\b|([:;](?=\s)|,(?=\s)(?![^()]*\))|\.$)", text):
        if part and part.strip():
            yield re.fullmatch(rf"{WORDS}|[,:;.]", part.strip()) is not None, part.strip()
