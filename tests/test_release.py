"""What states the version, the requirements or the address a second time, says the same."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RECIPE = (ROOT / "recipe" / "recipe.yaml").read_text("utf-8")
STATED = ("CHANGELOG.md", "CITATION.cff", "meson.build", "pyproject.toml", "recipe/recipe.yaml")


def version():
    """Return what the build calls itself."""
    return re.search(r"^  version: '(.*)',$", (ROOT / "meson.build").read_text("utf-8"), re.M)[1]


def test_one_place_says_how_an_extra_is_installed():
    """So that one line changes when the package is on an index; each extra said is there."""
    texts = {path: path.read_text("utf-8") for path in (ROOT / "s3s4").rglob("*.py")}
    assert [p.name for p, text in texts.items() if re.search(r"pip install \S*\[", text)] == [
        "_extras.py"
    ]
    said = re.findall(r"to_install\([\"'](\w+)[\"']\)", "".join(texts.values()))
    assert said
    assert set(said) <= PROJECT["project"]["optional-dependencies"].keys()


@pytest.fixture
def release(tmp_path):
    """Return what runs .ci/release on a copy whose changelog has the version's date."""
    for name in (*STATED, ".ci/release"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    heading = rf"^## {re.escape(version())} \(.*\)$"
    text = changelog.read_text("utf-8")
    changelog.write_text(re.sub(heading, f"## {version()} (2026-01-31)", text, flags=re.M))

    def run(tag, repository):
        command = [tmp_path / ".ci" / "release", tag, repository]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_a_tag_that_fits_is_released(release):
    done = release(f"v{version()}", PROJECT["project"]["urls"]["Repository"])
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("tag", "repository", "says"),
    [
        ("v99.0", None, "meson.build does not say: version: '99.0',"),
        ("0.1", None, "the tag is not vX.Y.Z: 0.1"),
        (None, "https://example.org/fork", 'pyproject.toml does not say: Repository = "https://'),
    ],
)
def test_what_does_not_fit_is_refused(release, tag, repository, says):
    address = PROJECT["project"]["urls"]["Repository"]
    done = release(tag or f"v{version()}", repository or address)
    assert done.returncode == 1
    assert says in done.stdout


def test_a_version_without_a_date_is_refused(release, tmp_path):
    (tmp_path / "CHANGELOG.md").write_text(f"## {version()} (unreleased)\n")
    done = release(f"v{version()}", PROJECT["project"]["urls"]["Repository"])
    assert done.returncode == 1
    assert "dated" in done.stdout


def test_the_recipe_requires_what_the_package_requires():
    host = RECIPE.partition("  host:")[2].partition("  run:")[0]
    run = RECIPE.partition("  run:")[2].partition("tests:")[0]
    for part, wanted in (
        (host, PROJECT["build-system"]["requires"]),
        (run, PROJECT["project"]["dependencies"]),
    ):
        stated = set(re.findall(r"^    - (.+)$", part, re.M)) - {"pip", "python"}
        assert {s for s in stated if not s.startswith("if:")} == {
            re.sub(r"(?<=[\w-])(?=[<>=])", " ", w, count=1) for w in wanted
        }
    for command, function in PROJECT["project"]["scripts"].items():
        assert f"- {command} = {function}\n" in RECIPE
