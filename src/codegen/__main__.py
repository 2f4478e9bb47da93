"""Write every target into a folder: python -m codegen FOLDER DEPFILE.

A file whose text is what it was is left alone: what is compiled from it need not be again.
"""

import sys
from pathlib import Path

from codegen.family import family
from codegen.targets import c_blocks, c_tables, capsule, cython, python_tables, stubs, symbols

SOURCE = Path(__file__).parents[1]
TARGETS = {
    "s3s4.h": c_blocks.header,
    "s3s4_api.h": capsule.api,
    "table.h": c_tables.functions,
    "row_table.h": c_tables.row_functions,
    "symbols.h": symbols.header,
    "__init__.pxd": cython.declarations,
    "_table.py": python_tables.activations,
    "_row_table.py": python_tables.rows,
    "__init__.pyi": stubs.package,
    "ufuncs.pyi": stubs.ufuncs,
}


def main(folder: str, depfile: str) -> None:
    formulas = family(SOURCE / "formulas")
    for name, text in {name: target(formulas) for name, target in TARGETS.items()}.items():
        output = Path(folder, name)
        if not output.exists() or output.read_text() != text:
            output.write_text(text)
    dependencies = " ".join(str(path).replace(" ", "\\ ") for path in read_files())
    Path(depfile).write_text(f"{Path(folder, next(iter(TARGETS)))}: {dependencies}\n")


def read_files() -> list[Path]:
    """What the texts depend on: this package, the formulas, and what the targets read beside."""
    return [*Path(__file__).parent.rglob("*.py"), *(SOURCE / "formulas").glob("*.py"), stubs.INIT]


if __name__ == "__main__":
    main(*sys.argv[1:])
