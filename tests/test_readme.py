"""What README.md shows is run: its Python, its commands, and its outputs are compared with what comes out."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


class Block(NamedTuple):
    """A fenced block of README.md: the line where it starts, the language after its fence, the text in it."""

    line: int
    language: str
    text: str


def blocks(text):
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(text[: each.start()].count("\n") + 1, each[1], each[2]) for each in found]


BLOCKS = blocks(README)


def commands(block):
    """(command, output shown) of every `productcat` command of a sh or console block; other commands are left out."""
    if block.language == "sh":
        lines = [block.text.rpartition("&&")[2].strip() + "\n"]
    else:
        lines = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    pairs = (line.partition("\n")[::2] for line in lines)
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


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder that looks like the repository's root to the examples, but takes what they write."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "productcat"
    program.write_text(f"#!{sys.executable}\nfrom productcat.cli import main\n\nmain()\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(block, namespace):
    """What a python block prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile("\n" * block.line + block.text, "README.md", "exec"), namespace)
    return printed.getvalue()


def run_command(line, command):
    """What a command prints; it must succeed."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, f"README.md:{line}: {command}\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("workplace")
def test_everything_that_the_readme_shows_runs_in_its_order_and_prints_what_it_says():
    namespace, printed = {}, ""
    for block in BLOCKS:
        if block.language == "python":
            printed = run_python(block, namespace)
        elif block.language == "text":
            assert_same_output(printed, block.text)
        else:
            for command, shown in commands(block):
                printed = run_command(block.line, command)
                if shown.strip():
                    assert_same_output(printed, shown)


def test_the_first_two_shell_blocks_are_the_main_job_and_the_tests():
    first, second = (block.text for block in BLOCKS if block.language == "sh")
    assert re.fullmatch(r"pip install \. && productcat predict .+\n", first)
    assert re.fullmatch(r'pip install -e "\.\[dev\]" && pytest\n', second)


def test_every_local_link_of_the_readme_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_no_figure_of_the_readme_is_still_to_be_filled_in():
    assert "TODO" not in README
