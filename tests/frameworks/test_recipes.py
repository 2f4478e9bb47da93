"""The blocks of docs/recipes.md run, each in an interpreter of its own."""

import importlib.util
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
    "timm": "timm",
    "Flax NNX": "flax",
    "Equinox": "equinox",
}
OPERATORS = """
import torch

try:
    import torchvision
except RuntimeError as error:  # of a build for another PyTorch than the installed one
    assert "operator torchvision::" in str(error), error
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
"""timm imports torchvision, and calls none of its operators here."""


def test_every_recipe_is_known():
    assert RECIPES.keys() == NEEDS.keys()


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name):
    if importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{name} is not installed: it is in [frameworks]")
    before = OPERATORS if name == "timm" else ""
    python(before + RECIPES[name], timeout=300)
