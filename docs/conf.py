"""Settings of Sphinx. `pip install -e ".[docs]"`, then `sphinx-build -W docs site`."""

import productcat

project = "productcat"
author = "The authors of productcat"
copyright = "the authors of productcat, Apache-2.0"
version = release = productcat.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.header"]  # generated pages begin their sections where it suits them

napoleon_google_docstring = False
default_role = "py:obj"  # `Listing` in a docstring is a name of the program, linked where it can be
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings have types, with shapes
autodoc_default_options = {"members": True}

html_theme = "furo"
html_title = "productcat"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_show_sourcelink = False
html_copy_source = False
pygments_style, pygments_dark_style = "friendly", "monokai"


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", without_constructor)


def without_constructor(_app, what, _name, obj, _options, signature, returns):
    """What is made by `load` or `open` is shown without its constructor."""
    if what == "class" and (hasattr(obj, "load") or hasattr(obj, "open")):
        return "", None
    return signature, returns
