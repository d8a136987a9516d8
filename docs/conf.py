"""Sphinx's configuration: `make docs` builds the site from this folder, without the network."""

from __future__ import annotations

from importlib import metadata

project = "phoenix-actors"
author = "phoenix-actors contributors"
project_copyright = author
release = metadata.version("phoenix-actors")
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
# The package and its asyncio side have classes of the same names.
suppress_warnings = ["ref.python"]

myst_heading_anchors = 3

# Docstrings write code in single backticks.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
autodoc_default_options = {"members": True, "show-inheritance": True}

html_theme = "furo"
html_title = f"phoenix-actors {release}"
html_copy_source = False
html_show_sphinx = False
