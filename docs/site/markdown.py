"""Pieces of pages in MyST's Markdown, as lines."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table; a bar in a cell would end it."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in (head, *rows)]
    return [f"| {line} |" for line in (lines[0], " | ".join(["---"] * len(head)), *lines[1:])]


def directive(name: str, argument: str = "", body: Sequence[str] = (), **options: str) -> list[str]:
    """Return a directive of Sphinx's."""
    given = [f":{key}: {value}" for key, value in options.items()]
    return [f"::::{{{name}}} {argument}".rstrip(), *given, *body, "::::", ""]


def picture(file: str, alt: str) -> list[str]:
    """Return what shows one of two pictures, FILE-light and FILE-dark, by the theme."""
    name, _, suffix = file.rpartition(".")
    return [
        line
        for theme in ("light", "dark")
        for line in directive(
            "image", f"{name}-{theme}.{suffix}", **{"alt": alt, "class": f"only-{theme}"}
        )
    ]
