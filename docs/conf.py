"""The site: `make docs` builds it into build/docs. Nothing is loaded from elsewhere, neither now nor by a reader."""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "medvision"
author = "The medvision founders"
release = version = importlib.metadata.version("medvision-lightning")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "api_pages", "site_parts"]
exclude_patterns = ["_ext"]
nitpicky = True
# Dashes alone: quotation marks stay as they were typed.
smartquotes_action = "D"
nitpick_ignore_regex = [
    # Other packages: their own sites describe them, and this one is built without a network.
    (
        r"py:.*",
        r"(np|npt|pd|nn|Image|numpy|pandas|torch|lightning|pathlib|collections|re|threading|typing|pydantic)\..+",
    ),
    (r"py:class", r"Path|Any|Tensor|Trainer|(NonNegative|Positive)(Int|Float)"),
    # Sections of the experiment file: on a page of their own, with all values they take.
    (r"py:class", r"medvision\.config\..+"),
    # Names that a module gives to arrays, tables and texts of its own: the docstring tells shape and meaning.
    (r"py:class", r"Floats|Integers|Bools|Numbers|Names|Pixels|Points|Rows|Column|Coefficients|Ends|Entry|Batch|Item"),
    (r"py:class", r"Fraction|Trainable|Score|Source|Writer|Tested|Said|GreyValue|P|R"),
]

# Pages

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings: written for people in Google style, with single backticks around code.

default_role = "code"
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
# Signatures come from the source, see _ext/api_pages.py; attributes tell their type in words.
autodoc_typehints = "none"
add_module_names = False
napoleon_numpy_docstring = False
python_use_unqualified_type_names = True

# HTML

html_theme = "furo"
html_title = "medvision"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
