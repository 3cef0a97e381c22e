"""What documents show is run: their Python, their commands, and the outputs that they show are compared.

A block that is not run stands below a mark that says why: `<!-- not run: it takes an hour -->`.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent


class Block(NamedTuple):
    """A fenced block: the line where it starts, the language after its fence, the text in it, why it is not run."""

    line: int
    language: str
    text: str
    not_run: str


def blocks(text):
    """The fenced blocks of a document, in order."""
    found = re.finditer(r"^(?:<!-- not run: (.+?) -->\n+)?```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(text[: each.start(2)].count("\n") + 1, each[2], each[3], each[1] or "") for each in found]


def all_commands(block):
    """(command, output shown) of every command of a console block."""
    lines = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [line.partition("\n")[::2] for line in lines]


def commands(block):
    """(command, output shown) of every `productcat` command of a sh or console block; other commands are left out."""
    last = block.text.rpartition("&&")[2].strip()
    pairs = [(last, "")] if block.language == "sh" else all_commands(block)
    return [(command, shown) for command, shown in pairs if re.search(r"(^|\| *)productcat ", command)]


def facts(text):
    """The words and the numbers of an output, without bars and spaces, and without the lines of unlikely categories."""
    likely = re.sub(r"^.*\b[0-4]\.\d ?%.*$", "", text, flags=re.MULTILINE)
    return re.findall(r"[^\W\d_]+", likely), [float(each) for each in re.findall(r"\d+(?:\.\d+)?", likely)]


def assert_same_output(actual, shown):
    """Same words; numbers may differ a little, since int8 arithmetic differs between processors."""
    words, numbers = facts(shown)
    actual_words, actual_numbers = facts(actual)
    assert actual_words == words, actual
    assert actual_numbers == pytest.approx(numbers, rel=0.03, abs=0.02), actual


def make_workplace(folder, monkeypatch):
    """Make a folder look like the repository's root to the examples; it takes what they write."""
    for name in ("data", "docs"):
        (folder / name).symlink_to(ROOT / name)
    programs = folder / "bin"
    programs.mkdir()
    starts = {"productcat": "from productcat.cli.app import main\n\nmain()", "python": None}
    for name, code in starts.items():
        program = programs / name
        program.write_text(f"#!{sys.executable}\n{code}\n" if code else f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(folder)


def run_python(name, block, namespace):
    """What a python block prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * block.line + block.text, name, "exec"), namespace)
    return printed.getvalue()


def run_command(place, command):
    """What a command prints; it must succeed. place: where it stands, for the message."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, f"{place}: {command}\n{done.stderr}"
    return done.stdout


def run_here(place, command):
    """As `run_command`; a plain `productcat` command runs in this process, which saves the start of another."""
    if not command.startswith("productcat ") or set("|<>&;$*") & set(command):
        return run_command(place, command)
    from productcat.cli.app import main

    # A file, since some commands write to the file descriptor of standard output.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as left:
            main(shlex.split(command)[1:])
        assert not left.value.code, f"{place}: {command}: exit code {left.value.code}"
        printed.seek(0)
        return printed.read()
