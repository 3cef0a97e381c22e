"""Ids that a spreadsheet would run: written as they are, or made safe, and read back either way."""

import csv
import json
import os

import numpy as np
import pytest
import shop
from commands import assert_says, one_line, runner
from hypothesis import given
from hypothesis import strategies as st

from productcat import DuplicateDetector, ListingIndex, read_listings
from productcat.duplicates.safe_csv import plain, safe

IDS = ["=cmd|' /C calc'!A0", "+49 30", "-17", "@SUM(A1)", "'=quoted", "plain", "\N{FULLWIDTH EQUALS SIGN}1+1"]
RUN = "=+-@\t\r\n＝＋－＠"


@pytest.fixture
def run(duplicates_bundle, tmp_path, monkeypatch, capfd):
    """Runs a command in a folder with a table of listings, every other of which is a copy of the one before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(duplicates_bundle))
    rng = np.random.default_rng(3)
    rows = []
    for number, id in enumerate(IDS):
        if number % 2 == 0:
            photo = shop.encode(shop.photo(shop.CLASSES[number // 2 % 3], rng, (64, 48)), "PNG")
        (tmp_path / f"{number}.png").write_bytes(photo)
        rows.append((id, f"{number}.png"))
    with open("listings.csv", "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "photos"), *rows])
    return runner(capfd)


def cells(text, *columns):
    return {row[column] for row in csv.DictReader(text.splitlines()) for column in columns}


WAYS = {
    "find": ["duplicates", "find", "listings.csv", "--threshold", "0"],
    "groups": ["duplicates", "groups", "listings.csv", "--threshold", "0"],
    "search": ["index", "search", "index", "--from", "listings.csv"],
}


@pytest.mark.parametrize(
    ("way", "columns"), [("find", ["left", "right"]), ("groups", ["id"]), ("search", ["left", "right"])]
)
def test_ids_are_written_as_they_are_or_so_that_no_spreadsheet_runs_them(run, way, columns):
    if way == "search":
        ListingIndex.open("index", DuplicateDetector.load(os.environ["PRODUCTCAT_BUNDLE"])).add(
            read_listings("listings.csv")
        )
    exact, made_safe = (cells(run(*WAYS[way], *more)[1], *columns) for more in ([], ["--safe-csv"]))
    assert exact == {*IDS}
    assert made_safe == {*map(safe, IDS)}
    assert not [cell for cell in made_safe if cell.startswith(tuple(RUN))]


@pytest.mark.parametrize("more", [[], ["--safe-csv"]])
def test_pairs_are_read_back_as_decisions_however_they_were_written(run, tmp_path, more):
    pairs = list(csv.DictReader(run(*WAYS["find"], *more)[1].splitlines()))
    with open("decided.csv", "w", encoding="utf-8", newline="") as stream:
        rows = [(each["left"], each["right"], "different") for each in pairs]
        csv.writer(stream).writerows([("left", "right", "verdict"), *rows])
    code, output, errors = run(*WAYS["find"], "--decided", "decided.csv")
    assert (code, output) == (0, "left,right,score,kind\n")
    assert "not among the listings" not in errors


@pytest.mark.parametrize("more", [[], ["--safe-csv"]])
def test_pairs_are_read_back_as_labels_however_they_were_written(run, tmp_path, more):
    pairs = list(csv.DictReader(run(*WAYS["find"], *more)[1].splitlines()))
    with open("labelled.csv", "w", encoding="utf-8", newline="") as stream:
        rows = [(each["left"], each["right"], int(each["kind"] == "copy")) for each in pairs]
        csv.writer(stream).writerows([("left", "right", "label"), *rows])
    for adapt in ("--adapt", "--no-adapt"):
        code, _, errors = run(
            "duplicates", "evaluate", "labelled.csv", "--listings", "listings.csv", "--to", f"report{adapt}", adapt
        )
        assert code == 0, errors
        assert json.loads((tmp_path / f"report{adapt}/metrics.json").read_text("utf-8"))["pairs"] == len(pairs)


@given(id=st.text() | st.text(st.sampled_from("'=+-@ a"), max_size=4))
def test_what_is_made_safe_is_found_again_and_does_not_run(id):
    assert plain(safe(id)) == id
    assert not safe(id).startswith(tuple(RUN))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([*WAYS["find"], "--to", "pairs.jsonl", "--safe-csv"], "--safe-csv goes with CSV"),
        ([*WAYS["search"], "--json", "--safe-csv"], "--safe-csv goes with CSV"),
        (["index", "search", "index", "0.png", "--safe-csv"], "--safe-csv goes with --from"),
    ],
)
def test_where_there_is_no_csv_the_option_is_refused(run, command, said):
    code, _, errors = run(*command)
    assert code == 2
    assert_says(one_line(errors), said)
