"""The README is also the page of a package index, which has none of the repository's files."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
REPOSITORY = URLS["Repository"]
REFERENCES = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", README, re.MULTILINE))
IN_CODE = re.compile(r"^```.*?^```$|^ {4}[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
TEXT = IN_CODE.sub("", README)


def test_links_are_absolute_or_within_the_page():
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", TEXT)
    for target in [*map("".join, targets), *REFERENCES.values()]:
        assert re.match(r"https://|#", target), target


def test_links_into_the_repository_lead_somewhere():
    found = re.findall(re.escape(REPOSITORY) + r"/(?:blob|raw|tree)/main/([\w./-]+)", README)
    assert found
    assert not [path for path in found if not (ROOT / path).exists()]


def test_every_reference_is_defined_and_used():
    body = re.sub(r"^\[[^\]]+\]: \S+$", "", TEXT, flags=re.MULTILINE)
    used = set(re.findall(r"\[[^\]]+\]\[([^\]]+)\]", body))
    used |= set(re.findall(r"(?<!\])\[([^\]]+)\](?![(\[])", body))
    assert used == set(REFERENCES)


@pytest.mark.parametrize("place", ["CITATION.cff", "README.md", "pyproject.toml"])
def test_the_repository_has_one_address(place):
    """A fork, or a move, changes it by one search: CONTRIBUTING.md says how."""
    hosts = re.findall(r"https://github\.com/[\w.-]+/[\w.-]+", (ROOT / place).read_text("utf-8"))
    assert set(hosts) == {REPOSITORY}
