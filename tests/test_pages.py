"""The pages that are written by hand are sound, and those that commands write can be made."""

import importlib
import re
from pathlib import Path

import pytest

import s3s4
from support import ELEMENTWISE

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [*DOCS.parent.glob("*.md"), *DOCS.glob("*.md"), *DOCS.glob("decisions/*.md")]
GENERATED = {DOCS / "family.md"}
"""What is there only once its command was run."""


def links(text):
    """The files that a page links to, relative to it."""
    found = re.findall(r"\]\(([^)#\s,]+)(?:#[^)\s]*)?\)", text)
    return [link for link in found if ":" not in link]


@pytest.fixture
def pages(monkeypatch):
    """Import the module of the pages from where it lies."""
    monkeypatch.syspath_prepend(DOCS / "site")
    return importlib.import_module("pages")


def test_every_activation_gets_its_page(pages):
    texts = pages.texts()
    names = {*texts} - {"functions/index.md", "gallery.md", "explorer.html"}
    assert names == {f"functions/{name}.md" for name in ELEMENTWISE}
    for name in ELEMENTWISE:
        assert f"({name}.md)" in texts["functions/index.md"]
        assert f"(functions/{name}.md)" in texts["gallery.md"]


def test_pages_can_be_made(pages, tmp_path, monkeypatch):
    """With one picture of each kind: that of every activation is the same code."""
    drawn = pages.pictures()
    some = [next(drawn)]
    monkeypatch.setattr(pages, "pictures", lambda: some)
    pages.write(tmp_path)
    made = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")}
    assert made == {*pages.texts(), some[0][0]}
    assert (tmp_path / some[0][0]).read_bytes().startswith(b"\x89PNG")


def test_every_page_shows_a_formula_and_all_derivatives(pages):
    for name, activation in ELEMENTWISE.items():
        text = pages.page(name)
        assert f"\n    {name}(x" in text
        for by in activation.parameters:
            assert f'wrt="{by}"' in text


def test_the_family_has_no_empty_cell(pages, monkeypatch):
    """The page is made of what the comparisons say, which take minutes and PyTorch."""
    family = importlib.import_module("family")
    monkeypatch.setattr(family, "simulated", lambda: dict.fromkeys(ELEMENTWISE, "0.0 eps"))
    monkeypatch.setattr(family, "beside_torch", lambda: dict.fromkeys(ELEMENTWISE, "value"))
    lines = family.text().splitlines()
    head, _, *rows = [line.removeprefix("|").split("|")[:-1] for line in lines if line[:1] == "|"]
    assert [row[0].partition("]")[0].strip(" [") for row in rows] == [*s3s4.activations]
    for row in rows:
        assert len(row) == len(head)
        assert all(cell.strip() for cell in row)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_link_leads_to_a_file_of_the_repository(page):
    for link in links(page.read_text("utf-8")):
        target = (page.parent / link).resolve()
        assert target.exists(), f"{page}: {link}"
        if page not in GENERATED:
            assert not GENERATED & {target, *target.parents}, f"{page}: {link} is not kept in git"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS.parent)))
def test_every_row_of_a_table_has_the_cells_of_its_head(page):
    fenced, width = False, 0
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        fenced ^= line.startswith("```")
        if fenced or not line.startswith("|"):
            width = 0
            continue
        # A bar that is escaped belongs to its cell.
        cells = len(re.findall(r"(?<!\\)\|", line.rstrip())) - 1
        width = width or cells
        assert cells == width, f"{page}:{number}: {cells} cells, its head has {width}"
