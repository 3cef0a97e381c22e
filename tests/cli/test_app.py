"""The program as a whole: its version, its help, its exit codes, how fast it starts."""

import re
import subprocess
import sys

import pytest
from commands import environment, help_texts, runner

from productcat import __version__
from productcat.cli import console

CODES = (
    console.FINE,
    console.SOME_BAD,
    console.USAGE,
    console.UNUSABLE,
    console.BROKEN,
    console.INTERRUPTED,
    console.NOT_READ,
)
HELP = help_texts()
COMMANDS = [name for name in HELP if not any(other.startswith(f"{name} ") for other in HELP) or name == ""]


@pytest.fixture
def run(capfd):
    """A function from arguments to (exit code, output, errors)."""
    return runner(capfd)


def test_the_version_is_printed(run):
    assert run("--version") == (0, f"productcat {__version__}\n", "")


@pytest.mark.parametrize("group", ["", "bundle", "categories", "duplicates", "index"])
def test_a_group_alone_prints_its_help_with_its_commands(run, group):
    code, output, errors = run(*group.split())
    assert (code, errors) == (0, "")
    assert output.startswith("Usage: productcat")
    below = [name for name in HELP if name.rpartition(" ")[0] == group and name]
    assert len(below) > 1
    assert all(re.search(rf"^  {name.split()[-1]} ", output, re.MULTILINE) for name in below)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_page_documents_the_exit_codes(run, command):
    code, output, _ = run(*command.split(), "--help")
    assert code == 0
    assert [
        int(each) for each in re.findall(r"^ +(\d+) +\w", output.partition("Exit codes:")[2], re.MULTILINE)
    ] == list(CODES)


def test_an_unknown_command_is_wrong_usage(run):
    code, output, errors = run("nonsense")
    assert (code, output) == (console.USAGE, "")
    assert "'nonsense'" in errors


@pytest.mark.parametrize(
    ("wrong", "says"), [("1 / 0", "failed by ZeroDivisionError"), ("raise MemoryError", "not enough memory")]
)
def test_what_nobody_expected_has_an_exit_code_of_its_own(wrong, says):
    code = f"""
from productcat.cli import app, console
@console.command(app.app)
def broken():
    {wrong}
app.main(["broken"])
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (console.BROKEN, "")
    assert done.stderr.splitlines()[-1].startswith("productcat: ")
    assert says in done.stderr.splitlines()[-1]


def test_help_loads_nothing_heavy():
    code = "from productcat.cli.app import main\nimport sys\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {"numpy", "onnxruntime", "PIL", "safetensors", "pyarrow", "tensorflow"}
