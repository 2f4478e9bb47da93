"""For PyInstaller: the variants are imported by names that no statement tells it."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("s3s4", filter=lambda name: name.count(".") < 2)
