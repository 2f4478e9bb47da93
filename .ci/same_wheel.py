"""Build a wheel from an sdist, outside any repository, and compare it with another wheel.

Usage: python same_wheel.py SDIST WHEEL
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile


def build(sdist: str, folder: Path) -> Path:
    """The wheel that pip builds from the unpacked sdist, in an isolated environment."""
    shutil.unpack_archive(sdist, folder)
    (source,) = folder.iterdir()
    wheels = folder / "wheels"
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(wheels)]
    subprocess.run([*pip, str(source)], check=True)
    (wheel,) = wheels.iterdir()
    return wheel


def content(wheel: Path) -> dict[str, bytes]:
    """What must be the same: names of all files, and the bytes of those that are not compiled."""
    with ZipFile(wheel) as archive:
        return {
            name: b"" if name.endswith((".so", "RECORD")) else archive.read(name)
            for name in archive.namelist()
        }


def main(sdist: str, wheel: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        other = build(sdist, Path(folder))
        if other.name != Path(wheel).name:
            sys.exit(f"the sdist builds {other.name}, the repository {Path(wheel).name}")
        ours, theirs = content(Path(wheel)), content(other)
    differ = sorted(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
    if differ:
        sys.exit(f"the wheels of the repository and of the sdist differ in {', '.join(differ)}")
    print(f"{Path(sdist).name} builds the same {Path(wheel).name}: {len(ours)} files")


if __name__ == "__main__":
    main(*sys.argv[1:])
