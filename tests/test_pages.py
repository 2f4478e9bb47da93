"""The pages of the activations are those that their command writes today."""

import importlib
import re
from pathlib import Path

import pytest

import s3s4
from support import ELEMENTWISE

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]


@pytest.fixture
def pages(monkeypatch):
    """Import the module of the pages from where it lies."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("pages")


def test_pages_are_current(pages):
    texts = pages.texts()
    for file, text in texts.items():
        assert file.exists(), f"{file} is missing: make pages"
        assert file.read_text("utf-8") == text, f"{file} is stale: make pages"
    assert {*pages.FOLDER.glob("*.md")} == {file for file in texts if file.parent == pages.FOLDER}


def test_every_activation_has_its_page_and_picture(pages):
    names = {file.stem for file in pages.FOLDER.glob("*.md")} - {"README"}
    assert names == {file.stem for file in pages.FOLDER.glob("*.png")} == {*ELEMENTWISE}
    for name in names:
        assert f"({name}.md)" in (pages.FOLDER / "README.md").read_text("utf-8")


def test_every_page_shows_a_formula_and_all_derivatives(pages):
    for name, activation in ELEMENTWISE.items():
        text = pages.page(name)
        assert f"\n    {name}(x" in text
        for by in activation.parameters:
            assert f'wrt="{by}"' in text


def test_the_family_has_no_empty_cell():
    lines = (DOCS / "family.md").read_text("utf-8").splitlines()
    head, _, *rows = [line.removeprefix("|").split("|")[:-1] for line in lines if line[:1] == "|"]
    assert [row[0].partition("]")[0].strip(" [") for row in rows] == [*s3s4.activations]
    for row in rows:
        assert len(row) == len(head)
        assert all(cell.strip() for cell in row)


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
