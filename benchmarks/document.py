"""The marked parts of a document, which commands write."""

import re


def fill(document: str, written: dict[str, str]) -> str:
    """Replace the marked parts of a document; refuse one that has a mark without results."""

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in written:
            raise SystemExit(f"no results for the section {name!r}")
        return f"{match['begin']}\n{written[name]}{match['end']}"

    return re.sub(
        r"(?P<begin><!-- begin: (?P<name>[\w-]+) -->).*?(?P<end><!-- end: (?P=name) -->)",
        replace,
        document,
        flags=re.DOTALL,
    )
