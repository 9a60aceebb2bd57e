# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 The triqs_mlsolver authors
"""Sphinx: `make doc`, or sphinx-build -W doc doc/_build. Nothing is fetched from the network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from triqs_mlsolver.version import version  # noqa: E402

project = "triqs_mlsolver"
author = "The triqs_mlsolver authors"
copyright = "2026, The triqs_mlsolver authors"
release = version

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_build"]
default_role = "code"
html_theme = "furo"
smartquotes = False
html_title = f"triqs_mlsolver {version}"

myst_heading_anchors = 3  # links to headings work here as they do in a repository's web view
numpydoc_show_class_members = False  # members are chosen page by page
numpydoc_attributes_as_param_list = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's parameter lists have them, with shapes and units

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "plot_gallery": False,  # the tests run the examples
    "download_all_examples": False,
    "default_thumb_file": str(Path(__file__).parent / "figures" / "mott.png"),
    "show_memory": False,
    "write_computation_times": False,
}
