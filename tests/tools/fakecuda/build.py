"""What is compiled: kernels from PTX, the device, and the driver; each once.

Usage: python build.py PATH < kernel.ptx, which is how the driver makes a library of a kernel.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fakecuda.ptx import Kernel

FLAGS = ("-march=haswell", "-fno-math-errno", "-shared", "-fPIC")
DRIVER = ("device.c", "streams.c", "driver.c", "memory.c", "order.c", "graphs.c", "code.c")
EXACT, FUSED = ("-w", "-O1", "-ffp-contract=off"), ("-w", "-O2", "-ffp-contract=fast")
"""Fused: products and sums that PTX leaves free, as its assembler may do."""
KERNEL_FLAGS = FUSED if os.environ.get("FAKECUDA_CONTRACT") == "1" else EXACT


def compile_shared(path: Path, flags: tuple[str, ...], sources: tuple[str, ...], text: str = ""):
    """A shared object of C files of this folder, or of a text; whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        given = [HERE / name for name in sources] or ["-x", "c", "-"]
        command = [os.environ.get("CC", "cc"), *FLAGS, *flags, f"-I{HERE}", *given, "-lm", "-ldl"]
        subprocess.run([*command, "-o", made], input=text, text=True, check=True)
        made.rename(path)
    return path


def kernel(ptx: str, path: Path) -> Path:
    """The library of a kernel.

    Raises
    ------
    Refused
        If there is an instruction in it that is not known.
    """
    return compile_shared(path, KERNEL_FLAGS, (), Kernel(ptx).source())


@cache
def folder() -> Path:
    """Where compiled things are kept, for this text of everything that they are made of."""
    digest = hashlib.sha256(repr(KERNEL_FLAGS).encode())
    for source in sorted([*HERE.glob("*.[ch]"), *HERE.glob("*.py")]):
        digest.update(source.read_bytes())
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = root / "fakecuda" / digest.hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    return place


def _true_linker(name: str) -> Path:
    spec = find_spec("nvidia")
    for wheels in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(wheels).glob(f"*/lib/{name}"):
            return path
    raise SystemExit(f"fakecuda needs NVIDIA's {name}: install numba-cuda[cu13]")


def environment(linker: bool = True) -> dict[str, str]:
    """What a program needs in its environment to find this driver, which is built if need be.

    Parameters
    ----------
    linker : bool
        Whether it links: Numba does.
    """
    place = folder()
    driver = place / "libcuda.so.1"
    if not driver.exists():
        compile_shared(driver, ("-O2", "-pthread"), DRIVER)
    search = [str(place), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    found = {
        "LD_LIBRARY_PATH": ":".join(search),
        "FAKECUDA_FOLDER": str(place),
        "FAKECUDA_BUILD": f"{sys.executable} -I {HERE / 'build.py'}",
        "S3S4_CACHE_DIR": os.environ.get("S3S4_CACHE_DIR", str(place)),
    }
    if not linker:
        return found
    ours = place / "libnvJitLink.so.13"
    if not ours.exists():
        compile_shared(ours, ("-O2", f"-Wl,-soname,{ours.name}"), ("linker.c",))
    return found | {"LD_PRELOAD": str(ours), "FAKECUDA_LINKER": str(_true_linker(ours.name))}


if __name__ == "__main__":
    kernel(sys.stdin.read(), Path(sys.argv[1]))
