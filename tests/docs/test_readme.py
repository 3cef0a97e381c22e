"""What README.md shows is run: its Python, its commands, and its outputs are compared with what comes out."""

import re

import pytest
from documents import ROOT, assert_same_output, blocks, commands, make_workplace, run_command, run_python

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = blocks(README)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder that looks like the repository's root to the examples, but takes what they write."""
    make_workplace(tmp_path, monkeypatch)


@pytest.mark.usefixtures("workplace")
def test_everything_that_the_readme_shows_runs_in_its_order_and_prints_what_it_says():
    namespace, printed = {}, ""
    for block in BLOCKS:
        if block.language == "python":
            printed = run_python("README.md", block, namespace)
        elif block.language == "text":
            assert_same_output(printed, block.text)
        else:
            for command, shown in commands(block):
                printed = run_command(f"README.md:{block.line}", command)
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
