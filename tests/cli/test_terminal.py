"""What a stranger wrote into names, ids, titles and paths reaches a terminal as something to read, not to obey."""

import ast
import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shop
from commands import environment, lines_of, runner
from hypothesis import given
from hypothesis import strategies as st
from resealed import entries, resealed

from productcat import DuplicateDetector, ListingIndex, read_listings
from productcat.problems import warn
from productcat.wording import visible

ROOT = Path(__file__).parent.parent.parent
RED, TITLE, TURNED, CSI = "\x1b[31m", "\x1b]0;owned\x07", "\u202egpj.exe", "\x9b2J"
HOSTILE = f"{RED}{TITLE}{TURNED}{CSI}\u2066\x7f\u2028"
OBEYED = [*map(chr, [*range(9), *range(11, 32), *range(127, 160)]), *"\u2028\u2029\u202a\u202b\u202c\u202d\u202e"]
OBEYED += [*"\u2066\u2067\u2068\u2069"]


def assert_harmless(*texts):
    for text in texts:
        assert not [each for each in OBEYED if each in text]


@pytest.fixture
def run(duplicates_bundle, tmp_path, monkeypatch, capfd):
    """Runs a command in a folder with a photo, and with a bundle and a table by a stranger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", "bundle")
    photo = shop.encode(shop.photo("Belts", np.random.default_rng(3), (64, 48)), "JPEG")
    for name in ("front.jpg", f"{HOSTILE}.jpg"):
        (tmp_path / name).write_bytes(photo)
    more = {"name": HOSTILE, "description": f"{HOSTILE}\nof several lines", "created": HOSTILE}
    changes = {"projections/categories.json": entries(categories=["Belts", "Hand\nbags", HOSTILE])}
    resealed(duplicates_bundle, tmp_path / "bundle", changes, more)
    with open("listings.csv", "w", encoding="utf-8", newline="") as stream:
        rows = [(HOSTILE, "leather belt", "front.jpg"), ("2" + HOSTILE, "", f"{HOSTILE}.jpg"), ("3", "", HOSTILE)]
        csv.writer(stream).writerows([("id", "title", "photos"), *rows, (HOSTILE, "again", "")])
    return runner(capfd)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["bundle", "show"], 0),
        (["bundle", "show", "--json"], 0),
        (["categories", "list"], 0),
        (["categories", "list", "--json"], 0),
        (["predict", f"{HOSTILE}.jpg"], 0),
        (["predict", f"{HOSTILE}.jpg", "no.jpg" + HOSTILE, "--json"], 1),
        (["predict", "--title", "belt", "--bundle", HOSTILE], 3),
        (["predict", "--from", HOSTILE], 3),
        (["predict", "--from", "listings.csv", "--to", "out.jsonl", "--bad", "-"], 1),
        (["predict", f"--{HOSTILE}"], 2),
        (["duplicates", "compare", "front.jpg", "--with", f"{HOSTILE}.jpg"], 0),
        (["duplicates", "find", "listings.csv", "--to", "pairs.csv", "--bad", "-"], 1),
        (["duplicates", "find", "listings.csv", "--to", f"{HOSTILE}/pairs.csv"], 3),
        (["index", "remove", "index", HOSTILE], 1),
        (["index", "search", "index", "front.jpg"], 0),
        (["index", "search", "index", "front.jpg", "--json"], 0),
        (["categories", "remove", HOSTILE + "s", "--to", "new"], 3),
    ],
    ids=lambda each: " ".join(each[:3]).encode("ascii", "ignore").decode() if isinstance(each, list) else "",
)
def test_what_a_stranger_named_is_shown_and_not_obeyed(run, command, code):
    if command[0] == "index":
        index = ListingIndex.open("index", DuplicateDetector.load("bundle"))
        index.add(list(read_listings("listings.csv", on_bad=[].append))[:2])
    found, output, errors = run(*command)
    assert found == code, errors
    assert_harmless(output, errors)
    assert "\\u202e" in output + errors
    if "--json" in command:
        json.loads(output)
    lines_of(errors)


def test_json_says_the_same_with_and_without_escapes(run):
    found = json.loads(run("bundle", "show", "--json")[1])
    assert found["name"] == HOSTILE
    names = [each["name"] for each in json.loads(run("categories", "list", "--json")[1])["categories"]]
    assert names == ["Belts", "Hand\nbags", HOSTILE]


def test_a_name_of_several_lines_is_one_line_of_a_list(run):
    assert run("categories", "list")[1].splitlines()[1] == "Hand\\nbags"


def test_a_failure_that_nobody_expected_shows_its_place_without_being_obeyed(run, monkeypatch):
    def fail(*_):
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr("productcat.models.bundle.find", fail)
    code, _, errors = run("bundle", "show", "--json")
    assert code == 4
    assert "in fail" in errors
    assert_harmless(errors)


def test_a_warning_in_python_is_shown_and_not_obeyed():
    with pytest.warns(UserWarning, match=r"\\u001b\[31m.*\\u202egpj"):
        warn(HOSTILE)


def on_terminal(*arguments):
    """(exit code, what a terminal gets) of a command that runs on one."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "productcat.cli", *arguments]
    with subprocess.Popen(
        command, stdout=theirs, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
    ) as process:
        os.close(theirs)
        got = b""
        try:
            while part := os.read(ours, 65_536):
                got += part
        except OSError:  # the other end is closed
            pass
        process.stderr.read()
    os.close(ours)
    return process.returncode, got.replace(b"\r\n", b"\n").decode()


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "--from", "listings.csv", "--to", "-"],
        ["duplicates", "find", "listings.csv", "--to", "-", "--threshold", "0"],
        ["duplicates", "groups", "listings.csv", "--to", "-", "--threshold", "0"],
    ],
    ids=lambda each: " ".join(each[:2]),
)
def test_data_on_a_terminal_is_shown_and_in_a_pipe_it_is_as_it_is(run, command):
    piped = subprocess.run([sys.executable, "-m", "productcat.cli", *command], capture_output=True, env=environment())
    code, shown = on_terminal(*command)
    assert (code, piped.returncode) == (1, 1)
    assert_harmless(shown)
    assert "\\u202e" in shown
    assert TURNED in piped.stdout.decode()
    assert shown == visible(piped.stdout.decode())
    if command[0] == "predict":
        assert [*map(json.loads, shown.splitlines())] == [*map(json.loads, piped.stdout.splitlines())]


@given(text=st.text())
def test_json_stays_the_same_json_whatever_its_characters(text):
    shown = visible(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(shown) == {text: [text]}
    assert_harmless(shown)


def test_letters_of_all_scripts_and_pictures_are_shown_as_they_are():
    text = "Été, 靴, عباءة, חגורה, 👩‍👩‍👧, a\u200db, \ttab\n"
    assert visible(text) == text


@pytest.mark.parametrize("path", sorted((ROOT / "productcat").rglob("*.py")), ids=lambda path: path.name)
def test_all_that_is_shown_goes_through_one_place(path):
    tree = ast.parse(path.read_text("utf-8"))
    calls = [ast.unparse(each.func) for each in ast.walk(tree) if isinstance(each, ast.Call)]
    prints = {"print", "typer.echo", "traceback.print_exception", "sys.stdout.write", "sys.stderr.write"} & {*calls}
    assert not prints or path.name == "console.py"
    assert "sys.stdout.fileno" not in calls or path.name in ("console.py", "outputs.py")
