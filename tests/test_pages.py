"""The pages that are written by hand are sound, and those that commands write can be made."""

import doctest
import importlib
import re
from itertools import islice
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


@pytest.fixture(scope="module")
def load():
    """Import a module of the site from where it lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "site")
        yield importlib.import_module


@pytest.fixture(scope="module")
def texts(load):
    return load("pages").texts()


def test_every_activation_gets_its_page(texts):
    assert {*texts} - {"functions/index.md", "gallery.md", "explorer.html"} == {
        f"functions/{name}.md" for name in s3s4.activations
    }
    for name in s3s4.activations:
        assert f"({name}.md)" in texts["functions/index.md"]
    for name, activation in ELEMENTWISE.items():
        for by in activation.parameters:
            assert f'wrt="{by}"' in texts[f"functions/{name}.md"]
        assert f"(functions/{name}.md)" in texts["gallery.md"]


def test_everything_is_staged_for_sphinx(load, texts, tmp_path, monkeypatch):
    """With one picture: that of every activation is the same code."""
    monkeypatch.setattr(load("pages"), "texts", lambda: texts)
    some = list(islice(load("pictures").drawn(), 2))
    monkeypatch.setattr(load("pictures"), "drawn", lambda: some)
    load("stage").stage(tmp_path / "site")
    assert (tmp_path / "site" / some[1][0]).read_bytes().startswith(b"<?xml")
    guide = (tmp_path / "site" / "guide.md").read_text("utf-8")
    assert "](rows.md)" in guide
    assert "](docs/" not in guide


def test_examples_of_pages_hold(texts):
    """They are computed when pages are made; here by Python's own doctest."""
    examples = {place: text for place, text in texts.items() if ">>> " in text}
    assert len(examples) == len(s3s4.activations)
    for place, text in examples.items():
        block = re.search(r"```python\n(>>> .*?)```", text, re.DOTALL)[1]
        test = doctest.DocTestParser().get_doctest(block, {}, place, place, 0)
        assert doctest.DocTestRunner().run(test).failed == 0


def test_the_family_has_no_empty_cell(load, monkeypatch):
    """The page is made of what the comparisons say, which take minutes and PyTorch."""
    family = load("family")
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
