"""For PyInstaller: the variants are imported by names that no statement tells it."""

from s3s4._cpu.variant import MODULES

hiddenimports = [*MODULES.values()]
