"""`productcat train` runs the package `training`, which a wheel has below `productcat` and nowhere else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import assert_says, environment, one_line

from productcat.cli import console

ROOT = Path(__file__).parent.parent.parent
LISTED = """
import setuptools
setuptools.setup = lambda **given: print(*given["packages"], sep="\\n")
exec(compile(open("setup.py").read(), "setup.py", "exec"), {"__file__": "setup.py", "__name__": "__main__"})
"""


def run(home, folder, *arguments):
    """→ (exit code, output, errors) of `productcat train` from an installation, in a folder"""
    command = [sys.executable, "-m", "productcat.cli", "train", *arguments]
    variables = environment() | {"PYTHONPATH": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, cwd=folder, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with another package of the name `training`."""
    (tmp_path / "here/training").mkdir(parents=True)
    (tmp_path / "here/training/__init__.py").write_text("raise SystemExit('another package')")
    return tmp_path / "here"


@pytest.fixture
def installed(tmp_path):
    """A folder that has what a wheel has."""
    home = tmp_path / "installed"
    (home / "productcat/_training").mkdir(parents=True)
    for each in (ROOT / "productcat").iterdir():
        (home / "productcat" / each.name).symlink_to(each)
    (home / "productcat/cli").unlink()
    (home / "productcat/cli").mkdir()
    for each in (ROOT / "productcat/cli").glob("*.py"):
        os.link(each, home / "productcat/cli" / each.name)
    (home / "productcat/_training/training").symlink_to(ROOT / "training")
    return home


def test_a_wheel_has_no_package_of_the_name_training_at_its_top():
    done = subprocess.run([sys.executable, "-c", LISTED], capture_output=True, text=True, cwd=ROOT, check=True)
    packages = done.stdout.split()
    assert {each.partition(".")[0] for each in packages} == {"productcat"}
    assert {"productcat.cli", "productcat._training.training", "productcat._training.training.images"} <= set(packages)


@pytest.mark.parametrize("place", ["a clone", "an installation"])
def test_it_runs_the_training_of_productcat_whatever_the_folder_has(place, installed, elsewhere):
    home = ROOT if place == "a clone" else installed
    code, _, errors = run(home, elsewhere, "nothing.toml", "--to", "new")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), "nothing.toml: No such file")
    code, _, errors = run(home, elsewhere)
    assert code == console.USAGE
    assert_says(errors.replace("\n", " "), "required: config, --to")


def test_the_help_has_the_options_of_the_training(elsewhere):
    said, listed = (
        run(ROOT, elsewhere, "--help")[1],
        subprocess.run(
            [sys.executable, "-m", "training", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
        ),
    )
    assert set(re.findall(r"--[a-z]+", listed.stdout)) == set(re.findall(r"--[a-z]+", said))
