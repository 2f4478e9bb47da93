"""Copy the examples into embedding.md, below the comments that name them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "embedding.md"
LANGUAGES = {
    "CMakeLists.txt": "cmake",
    "*.c": "c",
    "*.cpp": "cpp",
    "*.py": "python",
    "*.pyx": "cython",
    "*.toml": "toml",
}


def included(page: str) -> str:
    """Return a page with every example as its file is now."""

    def block(name: re.Match[str]) -> str:
        path = ROOT / name[1]
        language = next((LANGUAGES[kind] for kind in LANGUAGES if path.match(kind)), "")
        return f"<!-- {name[1]} -->\n```{language}\n{path.read_text('utf-8')}```\n"

    pattern = r"<!-- (examples/\S+) -->\n(?:```\w*\n.*?^```\n)?"
    return re.sub(pattern, block, page, flags=re.MULTILINE | re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(included(PAGE.read_text("utf-8")), "utf-8")
