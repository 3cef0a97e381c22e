"""`productcat calibrate` in a shell: a new bundle and a table, or one line for each mistake and no bundle."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import shop
from commands import assert_says, environment, examples, lines_of, runner

from productcat import Categorizer
from productcat.cli import console

TARGET = "my-bundle"
N_LISTINGS = 30


@pytest.fixture
def workplace(tiny_bundle, tmp_path, monkeypatch):
    """The current folder with labelled.csv, whose titles tell; two listings have photos. One label in six is wrong."""
    rng = np.random.default_rng(11)
    rows = []
    for number in range(N_LISTINGS):
        name = shop.CLASSES[number % 3]
        label = shop.CLASSES[(number + 1) % 3] if number % 6 == 5 else name
        rows.append({"id": number, "title": shop.title(name, rng), "photos": "", "label": label})
    for number in (0, 1):
        (tmp_path / f"{number}.jpg").write_bytes(shop.encode(shop.photo(shop.CLASSES[number], rng, (64, 48)), "JPEG"))
        rows[number]["photos"] = f"{number}.jpg"
    write(tmp_path / "labelled.csv", rows)
    (tmp_path / "labelled.jsonl").write_text("".join(json.dumps({**row, "photos": []}) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(tiny_bundle))
    return tmp_path


def write(path, rows):
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def rows_of(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def run(workplace, capfd):
    """A function from arguments to (exit code, output, errors)."""
    assert workplace
    return runner(capfd, "calibrate")


def test_a_column_that_may_have_photos_and_is_not_read_is_one_line(run, workplace):
    text = (workplace / "labelled.csv").read_text()
    (workplace / "labelled.csv").write_text(text.replace("photos", "picture", 1))
    _, _, errors = run("labelled.csv", "--to", TARGET)
    assert errors.count("'picture' is not read") == 1


def test_a_new_bundle_is_written_and_before_and_after_are_shown(run, workplace, tiny_bundle):
    code, output, errors = run("labelled.csv", "--to", TARGET)
    (line,) = lines_of(errors)
    assert code == console.FINE
    assert_says(line, f"{TARGET}: … {N_LISTINGS} listings")
    assert re.search(r"^ +before +after$", output, re.MULTILINE)
    assert re.search(r"^expected calibration error +0\.\d{3} +0\.\d{3}$", output, re.MULTILINE)
    assert re.search(r"^the title alone +assigned from +90\.0 % on, 30 listings$", output, re.MULTILINE)
    old, new = Categorizer.load(tiny_bundle), Categorizer.load(workplace / TARGET)
    assert new.projections.temperature > old.projections.temperature  # five labels of thirty are wrong
    assert new.rules == old.rules


def test_json_is_one_object_with_figures_settings_and_rules(run, workplace):
    code, output, _ = run("labelled.csv", "--to", TARGET, "--precision", "0.7", "--json")
    found = json.loads(output)
    assert code == console.FINE
    assert (found["bundle"], found["n_listings"], found["precision"]) == (TARGET, N_LISTINGS, 0.7)
    assert found["after"]["negative_log_likelihood"] <= found["before"]["negative_log_likelihood"]
    assert found["kinds"] == {"both": 2, "photos": 2, "title": 30}
    assert [each.partition(":")[0] for each in found["notes"][:2]] == ["photos and title", "photos alone"]
    new = Categorizer.load(workplace / TARGET)
    assert found["settings"]["projections"]["temperature"] == new.projections.temperature
    assert found["rules"]["title"]["assign_at"] == new.rules["title"].assign_at
    assert found["rules"]["both"]["assign_at"] == 1.0


def test_labels_that_are_all_wrong_are_doubted(run, workplace):
    rows = rows_of(workplace / "labelled.csv")
    for row, other in zip(rows, [*rows[1:], rows[0]], strict=True):
        row["shifted"] = other["label"]
    write(workplace / "labelled.csv", rows)
    code, output, errors = run("labelled.csv", "--to", TARGET, "--label", "shifted")
    assert code == console.FINE
    assert_says(output, "labels and bundle disagree … of 30 listings … --label")
    assert_says(lines_of(errors)[-1], "30 listings, whose labels are probably wrong")


def test_notes_are_shown_below_the_table(run):
    output = run("labelled.csv", "--to", TARGET, "--precision", "0.7")[1]
    assert re.search(r"^photos alone: 2 listings", output, re.MULTILINE)


@pytest.mark.parametrize("options", [["--label", "shelf"], ["--columns", "label=shelf"]])
def test_the_column_of_the_labels_is_named_by_an_option(run, workplace, options):
    write(workplace / "shelves.csv", [{**row, "shelf": row.pop("label")} for row in rows_of("labelled.csv")])
    assert run("shelves.csv", "--to", TARGET, *options)[0] == console.FINE


def test_json_lines_and_standard_input_are_read_too(run, workplace):
    assert run("labelled.jsonl", "--to", TARGET)[0] == console.FINE
    program = [sys.executable, "-m", "productcat.cli", "calibrate", "-", "--to", "from-stdin", "--json"]
    with open("labelled.jsonl") as stream:
        done = subprocess.run(program, stdin=stream, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == console.FINE, done.stderr
    assert json.loads(done.stdout)["n_listings"] == N_LISTINGS


def test_what_is_left_out_is_named_and_counted(run, workplace):
    rows = rows_of("labelled.csv")
    rows[0]["photos"] = "broken.jpg"
    (workplace / "broken.jpg").write_text("no photo")
    rows[1]["label"] = rows[2]["label"] = "Belt"
    rows[3]["label"] = "Kettles"
    rows[4]["title"] = "🎉"
    rows[5]["label"] = ""
    write(workplace / "odd.csv", rows)
    code, _, errors = run("odd.csv", "--to", TARGET)
    lines = lines_of(errors)
    assert code == console.SOME_BAD
    assert re.match(r"listing '0': .*broken\.jpg.*not a JPEG", lines[1])
    assert lines[0].startswith("odd.csv, row 7: no label")
    assert_says(lines[2], "label 'Belt': … 2 listings left out … 'Belts'?")
    assert_says(lines[3], "label 'Kettles': … 1 listing left out … add the category")
    assert_says(lines[4], "listing '4': … left out")
    assert_says(lines[5], f"{TARGET}: … 25 listings; 4 listings left out … ; 1 problem with photos … ; 1 bad row")
    assert len(lines) == 6


def test_labels_that_differ_in_capitals_or_spaces_only_are_matched_and_said_once(run, workplace):
    rows = rows_of("labelled.csv")
    spelt = {"Belts": "BELTS", "Handbags": " handbags", "Tshirts": "Tshirts"}
    write(workplace / "spelt.csv", [{**row, "label": spelt[row["label"]]} for row in rows])
    code, output, errors = run("spelt.csv", "--to", TARGET)
    assert code == console.FINE
    said, done = lines_of(errors)
    assert_says(said, "capitals or spaces … 'BELTS' as 'Belts' … 'handbags' as 'Handbags'")
    assert_says(done, "30 listings")
    assert output == run("labelled.csv", "--to", "other")[1]


def test_a_label_that_stands_for_none_is_not_taken_for_a_category(run, workplace):
    rows = rows_of("labelled.csv")
    rows[0]["label"], rows[1]["label"] = "nan", "N/A"
    write(workplace / "gaps.csv", rows)
    errors = run("gaps.csv", "--to", TARGET)[2]
    for label in ("nan", "N/A"):
        assert_says(next(each for each in lines_of(errors) if repr(label) in each), "1 listing … no label")


def test_of_very_many_unknown_labels_the_first_are_named(run, workplace):
    rows = rows_of("labelled.csv")
    more = [{**rows[0], "id": f"more {number}", "photos": "", "label": f"Kettle {number}"} for number in range(30)]
    write(workplace / "many.csv", rows + more)
    lines = lines_of(run("many.csv", "--to", TARGET)[2])
    assert sum(line.startswith("label 'Kettle ") for line in lines) == 20
    assert sum(line.startswith("10 more labels") for line in lines) == 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["missing.csv", "--to", TARGET], console.UNUSABLE, "missing.csv: … no such file"),
        (
            ["labelled.csv", "--to", TARGET, "--label", "shelf"],
            console.UNUSABLE,
            "labelled.csv: … no column 'shelf'",
        ),
        (
            ["bare.csv", "--to", TARGET],
            console.UNUSABLE,
            "bare.csv: none of its 30 rows has a label … 'articleType' … --label",
        ),
        (["hats.csv", "--to", TARGET], console.UNUSABLE, "no label … category … 'Hats'"),
        (
            ["few.csv", "--to", TARGET],
            console.UNUSABLE,
            "9 listings … at least 10",
        ),
        (
            ["labelled.csv", "--to", "labelled.csv"],
            console.UNUSABLE,
            "labelled.csv: exists",
        ),
        (
            ["labelled.csv", "--to", TARGET, "--bundle", "nowhere"],
            console.UNUSABLE,
            "bundle nowhere: … no such",
        ),
        (
            ["labelled.csv", "--to", TARGET, "--precision", "98"],
            console.USAGE,
            "--precision 98",
        ),
        (["labelled.csv", "--to", TARGET, "--precision", "0"], console.USAGE, "--precision 0"),
        (["labelled.csv", "--to", TARGET, "--precision", "nan"], console.USAGE, "--precision nan"),
        (
            ["labelled.csv", "--to", TARGET, "--label", "a", "--columns", "label=b"],
            console.USAGE,
            "--label … --columns",
        ),
        (["labelled.csv"], console.USAGE, "'--to'"),
    ],
)
def test_a_mistake_is_one_line_and_no_bundle(run, workplace, options, code, message):
    rows = rows_of("labelled.csv")
    write(workplace / "hats.csv", [{**row, "label": "Hats"} for row in rows])
    write(workplace / "few.csv", rows[:9])
    write(workplace / "bare.csv", [{"id": row["id"], "title": row["title"]} for row in rows])
    found, output, errors = run(*options)
    assert (found, output) == (code, "")
    assert errors.count("\n") == 1
    assert_says(lines_of(errors)[0], message)
    assert not (workplace / TARGET).exists()


def test_a_target_that_exists_and_unlabelled_rows_are_known_before_a_model_is_loaded(run, workplace):
    (workplace / "taken").mkdir()
    write(workplace / "bare.csv", [{"id": row["id"], "title": row["title"]} for row in rows_of("labelled.csv")])
    for options, message in (
        (["labelled.csv", "--to", "taken"], "taken: exists"),
        (["bare.csv", "--to", TARGET], "bare"),
    ):
        assert message in run(*options, "--bundle", "nowhere")[2]


def test_rows_without_a_label_before_the_first_with_one_are_named(run, workplace):
    rows = rows_of("labelled.csv")
    rows[0]["label"] = ""
    write(workplace / "late.csv", rows)
    code, _, errors = run("late.csv", "--to", TARGET)
    assert code == console.SOME_BAD
    assert_says(lines_of(errors)[0], "late.csv, row 2: no label")


def test_the_examples_of_the_help_run(run, workplace):
    lines = examples("calibrate")
    assert len(lines) == 3
    write(workplace / "labelled.csv", [{**row, "shelf": row["label"]} for row in rows_of("labelled.csv")])
    for example in lines:
        assert run(*example.split()[2:])[0] == console.FINE, example
