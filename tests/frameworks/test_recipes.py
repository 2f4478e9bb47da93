"""The blocks of docs/recipes.md run, each in an interpreter of its own."""

import re
from pathlib import Path

import pytest

from support import python

pytestmark = pytest.mark.frameworks

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^## (.*?)\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
NEEDS = {
    "scikit-learn": "sklearn",
    "pandas": "pandas",
    "polars": "polars",
    "DuckDB": "duckdb",
    "Transformers": "transformers",
}


def test_every_recipe_is_known():
    assert RECIPES.keys() == NEEDS.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name):
    pytest.importorskip(NEEDS[name], reason=f"{name} is not installed: it is in [frameworks]")
    done = python(RECIPES[name], timeout=300)
    assert not done.stdout
