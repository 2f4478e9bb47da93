"""Gather the pages of the site in a folder for Sphinx: `make site`.

# Design:
# - Pages are kept where a reader of the repository looks for them, and link to each other there.
#   The site has them side by side: README.md as the guide, everything of docs/ beside it.
# - What leads to a file that is no page leads to the repository.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

import pages
from markdown import picture

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

PLACES = {
    "README.md": "guide.md",
    **{f"docs/{file.name}": file.name for file in DOCS.glob("*.md") if file.stem != "family"},
    "docs/decisions/README.md": "decisions.md",
    **{name: name.lower() for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")},
    **{f"docs/site/{file.name}": file.name for file in DOCS.glob("site/*.md")},
}
"""Where each page of the repository stands in the site."""
GUIDE = """# Guide

```{toctree}
:hidden:

rows
containers
initialization
recipes
command
gpu
```
"""
"""In place of the heading of README.md."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
DEFINITION = re.compile(r"^\[([^\]]+)\]: (\S+)\n", re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
PICTURE = re.compile(r'<picture>\n<source .*>\n<img src="([^"]*)" alt="([^"]*)".*>\n</picture>\n')


def staged(text: str, place: str) -> str:
    """Return a page as it is in the site, with its links and pictures."""
    folder = (ROOT / place).parent
    for label, target in DEFINITION.findall(text):
        name = re.escape(label)
        text = re.sub(rf"\[([^\]]+)\]\[{name}\]", rf"[\1]({target})", text)
        text = re.sub(rf"\[{name}\](?![\[(:])", f"[{label}]({target})", text)
    text = DEFINITION.sub("", text)

    def link(found: re.Match[str]) -> str:
        image, label, target, anchor = found.groups(default="")
        if not target:
            return found[0]
        path = re.sub(rf"^{REPOSITORY}/\w+/main/", "/", target)
        if ":" in path:
            return found[0]
        inside = path[1:] if path[0] == "/" else (folder / path).resolve().relative_to(ROOT)
        path = str(inside)
        if path == "docs/functions.png":
            return "\n".join(picture("functions.svg", label))
        if path in PLACES or image:
            # Sphinx puts a page's title in place of nothing; its file's name says less.
            label = "" if label.endswith(".md") else label
            return f"{image}[{label}]({PLACES.get(path, path.removeprefix('docs/'))}{anchor})"
        return f"[{label}]({REPOSITORY}/blob/main/{path})"

    def themed(found: re.Match[str]) -> str:
        light, alt = found.groups()
        return "\n".join(picture(light.replace("-light.", "."), alt))

    text = PICTURE.sub(themed, LINK.sub(link, text))
    return text.replace("# s3s4\n", GUIDE, 1) if place == "README.md" else text


def stage(folder: Path) -> None:
    """Write everything that Sphinx reads, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for place, at in PLACES.items():
        (folder / at).write_text(staged((ROOT / place).read_text("utf-8"), place), "utf-8")
    for file in [*DOCS.glob("*-*.png"), *DOCS.glob("study/*.png")]:
        target = folder / file.relative_to(DOCS)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)
    pages.write(folder)


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
