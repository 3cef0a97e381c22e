"""The notebooks: there are six, they are committed clean, they define nothing, and they run on the samples."""

import ast
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = {
    "AddACategory",
    "Categorization",
    "DataPreparation",
    "FindDuplicates",
    "ImageCategorization",
    "TextCategorization",
}
SECONDS = 600
"""A notebook takes less than one minute, and this much longer where others need the machine."""

DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda

each_notebook = pytest.mark.parametrize("name", sorted(NAMES))


def read(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))


def code(notebook):
    """The source of each cell of code."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_there_are_six_notebooks():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == NAMES


def test_the_table_of_notebooks_names_each_of_them():
    lines = (FOLDER / "README.md").read_text("utf-8").splitlines()
    assert {name for name in NAMES if any(line.startswith(f"| [{name}]({name}.ipynb) |") for line in lines)} == NAMES


@each_notebook
def test_a_notebook_is_committed_without_outputs_and_counts(name):
    notebook = read(name)
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@each_notebook
def test_a_notebook_defines_nothing(name):
    for source in code(read(name)):
        assert not [each for each in ast.walk(ast.parse(source)) if isinstance(each, DEFINITIONS)]


@each_notebook
def test_a_notebook_begins_with_a_title_and_tells_its_story_between_cells(name):
    cells = read(name)["cells"]
    kinds = [cell["cell_type"] for cell in cells]
    assert "".join(cells[0]["source"]).startswith("# ")
    assert kinds.count("markdown") >= 6


@each_notebook
def test_a_notebook_names_no_path_of_a_machine(name):
    absolute = re.compile(r"""["'](/|[A-Z]:\\\\|~/)""")
    assert not [source for source in code(read(name)) if absolute.search(source)]


@pytest.mark.timeout(SECONDS)
@each_notebook
def test_a_notebook_runs_on_the_samples_and_draws(name, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    for variable in ("PRODUCTCAT_DATA", "PRODUCTCAT_USER_PHOTOS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # not the settings of whoever runs the tests
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(FOLDER)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output.text for output in outputs if "Warning:" in output.get("text", "")]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
