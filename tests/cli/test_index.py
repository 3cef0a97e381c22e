"""`productcat index` in a shell: put in, find, count and remove; one line for each mistake."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import shop
from commands import assert_says, environment, examples, one_line, runner

from productcat import ListingIndex
from productcat.cli import console
from productcat.index.search_vectors import SearchSpace

PROGRAM = [sys.executable, "-m", "productcat.cli"]


@pytest.fixture
def workplace(duplicates_bundle, tmp_path, monkeypatch):
    """The current folder: listings 17 to 22 of two photos; listing 30 in new.csv has those of listing 20, mirrored."""
    rng = np.random.default_rng(3)
    photos = {
        f"{number}-{place}": shop.photo(shop.CLASSES[number % 3], rng, (64, 48))
        for number in range(17, 23)
        for place in range(2)
    }
    photos |= {f"30-{place}": np.ascontiguousarray(photos[f"20-{place}"][:, ::-1]) for place in range(2)}
    photos |= {"front": photos["18-0"], "back": photos["18-1"]}
    for name, pixels in photos.items():
        (tmp_path / f"{name}.jpg").write_bytes(shop.encode(pixels, "JPEG"))
    tables = {"listings": range(17, 23), "new": [30], "sold": [17, 18]}
    for name, numbers in tables.items():
        rows = [[number, f"{number}-0.jpg|{number}-1.jpg"] for number in numbers]
        with open(tmp_path / f"{name}.csv", "w", newline="") as stream:
            csv.writer(stream).writerows([("id", "photos"), *rows] if name != "sold" else rows)
        lines = [json.dumps({"id": str(number), "photos": each.split("|")}) + "\n" for number, each in rows]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(duplicates_bundle))
    return tmp_path


@pytest.fixture
def run(workplace, capfd):
    """A function from arguments to (exit code, output, errors)."""
    assert workplace
    return runner(capfd, "index")


@pytest.fixture
def catalogue(run):
    assert run("add", "catalogue", "listings.csv")[0] == console.FINE
    return "catalogue"


def counts(run):
    found = json.loads(run("stats", "catalogue", "--json")[1])
    return found["listings"], found["photos"]


def test_listings_are_added_replaced_counted_and_removed(run, workplace):
    code, output, errors = run("add", "catalogue", "listings.csv")
    assert (code, output) == (0, "")
    assert_says(one_line(errors), "6 listings added")
    (workplace / "again.csv").write_text("id,photos\n17,17-0.jpg\n")
    assert one_line(run("add", "catalogue", "again.csv")[2]) == "1 listing added"
    assert counts(run) == (6, 11)
    assert run("remove", "catalogue", "17", "18", "18") == (0, "", "productcat: 2 listings removed\n")
    assert counts(run) == (4, 8)
    code, output, _ = run("stats", "catalogue")
    assert code == 0
    assert re.fullmatch(r"listings: 4\nphotos: 8\nbytes: \d+\n", output)


def test_listings_may_be_named_by_an_option_too(run):
    assert run("add", "catalogue", "--from", "listings.csv")[0] == console.FINE
    assert counts(run) == (6, 12)


def test_a_folder_that_is_added_twice_is_there_once(run, workplace):
    for name in ("17-0.jpg", "18-0.jpg"):
        (workplace / "photos" / name).parent.mkdir(exist_ok=True)
        (workplace / "photos" / name).symlink_to(workplace / name)
    for _ in range(2):
        code, _, errors = run("add", "catalogue", "photos")
        assert code == console.FINE
        assert_says(errors, "2 listings added")
    assert json.loads(run("stats", "catalogue", "--json")[1])["listings"] == 2


@pytest.mark.parametrize("content", ["", "id,photos\n"])
def test_a_table_without_rows_makes_no_traceback_and_adds_nothing(run, workplace, content):
    (workplace / "empty.csv").write_text(content)
    code, _, errors = run("add", "catalogue", "empty.csv")
    assert_says(one_line(errors), "0 listings added" if code == console.FINE else "empty.csv: ")


def test_ids_that_are_not_there_are_named_and_the_others_removed(run, catalogue):
    code, output, errors = run("remove", catalogue, "17", "99")
    assert (code, output) == (console.SOME_BAD, "")
    named, last = errors.splitlines()
    assert_says(named, "'99': not in the index")
    assert_says(last, "1 listing removed")
    assert counts(run) == (5, 10)


def test_a_search_by_photos_prints_probabilities_and_ids(run, catalogue):
    code, output, errors = run("search", catalogue, "front.jpg", "back.jpg", "-k", "3")
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r" *\d+\.\d %  \d\d(  a duplicate \((copy|same item)\))?", line) for line in lines)
    assert lines[0].endswith("  18  a duplicate (copy)")
    found = json.loads(run("search", catalogue, "front.jpg", "back.jpg", "-k", "3", "--json")[1])
    assert [each["id"] for each in found["duplicates"]] == [line.split()[2] for line in lines]
    assert found["problems"] == []
    assert found["duplicates"][0]["kind"] == "copy"
    assert all(
        (each["score"] >= found["threshold"]) == ("a d" in line)
        for each, line in zip(found["duplicates"], lines, strict=True)
    )


def test_a_share_that_is_to_be_right_can_be_asked_for(run, catalogue):
    every = json.loads(run("search", catalogue, "front.jpg", "back.jpg", "--json")[1])["duplicates"]
    scores = [each["score"] for each in every if each["score"] >= 0.5]
    wanted = sum(scores) / len(scores) - 0.001
    assert len(scores) < len(every)
    code, output, errors = run("search", catalogue, "front.jpg", "back.jpg", "--precision", f"{wanted:.6f}")
    assert (code, errors) == (0, "")
    assert output.count("  a duplicate (") == output.count("\n") == len(scores)
    code, _, errors = run("search", catalogue, "front.jpg", "--precision", "0.9", "--threshold", "0.9")
    assert code == console.USAGE
    assert_says(one_line(errors), "--threshold and --precision … one")


def test_a_search_by_a_file_prints_pairs_the_best_first(run, catalogue):
    code, output, errors = run("search", catalogue, "--from", "new.csv", "--no-adapt")
    rows = list(csv.DictReader(io.StringIO(output)))
    assert (code, errors) == (0, "")
    assert [row["left"] for row in rows] == ["30"] * 6
    assert rows[0]["right"] == "20"
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    least = f"{min(int(100 * scores[0]) / 100, 0.99)}"
    best = run("search", catalogue, "--from", "new.jsonl", "--no-adapt", "--json", "--threshold", least)[1]
    assert json.loads(best.splitlines()[0]) == {"left": "30", "right": "20", "score": scores[0], "kind": "copy"}


def test_a_listing_of_the_index_is_not_its_own_duplicate(run, catalogue):
    rows = list(csv.DictReader(io.StringIO(run("search", catalogue, "--from", "listings.csv", "-k", "9")[1])))
    assert len(rows) == 6 * 5
    assert all(row["left"] != row["right"] for row in rows)


def test_argument_file_and_standard_input_agree(run, catalogue, workplace):
    def piped(name, *arguments):
        with open(workplace / name, "rb") as stream:
            command = [*PROGRAM, "index", *arguments]
            return subprocess.run(command, env=environment(), stdin=stream, capture_output=True, check=True).stdout

    assert (
        piped("new.jsonl", "search", catalogue, "--from", "-").decode()
        == run("search", catalogue, "--from", "new.csv")[1]
    )
    assert piped("front.jpg", "search", catalogue, "-").decode() == run("search", catalogue, "front.jpg")[1]
    (workplace / "ids").write_text("\ufeff17\r\n18\n\n", "utf-8")
    piped("ids", "remove", catalogue, "-")
    assert counts(run) == (4, 8)


def test_resuming_passes_over_what_is_there(run, catalogue, workplace):
    with open(workplace / "listings.csv", "a") as stream:
        stream.write("31,30-0.jpg\n")
    errors = run("add", catalogue, "listings.csv", "--resume")[2]
    assert_says(one_line(errors), "1 listing added; 6 … left out")
    assert counts(run) == (7, 13)


def test_resuming_puts_in_again_what_has_changed(run, catalogue, workplace):
    rows = (workplace / "listings.csv").read_text().splitlines()
    lost, other = rows[1].partition(","), rows[2].partition(",")
    (workplace / "listings.csv").write_text(
        "\n".join([rows[0], f"{lost[0]},missing.jpg", f"{other[0]},front.jpg|back.jpg|front.jpg", *rows[3:], ""])
    )
    n_photos = counts(run)[1]
    errors = run("add", catalogue, "--from", "listings.csv", "--resume")[2]
    assert_says(errors.splitlines()[-1], "1 listing added; of those in the index 2 had changed; 5 skipped")
    assert counts(run) == (6, n_photos + 1)
    errors = run("add", catalogue, "--from", "listings.csv", "--resume")[2]
    assert_says(errors.splitlines()[-1], "0 listings added; of those in the index 1 had changed; 6 skipped")


def test_what_cannot_be_read_is_named_and_left_out(run, workplace):
    (workplace / "listings.csv").write_text(
        "id,photos\n1,front.jpg\n1,back.jpg\n2,missing.jpg\n3,\n4,front.jpg|missing.jpg\n"
    )
    code, _, errors = run("add", "catalogue", "listings.csv")
    lines = errors.splitlines()
    assert code == console.SOME_BAD
    assert_says(lines[0], "listings.csv, row 3: … '1' … row 2")
    assert_says(lines[1], "listing '2': … missing.jpg: no such file … never a duplicate")
    assert_says(lines[2], "listing '3': no photo")
    assert_says(lines[3], "listing '4': … missing.jpg: no such file")
    assert_says(lines[4], "2 listings added; 2 … left out; 3 problems with photos … ; 1 bad row")
    assert len(lines) == 5
    assert counts(run) == (2, 2)


def test_a_listing_that_lost_its_photos_is_still_in_the_index_and_that_is_said(run, catalogue, workplace):
    (workplace / "again.csv").write_text("id,photos\n17,\n99,\n")
    code, _, errors = run("add", catalogue, "again.csv")
    assert code == console.SOME_BAD
    assert_says(errors, "listing '17': … stays")
    assert errors.count("stays") == 1
    assert counts(run) == (6, 12)


def test_bad_rows_and_photos_go_to_a_side_file_that_is_given(run, workplace):
    (workplace / "listings.csv").write_text("id,photos\n1,front.jpg\n1,back.jpg\n2,missing.jpg\n")
    code, _, errors = run("add", "catalogue", "listings.csv", "--bad", "bad.jsonl")
    assert code == console.SOME_BAD
    assert one_line(errors).startswith("1 listing added; ")
    assert [json.loads(line).get("row") for line in (workplace / "bad.jsonl").read_text().splitlines()] == [3, None]


def test_an_unreadable_photo_of_a_search_is_named_and_the_others_count(run, catalogue):
    code, output, errors = run("search", catalogue, "front.jpg", "missing.jpg", "--json")
    assert code == console.SOME_BAD
    assert_says(one_line(errors), "missing.jpg: no such file")
    assert json.loads(output)["problems"] == [one_line(errors)]
    code, output, errors = run("search", catalogue, "missing.jpg")
    assert (code, output) == (console.UNUSABLE, "")
    assert_says(one_line(errors), "missing.jpg: no such file")


def test_nothing_found_is_said(run, catalogue):
    assert run("search", catalogue, "front.jpg", "--threshold", "1")[:2] == (0, "nothing found\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("add catalogue nothing.csv", console.UNUSABLE, "nothing.csv: no such file"),
        ("add new.csv listings.csv", console.UNUSABLE, "index new.csv: … Not a directory"),
        ("add . listings.csv", console.UNUSABLE, "index .: … search-space.safetensors"),
        ("add catalogue", console.USAGE, "LISTINGS"),
        ("add catalogue listings.csv --from listings.csv", console.USAGE, "LISTINGS … --from"),
        ("add catalogue listings.csv --columns titel=a", console.USAGE, "--columns: 'titel=a' … role=name"),
        ("add catalogue listings.csv --bundle nothing", console.UNUSABLE, "bundle nothing: … no such"),
        ("remove nothing 17", console.UNUSABLE, "index nothing: no such folder … index add"),
        ("search nothing front.jpg", console.UNUSABLE, "index nothing: no such folder … index add"),
        ("stats nothing", console.UNUSABLE, "index nothing: no such folder … index add"),
        ("tidy nothing", console.UNUSABLE, "index nothing: no such folder … index add"),
        ("search nothing", console.USAGE, "PHOTO or --from … --help"),
        ("search nothing front.jpg --from new.csv", console.USAGE, "PHOTO … --from"),
        ("search nothing front.jpg --bad bad.jsonl", console.USAGE, "--bad … --from"),
        ("search nothing - -", console.USAGE, "- … once"),
        ("search nothing front.jpg -k 0", console.USAGE, "'-k'"),
        ("search nothing front.jpg --threshold 2", console.USAGE, "--threshold 2.0 … 0 and 1"),
    ],
)
def test_each_mistake_is_one_line_and_leaves_no_file(run, workplace, arguments, code, message):
    before = sorted(workplace.iterdir())
    found, output, errors = run(*arguments.split())
    assert (found, output) == (code, "")
    assert_says(one_line(errors), message)
    assert sorted(workplace.iterdir()) == before


def test_a_listing_without_an_id_is_no_row_of_an_index(run, workplace):
    (workplace / "sku.jsonl").write_text(
        '{"sku": "17", "photos": ["17-0.jpg"]}\n{"id": "18", "photos": ["18-0.jpg"]}\n'
    )
    code, _, errors = run("add", "fresh", "sku.jsonl")
    assert code == console.SOME_BAD
    assert_says(errors, "sku.jsonl, row 1: no id")
    assert_says(errors, "1 listing added; 1 bad row")


def test_the_index_of_another_bundle_is_refused(run, catalogue, workplace, duplicates_bundle):
    space = workplace / catalogue / "search-space.safetensors"
    replace(SearchSpace.load(space), made_by="another").save(space)
    code, _, errors = run("search", catalogue, "front.jpg")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), "another image model … bundle")


def test_tidying_says_files_and_bytes_before_and_after(run, catalogue):
    assert run("remove", catalogue, "17")[0] == 0
    code, output, errors = run("tidy", catalogue, "--now", "--json")
    found = json.loads(output)
    assert (code, errors) == (0, "")
    assert found["files"] < found["files_before"]
    assert found["bytes"] == json.loads(run("stats", catalogue, "--json")[1])["bytes"] < found["bytes_before"]
    assert counts(run) == (5, 10)
    again = run("tidy", catalogue)[1]
    assert re.fullmatch(r"files: \d+ → \d+\nbytes: \d+ → \d+\n", again)


def test_every_example_of_the_help_runs(workplace):
    variables = environment(workplace)
    lines = examples(*(f"index {name}" for name in ("add", "remove", "search", "stats", "tidy")))
    assert len(lines) == 13
    for line in lines:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], env=variables, capture_output=True, text=True)
        assert done.returncode == 0 or line.endswith("catalogue -"), f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    assert ListingIndex.open(workplace / "catalogue").ids() == {"19", "20", "21", "22"}
