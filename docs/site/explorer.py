"""The explorer: the part of a page where parameters are moved by hand."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "explorer"
SCRIPTS = ("primitives.js", "explorer.js")
"""Written by hand."""


def scripts() -> dict[str, str]:
    """Return its modules by name; that of the activations is generated."""
    sys.path.append(str(ROOT / "src"))
    from codegen.family import family
    from codegen.targets import javascript

    kept = {name: (FOLDER / name).read_text("utf-8") for name in SCRIPTS}
    module = javascript.module(family(ROOT / "src" / "formulas"))
    return {
        **kept,
        "activations.js": f'import {{ primitives }} from "./primitives.js";\n\n{module}',
    }


def explorer() -> str:
    """Return it with all that it needs."""
    modules = scripts()
    order = ("primitives.js", "activations.js", "explorer.js")
    text = "\n".join(modules[name] for name in order)
    text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    return (FOLDER / "explorer.html").read_text("utf-8").replace("//SCRIPT\n", text)
