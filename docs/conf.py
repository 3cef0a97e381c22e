"""Settings of Sphinx. `pip install -e ".[docs,notebooks]"`, then `sphinx-build -W docs site`.

The build runs the notebooks and makes example reports. `-D nb_execution_mode=off -D example_reports=0` does neither.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from sphinx.addnodes import pending_xref

import productcat

ROOT = Path(__file__).parent.parent

project = "productcat"
author = "The authors of productcat"
copyright = "the authors of productcat, Apache-2.0"
version = release = productcat.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples", "**/.ipynb_checkpoints"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
suppress_warnings = ["myst.header"]  # generated pages begin their sections where it suits them

nb_execution_mode = "cache"  # the key is the code of a notebook, not productcat: to run all again, delete the folder
nb_execution_cache_path = str(ROOT / ".jupyter_cache")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_output_stderr = "remove"  # what TensorFlow says of the machine; the tests look for warnings

napoleon_google_docstring = False
default_role = "py:obj"  # `Listing` in a docstring is a name of the program, linked where it can be
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings have types, with shapes and units
autodoc_preserve_defaults = True
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
    app.add_config_value("example_reports", True, "", bool)
    app.connect("autodoc-process-signature", without_constructor)
    app.connect("doctree-read", stay_inside)
    app.connect("build-finished", make_reports)


def without_constructor(_app, what, _name, obj, _options, signature, returns):
    """What is made by `load` or `open` is shown without its constructor."""
    if what == "class" and (hasattr(obj, "load") or hasattr(obj, "open")):
        return "", None
    return signature, returns


def stay_inside(_app, doctree):
    """Let links to ../notebooks lead to pages of the site: Sphinx resolves docs/notebooks, which is a link to it."""
    for reference in doctree.findall(pending_xref):
        target = Path(reference["reftarget"])
        if target.is_relative_to(ROOT / "notebooks"):
            reference["reftarget"] = target.relative_to(ROOT).as_posix()


def make_reports(app, exception):
    """Write the example reports of the site, which productcat makes of data/samples."""
    if exception or not app.config.example_reports:
        return
    reports = Path(app.outdir) / "reports"
    reports.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("evaluate", "data/samples/styles.csv", "--to", folder / "evaluation")
        pairs = ["--to", folder / "pairs.csv", "--html", folder / "duplicates.html"]
        run("duplicates", "find", "data/samples/styles.csv", *pairs)
        (reports / "evaluation.html").write_bytes((folder / "evaluation/report.html").read_bytes())
        (reports / "duplicates.html").write_bytes((folder / "duplicates.html").read_bytes())


def run(*command):
    """Run a command of productcat in the root of the repository; it must succeed."""
    subprocess.run([sys.executable, "-m", "productcat.cli", *command], cwd=ROOT, check=True)
