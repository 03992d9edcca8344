"""Sphinx: MyST Markdown, furo, the API from docstrings. `make docs` builds with every warning an error."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

import nablab

project = "nablab"
author = "the nablab authors"
copyright = "the nablab authors, MIT licence"
version = release = nablab.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "notebooks", "tables"]
exclude_patterns = ["_build", "_extensions", "results/**.ipynb"]  # deliveries are files to download
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "nablab"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["lessons.css"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
