"""What PyInstaller asks for, by the entry point pyinstaller40."""

from pathlib import Path


def hook_folders() -> list[str]:
    """Where the hook of this package lies."""
    return [str(Path(__file__).parent)]
