"""For PyInstaller: the variants are imported by names that no statement tells it."""

from PyInstaller.utils.hooks import collect_submodules

# What else an application uses it imports itself: s3s4.torch would bring all of PyTorch.
hiddenimports = collect_submodules(
    "s3s4", filter=lambda name: name == "s3s4" or name.startswith("s3s4._kernels_")
)
