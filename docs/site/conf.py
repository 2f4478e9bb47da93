"""Sphinx's settings for the site: `make site`."""

# Design:
# - Nothing is fetched, neither by the build nor by the reader's browser. What other projects are
#   called, and where, is in elsewhere.py.
# - Docstrings name types in words (numpydoc), so annotations are not shown beside them.

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import elsewhere

import s3s4

project = "s3s4"
author = "the authors of s3s4"
version = release = s3s4.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_design",
]
nitpicky = True
default_role = "autolink"
highlight_language = "text"

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
intersphinx_mapping = elsewhere.mapping()

html_theme = "pydata_sphinx_theme"
html_favicon = "_static/icon.svg"
html_context = {"default_mode": "auto"}
html_title = f"s3s4 {release}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {
    page: [] for page in ("index", "frameworks", "embedding", "operations", "reference", "genindex")
}
