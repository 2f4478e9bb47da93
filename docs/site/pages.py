"""The pages of the site that follow from the formulas and accuracy.md, and are not kept in git."""

from pathlib import Path

import activation
import pictures
from explorer import explorer
from markdown import picture, table

from s3s4._rows import row_activations
from s3s4._table import TABLE


def texts() -> dict[str, str]:
    """Return every page by its place in the site."""
    return {
        **{f"functions/{name}.md": activation.page(name) for name in TABLE},
        **{f"functions/{name}.md": activation.row_page(name) for name in row_activations},
        "functions/index.md": index(),
        "gallery.md": gallery(),
        "explorer.html": explorer(),
    }


def index() -> str:
    """Return the list of all pages."""
    rows = [
        [f"[{name}](functions/{name}.md)", f"`{activation.signature(name)}`", first(entry.doc)]
        for name, entry in TABLE.items()
    ]
    rows += [
        [f"[{name}](functions/{name}.md)", f"`{name}(x, axis=-1)`", first(one.__doc__ or "")]
        for name, one in row_activations.items()
    ]
    lines = [
        "# Activations",
        "",
        "All of them in one picture: [the gallery](../gallery.md).",
        "",
        *[line.replace("](functions/", "](") for line in table(["", "call", ""], rows)],
        "",
        "```{toctree}",
        ":hidden:",
        "",
        "../gallery",
        *TABLE,
        *row_activations,
        "```",
        "",
    ]
    return "\n".join(lines)


def first(doc: str) -> str:
    """Return what a docstring begins with."""
    return doc.partition("\n")[0]


def gallery() -> str:
    """Return the page of the picture of all activations."""
    links = ", ".join(f"[{name}](functions/{name}.md)" for name in TABLE)
    lines = [
        "# Gallery",
        "",
        "Every activation and its derivative by x (dashed) on one scale, with the default"
        " parameters, and S4 for several k. Any of them in one picture:"
        " `s3s4 plot gelu mish s4 --derivative`.",
        "",
        *picture("gallery.svg", "Every activation and its derivative"),
        links,
        "",
    ]
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Write everything."""
    (folder / "functions").mkdir()
    for place, text in texts().items():
        (folder / place).write_text(text, "utf-8")
    for place, figure in pictures.drawn():
        # The theme's ground is that of the page.
        figure.savefig(folder / place, transparent=True)
