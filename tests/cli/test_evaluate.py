"""`productcat evaluate` and `productcat duplicates evaluate` in a shell: a report, or one line for each mistake."""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import shop
from commands import assert_says, examples, lines_of, one_line, runner

from productcat.cli import console

N_LISTINGS = 12
HEADER = ("left", "right", "label")


@pytest.fixture
def workplace(duplicates_bundle, tmp_path, monkeypatch):
    """The current folder: labelled.csv, of which four listings have photos; and pairs of them with their mirrors."""
    rng = np.random.default_rng(14)
    rows, pairs = [], []
    for number in range(N_LISTINGS):
        name = shop.CLASSES[number % 3]
        rows.append({"id": f"a{number}", "title": shop.title(name, rng), "photos": "", "label": name})
    for number in range(4):
        photo = shop.photo(shop.CLASSES[number % 3], rng, (64, 48))
        for id, pixels in ((f"a{number}", photo), (f"b{number}", np.ascontiguousarray(photo[:, ::-1]))):
            (tmp_path / f"{id}.jpg").write_bytes(shop.encode(pixels, "JPEG"))
        rows[number]["photos"] = f"a{number}.jpg"
        pairs += [(f"a{number}", f"b{number}", "yes"), (f"a{number}", f"a{(number + 1) % 4}", "no")]
    twins = [{**rows[number], "id": f"b{number}", "photos": f"b{number}.jpg"} for number in range(4)]
    write(tmp_path / "labelled.csv", rows)
    write(tmp_path / "listings.csv", rows[:4] + twins)
    write_pairs(tmp_path / "pairs.csv", pairs)
    stock = [{"id": row["id"], "headline": row["title"], "label": row["label"]} for row in rows]
    (tmp_path / "stock.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in stock))
    shutil.copytree(duplicates_bundle, tmp_path / "my-bundle")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(duplicates_bundle))
    return tmp_path


def write(path, rows):
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_pairs(path, pairs, header=HEADER):
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *pairs])


def rows_of(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def run(workplace, capfd):
    """A function from arguments to (exit code, output, errors as lines)."""
    assert workplace

    call = runner(capfd)

    def run(*arguments):
        code, output, errors = call(*arguments)
        return code, output, lines_of(errors)

    return run


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text("utf-8"))


def test_a_folder_with_figures_and_report_is_written_and_the_figures_that_matter_are_shown(run, workplace):
    code, output, errors = run("evaluate", "labelled.csv", "--to", "report")
    assert (code, len(errors)) == (console.FINE, 1)
    assert_says(errors[0], "report/report.html: … 12 listings")
    assert sorted(each.name for each in (workplace / "report").iterdir()) == ["metrics.json", "report.html"]
    found = metrics(workplace / "report")
    assert (found["source"], found["bundle"], found["listings"], found["left_out"]) == ("labelled.csv", "shop", 12, [])
    top1 = 100 * found["overall"]["both"]["top1"]["value"]
    assert re.search(rf"^right category first .* {top1:.1f} %$", output, re.MULTILINE)
    assert "How good is shop on labelled.csv?" in (workplace / "report/report.html").read_text("utf-8")


def test_what_is_left_out_is_named_counted_and_in_the_report(run, workplace):
    rows = rows_of("labelled.csv")
    (workplace / "broken.jpg").write_text("no photo")
    rows[0]["photos"] = "broken.jpg"
    rows[1]["label"] = rows[2]["label"] = "Belt"
    rows[3]["label"] = ""
    rows[4]["title"] = "🎉"
    write(workplace / "odd.csv", rows)
    code, _, errors = run("evaluate", "odd.csv", "--to", "report")
    assert code == console.SOME_BAD
    assert_says(errors[0], "odd.csv, row 5: no label")
    assert re.match(r"listing 'a0': .*broken\.jpg.*not a JPEG", errors[1])
    assert_says(errors[2], "label 'Belt': … 2 listings left out … 'Belts'?")
    assert_says(errors[3], "9 listings; 2 listings with unknown labels … ; 1 problem with photos … ; 1 bad row")
    assert len(errors) == 4
    assert metrics(workplace / "report")["left_out"] == [
        "1 row that cannot be used: no label, or not a listing",
        "2 listings labelled 'Belt', which is not a category",
        "1 photo that cannot be read",
        "1 listing without evidence, counted as wrong",
    ]
    assert "2 listings labelled &#x27;Belt&#x27;" in (workplace / "report/report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["missing.csv", "--to", "report"], console.UNUSABLE, "missing.csv: no such file"),
        (["bare.csv", "--to", "report"], console.UNUSABLE, "bare.csv: … 12 rows … label"),
        (
            ["hats.csv", "--to", "report"],
            console.UNUSABLE,
            "no label … category … 'Hats'",
        ),
        (["mute.csv", "--to", "report"], console.UNUSABLE, "12 labelled listings … photo"),
        (["labelled.csv", "--to", "taken"], console.UNUSABLE, "taken: exists … new folder"),
        (["labelled.csv", "--to", "no/where"], console.UNUSABLE, "no/where: no such folder"),
        (["labelled.csv", "--to", "report", "--label", "shelf"], console.UNUSABLE, "no column 'shelf'"),
        (["labelled.csv", "--to", "report", "--bundle", "nowhere"], console.UNUSABLE, "bundle nowhere: … no such"),
        (
            ["labelled.csv", "--to", "report", "--label", "a", "--columns", "label=b"],
            console.USAGE,
            "--label … --columns",
        ),
        (["labelled.csv"], console.USAGE, "'--to'"),
    ],
)
def test_a_mistake_is_one_line_and_no_report(run, workplace, options, code, message):
    rows = rows_of("labelled.csv")
    write(workplace / "hats.csv", [{**row, "label": "Hats"} for row in rows])
    write(workplace / "bare.csv", [{"id": row["id"], "title": row["title"]} for row in rows])
    write(workplace / "mute.csv", [{**row, "title": "", "photos": ""} for row in rows])
    (workplace / "taken").mkdir()
    before = sorted(each.name for each in workplace.iterdir())
    found, output, errors = run("evaluate", *options)
    assert (found, output, len(errors)) == (code, "", 1)
    assert_says(errors[0], message)
    assert sorted(each.name for each in workplace.iterdir()) == before


WITHOUT = """
import sys
sys.modules["matplotlib"] = None
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "matplotlib" else find(name, *rest)
from productcat.cli.app import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "labelled.csv"],
        ["duplicates", "evaluate", "pairs.csv", "--listings", "listings.csv"],
    ],
)
def test_without_matplotlib_one_line_names_the_extra_before_a_bundle_is_opened(workplace, command):
    program = [sys.executable, "-c", WITHOUT, *command, "--to", "report", "--bundle", "nowhere"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (console.UNUSABLE, "")
    assert_says(one_line(done.stderr), "pip install matplotlib")
    assert not (workplace / "report").exists()


def test_labelled_pairs_make_a_report_too(run, workplace):
    code, output, errors = run("duplicates", "evaluate", "pairs.csv", "--listings", "listings.csv", "--to", "report")
    assert (code, len(errors)) == (console.FINE, 1)
    assert_says(errors[0], "report/report.html: … 8 pairs")
    found = metrics(workplace / "report")
    assert (found["pairs"], found["same_item"], found["listings"]) == (8, 4, 8)
    precision = found["figures"]["average_precision"]["value"]
    assert re.search(rf"^average precision +{precision:.3f}  \(", output, re.MULTILINE)
    assert "duplicates of pairs.csv?" in (workplace / "report/report.html").read_text("utf-8")


def test_pairs_that_cannot_be_used_are_named(run, workplace):
    pairs = [tuple(row.values()) for row in rows_of("pairs.csv")]
    odd = [("b0", "a0", "no"), ("a0", "a0", "yes"), ("", "a0", "1"), ("a0", "b2", "maybe"), ("a0", "b3", "")]
    write_pairs(workplace / "odd.csv", [*pairs, *odd, ("a0", "gone", "0"), ("a1", "b0", "FALSE")])
    code, _, errors = run("duplicates", "evaluate", "odd.csv", "--listings", "listings.csv", "--to", "report")
    assert code == console.SOME_BAD
    expected = [
        "odd.csv, row 10: … row 2",
        "odd.csv, row 11: 'a0' … itself",
        "odd.csv, row 12: … id",
        "odd.csv, row 13: … 'maybe' … 1 or yes … 0 or no",
        "odd.csv, row 14: no label … 1 or yes … 0 or no",
        "listing 'gone': … listings.csv",
        "report/report.html: … 9 pairs; 5 rows … ; 1 pair … 1 listing",
    ]
    for error, words in zip(errors, expected, strict=True):
        assert_says(error, words)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["missing.csv", "--listings", "listings.csv"], console.UNUSABLE, "missing.csv: no such file"),
        (["pairs.csv", "--listings", "missing.csv"], console.UNUSABLE, "missing.csv: no such file"),
        (["labelled.csv", "--listings", "listings.csv"], console.UNUSABLE, "labelled.csv: no column 'left'"),
        (["empty.csv", "--listings", "listings.csv"], console.UNUSABLE, "empty.csv: no labelled pair"),
        (["same.csv", "--listings", "listings.csv"], console.UNUSABLE, "1 … same item … 0 of different"),
        (["pairs.csv", "--listings", "-"], console.USAGE, "--listings … file"),
        (
            ["pairs.csv", "--listings", "listings.csv", "--threshold", "2"],
            console.USAGE,
            "--threshold 2.0 … 0 and 1",
        ),
        (["pairs.csv"], console.USAGE, "'--listings'"),
    ],
)
def test_a_mistake_in_pairs_is_one_line_and_no_report(run, workplace, options, code, message):
    write_pairs(workplace / "empty.csv", [])
    write_pairs(workplace / "same.csv", [("a0", "b0", "yes")])
    found, output, errors = run("duplicates", "evaluate", *options, "--to", "report")
    assert (found, output, len(errors)) == (code, "", 1)
    assert_says(errors[0], message)
    assert not (workplace / "report").exists()


def test_what_find_writes_is_a_file_of_pairs_once_labels_are_added(run, workplace):
    assert run("duplicates", "find", "listings.csv", "--to", "found.csv", "--threshold", "0")[0] == console.FINE
    with open(workplace / "found.csv", newline="") as stream:
        header, *lines = csv.reader(stream)
    labelled = [[*line, int(line[0][1:] == line[1][1:])] for line in lines]
    write_pairs(workplace / "by-hand.csv", labelled, [*header, "label"])
    code, _, _ = run("duplicates", "evaluate", "by-hand.csv", "--listings", "listings.csv", "--to", "report")
    assert code == console.FINE
    assert metrics(workplace / "report")["pairs"] == len(lines)


@pytest.mark.parametrize("command", ["evaluate", "duplicates evaluate"])
def test_the_examples_of_the_help_run(run, workplace, command):
    lines = examples(command)
    assert len(lines) >= 2
    write(workplace / "labelled.csv", [{**row, "shelf": row["label"]} for row in rows_of("labelled.csv")])
    for example in lines:
        assert run(*shlex.split(example)[1:])[0] == console.FINE, example
