"""The explorer's JavaScript computes what the package does."""

import importlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import s3s4
from support import ELEMENTWISE

DOCS = Path(__file__).resolve().parent.parent / "docs"
X = np.concatenate(
    [np.linspace(-40, 40, 321), [-0.0, 1e-9, -1e-9, 700, -700, 1e9, -1e9, np.inf, -np.inf, np.nan]]
)
SCALES = (1.0, 0.5, 3.0)
"""Of the parameters, from their defaults."""
ERROR = 5e-14
"""Of max(1, |y|): JavaScript's own exponential, and no fused operations."""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node to run JavaScript")
PROGRAM = """
import fs from "node:fs";
import { activations } from "./activations.js";
const number = (v) => (typeof v === "string" ? Number(v) : v);
const { x, asked } = JSON.parse(fs.readFileSync(0, "utf8"));
const results = asked.map(([name, by, given]) => {
  const one = activations[name];
  const f = by ? one.derivatives[by] : one.value;
  return x.map((v) => String(f(number(v), ...given)));
});
console.log(JSON.stringify(results));
"""


@pytest.fixture(scope="module")
def explorer():
    """Import the module of the explorer from where it lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "site")
        yield importlib.import_module("explorer")


@pytest.fixture(scope="module")
def folder(explorer, tmp_path_factory):
    """The explorer's modules, as node takes them."""
    folder = tmp_path_factory.mktemp("explorer")
    for name, text in explorer.scripts().items():
        (folder / name).write_text(text, "utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "program.js").write_text(PROGRAM)
    return folder


def node(folder, given):
    """Run the program."""
    done = subprocess.run(
        ["node", "program.js"],
        cwd=folder,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@needs_node
def test_values_and_derivatives_are_the_ufuncs(folder):
    asked = []
    for name in ELEMENTWISE:
        parameters = s3s4.get(name).parameters
        for scale in SCALES if parameters else SCALES[:1]:
            given = [scale * usual for usual in parameters.values()]
            asked += [(name, by, given) for by in (None, "x", *parameters)]
    numbers = {np.inf: "Infinity", -np.inf: "-Infinity"}
    x = ["NaN" if np.isnan(v) else numbers.get(v, v) for v in X.tolist()]
    results = node(folder, {"x": x, "asked": asked})
    for (name, by, given), texts in zip(asked, results, strict=True):
        found = np.array([float(text.replace("Infinity", "inf")) for text in texts])
        call = s3s4.get(name)
        expected = call(X, *given) if by is None else call.derivative(X, *given, wrt=by)
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(found[~finite], expected[~finite], err_msg=f"{name} {by}")
        error = np.abs(found[finite] - expected[finite])
        assert (error <= ERROR * np.maximum(1, np.abs(expected[finite]))).all(), (name, by, given)


def test_it_is_whole_and_asks_no_network(explorer):
    page = explorer.explorer()
    assert "//SCRIPT" not in page
    assert "import " not in page.partition("<script")[2]
    assert "http" not in page.replace("http://www.w3.org", "")
    for name in ELEMENTWISE:
        assert f"\n{name}: {{" in page
