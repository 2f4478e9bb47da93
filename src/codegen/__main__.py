"""Write every target into a folder, and what they depend on: python -m codegen FOLDER DEPFILE."""

import sys
from pathlib import Path

from codegen.family import family
from codegen.targets import (
    arrays,
    c_blocks,
    c_rows,
    c_tables,
    capsule,
    cython,
    gpu,
    gpu_rows,
    jax,
    keras,
    polynomials,
    python_tables,
    pytorch,
    stubs,
    symbols,
)

SOURCE = Path(__file__).parents[1]
TARGETS = {
    "s3s4.h": c_blocks.header,
    "functions.h": c_blocks.functions,
    "s3s4_api.h": capsule.api,
    "polynomials.h": polynomials.header,
    "vector_polynomials.h": polynomials.vectors,
    "rows.h": c_rows.header,
    "row_functions.h": c_rows.functions,
    "table.h": c_tables.functions,
    "row_table.h": c_tables.row_functions,
    "symbols.h": symbols.header,
    "__init__.pxd": cython.declarations,
    "_table.py": python_tables.activations,
    "_row_table.py": python_tables.rows,
    "_formulas_gpu.py": gpu.module,
    "_rows_gpu.py": gpu_rows.module,
    "torch_operators.h": pytorch.operators,
    "__init__.py": pytorch.package,
    "_array_forms.py": arrays.module,
    "jax.py": jax.in_operations,
    "jax_kernels.py": jax.on_kernels,
    "keras.py": keras.module,
    "_functions.py": pytorch.functions,
    "_modules.py": pytorch.modules,
    "__init__.pyi": stubs.package,
    "ufuncs.pyi": stubs.ufuncs,
}


def main(folder: str, depfile: str) -> None:
    formulas = family(SOURCE / "formulas")
    texts = {name: target(formulas) for name, target in TARGETS.items()}
    for name, text in texts.items():
        Path(folder, name).write_text(text)
    dependencies = " ".join(str(path).replace(" ", "\\ ") for path in read_files())
    Path(depfile).write_text(f"{Path(folder, next(iter(TARGETS)))}: {dependencies}\n")


def read_files() -> list[Path]:
    """What the texts depend on: this package, the formulas, and what the targets read beside."""
    own = [*Path(__file__).parent.rglob("*.py"), *(SOURCE / "formulas").glob("*.py")]
    return [*own, gpu.PRIMITIVES, arrays.PRIMITIVES, stubs.INIT, stubs.HEAD]


if __name__ == "__main__":
    main(*sys.argv[1:])
