"""The rules of CONTRIBUTING.md that a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import productcat

ROOT = Path(__file__).parent.parent
RUNTIME = sorted((ROOT / "productcat").rglob("*.py"))
TRAINING = sorted((ROOT / "training").rglob("*.py"))

ROOMS = """
arithmetic
listings
models
categories duplicates
calibration index
evaluation
explanation
reports
jobs
serving
cli
"""
"""The rooms of productcat, lowest first: each imports lower ones only, and rooms of one line not each other."""

FLOORS = {room: floor for floor, line in enumerate(ROOMS.split("\n")) for room in line.split()}

TRAINING_ONLY = {"tensorflow", "tensorflow_hub", "tf_keras", "keras", "gensim", "sklearn", "scipy", "pandas"}
SLOW_TO_IMPORT = {"onnxruntime", "pyarrow", "rich", "lancedb", "matplotlib"}
CODE_ON_LOAD = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
NO_ROOMS = {"utils", "util", "helpers", "helper", "common", "base", "constants", "misc"}
SPEAKING_CALLS = {"print", "pprint", "echo", "secho", "exit", "quit", "_exit"}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def is_command_line(path):
    return path.parent.name == "cli"


def tree(path):
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(node):
    """Dotted names that a piece of code imports; `from a import b` gives both "a" and "a.b"."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            assert each.level == 0, "imports are absolute"
            yield each.module
            yield from (f"{each.module}.{alias.name}" for alias in each.names)


def outside_functions(node):
    """The statements that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not for_types and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from outside_functions(child)


def packages(names):
    return {name.split(".")[0] for name in names}


each_runtime_module = pytest.mark.parametrize("path", RUNTIME, ids=name_of)
each_module = pytest.mark.parametrize("path", RUNTIME + TRAINING, ids=name_of)


def room_of(path):
    """The room of a module; "" for those of the root, which lie below all rooms."""
    folder = path.relative_to(ROOT / "productcat").parent
    return "" if folder == Path() else folder.parts[0]


def own_modules(path):
    """Modules of this repository that a module imports, as paths."""
    names = (productcat._HOMES.get(name.removeprefix("productcat."), name) for name in imports(tree(path)))
    found = ((ROOT / name.replace(".", "/")).with_suffix(".py") for name in names)
    return {each for each in found if each.exists()}


def test_every_folder_is_a_room():
    assert {room_of(path) for path in RUNTIME} <= {"", *FLOORS}


@each_runtime_module
def test_imports_point_down(path):
    if path == ROOT / "productcat/__init__.py":
        return  # the front door leads to all rooms
    mine = room_of(path)
    for each in own_modules(path):
        theirs = room_of(each)
        assert theirs == mine or FLOORS.get(theirs, 0) < FLOORS.get(mine, 0), f"{name_of(path)} imports {name_of(each)}"


@pytest.mark.parametrize("modules", [RUNTIME, TRAINING], ids=["productcat", "training"])
def test_imports_go_in_no_circle(modules):
    waiting = {path: own_modules(path) & set(modules) for path in modules}
    while free := [path for path, needs in waiting.items() if not needs & waiting.keys()]:
        for path in free:
            del waiting[path]
    assert not waiting, f"a circle among {sorted(map(name_of, waiting))}"


@each_runtime_module
def test_productcat_imports_nothing_that_belongs_to_training(path):
    assert not packages(imports(tree(path))) & {"training", *TRAINING_ONLY}


@each_runtime_module
def test_slow_libraries_are_imported_in_the_function_that_needs_them(path):
    at_import = [each for each in outside_functions(tree(path)) if isinstance(each, ast.Import | ast.ImportFrom)]
    assert not {package for each in at_import for package in packages(imports(each))} & SLOW_TO_IMPORT


@each_runtime_module
def test_only_the_command_line_prints_or_exits(path):
    if is_command_line(path):
        return
    for each in ast.walk(tree(path)):
        if isinstance(each, ast.Call):
            called = each.func.id if isinstance(each.func, ast.Name) else getattr(each.func, "attr", "")
            assert called not in SPEAKING_CALLS, f"{path.name}:{each.lineno} calls {called}"
        if isinstance(each, ast.Raise):
            assert "Exit" not in ast.unparse(each), f"{path.name}:{each.lineno} exits"


@each_runtime_module
def test_problems_are_data_and_only_one_place_warns(path):
    # app.py says warnings in one line; matplotlib, which canvas.py asks, warns of letters that its fonts lack
    allowed = {"problems.py", "app.py", "canvas.py"}
    assert path.name in allowed or "warnings" not in packages(imports(tree(path))), "hand problems to on_problem"


@each_module
def test_no_module_reads_or_writes_formats_that_run_code(path):
    assert not packages(imports(tree(path))) & CODE_ON_LOAD
    calls = [each for each in ast.walk(tree(path)) if isinstance(each, ast.Call)]
    assert not [call.lineno for call in calls if any(word.arg == "allow_pickle" for word in call.keywords)]


@each_module
def test_no_module_is_named_after_nothing(path):
    assert path.stem not in NO_ROOMS


@each_module
def test_modules_and_what_is_public_in_them_have_docstrings(path):
    module = tree(path)
    assert ast.get_docstring(module) or not module.body, f"{path.name} has no docstring"
    for each in module.body:
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_"):
            assert ast.get_docstring(each), f"{path.name}:{each.lineno} {each.name} has no docstring"


def test_the_public_names_are_exactly_these():
    assert productcat.__all__ == [
        "BundleError",
        "Candidate",
        "Categorizer",
        "DecisionRule",
        "DuplicateDetector",
        "DuplicateGroup",
        "DuplicatePair",
        "Listing",
        "ListingError",
        "ListingIndex",
        "Prediction",
        "ProductcatError",
        "read_listings",
    ]


@pytest.mark.parametrize("name", productcat.__all__)
def test_every_public_name_is_there_and_is_listed(name):
    assert getattr(productcat, name).__name__ == name
    assert name in dir(productcat)


def test_an_unknown_name_is_an_attribute_error_that_names_the_known_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'Categoriser'; it has .*Categorizer"):
        _ = productcat.Categoriser


def imported_by(code):
    """Packages in memory after running some code in a new interpreter."""
    program = f"{code}\nimport sys; sys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return packages(done.stdout.split())


def test_importing_productcat_imports_no_other_package():
    heavy = {*TRAINING_ONLY, *SLOW_TO_IMPORT, "numpy", "PIL", "typer", "safetensors"}
    assert not imported_by("import productcat; dir(productcat)") & heavy


def test_predicting_needs_nothing_that_belongs_to_training():
    code = """
from productcat import Categorizer, Listing
photo = "data/samples/images/31717.jpg"
Categorizer.load().predict([Listing(title="gold earrings", photos=(photo,))])
"""
    assert not imported_by(code) & {*TRAINING_ONLY, "training"}
