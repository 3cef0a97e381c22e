"""The documentation builds without a warning, its examples run, and what is generated in it is not stale."""

import importlib.util
import re
import subprocess
import sys

import pytest
from documents import ROOT, all_commands, assert_same_output, blocks, make_workplace, run_here, run_python

import productcat

DOCS = ROOT / "docs"
HOW_TO = sorted((DOCS / "howto").glob("*.md"))
RUN = [DOCS / "first-steps.md", *HOW_TO, DOCS / "bundle-format.md"]
PAGES = sorted(DOCS.rglob("*.md"))
FIGURE = re.compile(
    r"\b\d+(?:\.\d+)? ?%(?!\s(?:precision|intervals|of what))|\b0\.\d{2,}\b|\b\d[\d,.]* (?:s|ms|MB|photos/s)\b"
)
"""What looks like something that was measured, and is not a precision that is asked for."""

SECONDS = 900
"""A page takes about a minute, and this much longer where others need the machine."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
each_run_page = pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)


@pytest.fixture(scope="module")
def figures():
    """docs/figures.py."""
    return program("figures")


def program(name):
    """A program of docs/ as a module."""
    sys.path.insert(0, str(DOCS))  # as it is when the program is run
    try:
        spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, without outputs of the notebooks and without reports.

    It is built in a process of its own, since libraries of Sphinx warn about their own affairs.
    """
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "trees"]
    command += ["-D", "nb_execution_mode=off", "-D", "example_reports=0", DOCS, folder / "site"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_the_site_builds_without_a_warning(site):
    assert (site / "index.html").exists()


def test_the_site_needs_nothing_from_the_network(site):
    loaded = [
        f"{page.name}: {address}"
        for page in site.rglob("*.html")
        for address in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text("utf-8"))
    ]
    assert not loaded


def test_the_reference_has_every_public_name_and_its_public_methods(site):
    reference = (site / "api.html").read_text("utf-8")
    described = set(re.findall(r'<dt class="sig[^"]*" id="([^"]+)"', reference))
    assert {f"productcat.{name}" for name in productcat.__all__} <= described
    assert {"productcat.Categorizer.predict", "productcat.ListingIndex.search"} <= described


@pytest.mark.timeout(SECONDS)
@each_run_page
def test_what_a_page_shows_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    make_workplace(tmp_path, monkeypatch)
    namespace, printed = {"__name__": "example"}, ""
    for block in blocks(page.read_text("utf-8")):
        place = f"{page.name}:{block.line}"
        named = re.match(r"# ([\w-]+\.toml)\n", block.text)
        if block.not_run:
            continue
        if block.language == "toml" and named:
            (tmp_path / named[1]).write_text(block.text, "utf-8")
        elif block.language == "python":
            printed = run_python(place, block, namespace)
        elif block.language == "text":
            assert_same_output(printed, block.text)
        elif block.language == "console":
            for command, shown in all_commands(block):
                printed = run_here(place, command)
                if shown.strip():
                    assert_same_output(printed, shown)


@each_run_page
def test_a_block_that_is_not_run_says_why(page):
    for block in blocks(page.read_text("utf-8")):
        runs = block.language in ("python", "console", "text", "toml", "")
        assert runs or block.not_run, f"{page.name}:{block.line}: {block.language} is not run and does not say why"


def test_the_page_of_the_command_line_is_what_the_program_says():
    assert (DOCS / "commands.md").read_text("utf-8") == program("commands").page(), "run python docs/commands.py"


def test_the_picture_shows_what_productcat_answers():
    shown, drawn = (
        " ".join(re.findall(r"<text[^>]*>([^<]+)</text>", svg))
        for svg in ((DOCS / "_static/answers.svg").read_text("utf-8"), program("picture").drawn())
    )
    assert_same_output(drawn, shown)


def test_every_figure_is_what_the_stored_files_say(figures):
    stale = {path.name: names for path in figures.documents() if (names := figures.stale(path.read_text("utf-8")))}
    assert not stale, "run python docs/figures.py"


def test_every_block_of_figures_is_shown_somewhere(figures):
    shown = {block["name"] for path in figures.documents() for block in figures.BLOCK.finditer(path.read_text("utf-8"))}
    assert shown == set(figures.FIGURES)


def test_every_block_of_figures_has_an_end(figures):
    for path in figures.documents():
        text = path.read_text("utf-8")
        assert text.count("<!-- figures: ") == len(figures.BLOCK.findall(text)) == text.count("<!-- end -->"), path.name


@pytest.mark.parametrize("change", ["a stored figure", "the text"])
def test_a_block_that_differs_from_the_files_is_stale(figures, monkeypatch, change):
    text = figures.rendered("<!-- figures: few-shot -->\n<!-- end -->\n")
    assert figures.stale(text) == []
    if change == "the text":
        text = re.sub(r"0\.\d{3}", "0.999", text, count=1)
    else:
        monkeypatch.setitem(figures.FIGURES, "few-shot", lambda: "another table")
    assert figures.stale(text) == ["few-shot"]
    assert figures.stale(figures.rendered(text)) == []


def test_no_figure_stands_outside_the_generated_blocks(figures):
    found = []
    for path in figures.documents():
        text = figures.BLOCK.sub("", path.read_text("utf-8"))
        text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
        found += [f"{path.name}: {each}" for each in FIGURE.findall(text)]
    assert not found


@each_page
def test_every_local_link_of_a_page_leads_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
