"""`productcat duplicates` in a shell: the same pairs whatever the way in or out, one line for each mistake."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import shop
from commands import assert_says, environment, examples, lines_of, one_line, runner

from productcat import DuplicateDetector, read_listings
from productcat.cli import console
from productcat.models.bundle import Bundle, write_bundle

PROGRAM = [sys.executable, "-m", "productcat.cli"]
MANY = 400
"""Listings of the run that is killed: some shards of embeddings."""


@pytest.fixture
def workplace(duplicates_bundle, tmp_path, monkeypatch):
    """The current folder: six listings of two photos; b3 is a3 with mirrored photos, b1 shares one photo with a1."""
    rng = np.random.default_rng(3)
    (tmp_path / "photos").mkdir()
    rows = []
    for number in range(6):
        photos = [shop.photo(shop.CLASSES[number % 3], rng, (64, 48)) for _ in range(2)]
        rows.append(write(tmp_path, f"a{number}", photos))
        if number == 3:
            rows.append(write(tmp_path, "b3", [photo[:, ::-1] for photo in photos]))
        if number == 1:
            rows.append(write(tmp_path, "b1", [photos[1], shop.photo("Handbags", rng, (64, 48))]))
    write_table(tmp_path / "listings.csv", rows)
    lines = [{"id": id, "title": title, "photos": photos.split("|")} for id, title, photos in rows]
    (tmp_path / "listings.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    more = {"a3": ("9,50 €", "R3", "used", ""), "b3": ("12", "R4", "new", ""), "a0": ("", "", "", "S")}
    more["a4"] = more["a0"]
    goods = [(*row, *more.get(row[0], ("", "", "", ""))) for row in rows]
    with open(tmp_path / "goods.csv", "w", newline="") as stream:
        head = ("id", "title", "photos", "price", "reference", "condition", "sku")
        csv.writer(stream).writerows([head, *goods])
    decided = [f"a{i},a{j},different\n" for i in range(6) for j in range(i)] + ["a3,b3,same\n"] * 2
    (tmp_path / "decisions.csv").write_text("left,right,verdict\n" + "".join(decided))
    (tmp_path / "stock.csv").write_text("id,headline\na0-0,leather belt\na1-0,red handbag\n")
    for name, source in {"front.jpg": "a1-0.jpg", "back.jpg": "a1-1.jpg", "boots.jpg": "b1-0.jpg"}.items():
        (tmp_path / name).write_bytes((tmp_path / "photos" / source).read_bytes())
    (tmp_path / "photos/front.jpg").write_bytes((tmp_path / "front.jpg").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(duplicates_bundle))
    return tmp_path


def write(folder, id, photos):
    """Photos of a listing as files. → its row"""
    for number, photo in enumerate(photos):
        (folder / f"photos/{id}-{number}.jpg").write_bytes(shop.encode(np.ascontiguousarray(photo), "JPEG"))
    return id, f"title of {id}", "|".join(f"photos/{id}-{number}.jpg" for number in range(len(photos)))


def write_table(path, rows):
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([("id", "title", "photos"), *rows])


@pytest.fixture
def run(workplace, capfd):
    """A function from arguments to (exit code, output, errors)."""
    assert workplace
    return runner(capfd, "duplicates")


def pairs_of(text):
    return {(row["left"], row["right"]): float(row["score"]) for row in csv.DictReader(text.splitlines())}


def test_the_pairs_are_found_and_summed_up_in_one_line(run, workplace):
    code, output, errors = run("find", "listings.csv", "--to", "pairs.csv", "--threshold", "0.9")
    found = pairs_of((workplace / "pairs.csv").read_text())
    assert (code, output) == (0, "")
    said = rf"8 listings, {len(found)} pairs at 0.9 or more, (about|more than) [\d.]+ % of them right($| \(\d+ more)"
    assert re.match(said, one_line(errors))
    assert ("a3", "b3") in found
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert all(0.9 <= score <= 1 for score in found.values())
    assert [each.name for each in workplace.iterdir() if "pairs" in each.name] == ["pairs.csv"]


def test_the_pairs_that_miss_the_threshold_are_counted_down_to_its_half(run, duplicates_bundle):
    pairs = DuplicateDetector.load(duplicates_bundle).find(read_listings("listings.csv"), threshold=0)
    scores = [pair.score for pair in pairs]
    threshold = 1.5 * max(score for score in scores if score < 0.6)
    near, found = (sum(score >= least for score in scores) for least in (threshold / 2, threshold))
    assert near > found
    _, _, errors = run("find", "listings.csv", "--threshold", str(threshold))
    more = f"({near - found} more from {threshold / 2:.3g} on: see them with --html, take them with --threshold)"
    assert_says(one_line(errors), f"8 listings, {found} pairs at {threshold:.3g} or more, … {more}")


@pytest.fixture
def mild(duplicates_bundle, tmp_path):
    """A bundle that is never quite sure."""
    given = Bundle.open(duplicates_bundle)

    def fill(folder):
        given.copy_files(folder)
        path = folder / "duplicates" / "settings.json"
        settings = json.loads(path.read_text())
        settings["head"] = {"weights": [1.0, 1.0, 1.0, 0.2, 0.0, 0.0], "bias": -2.0}
        path.write_text(json.dumps(settings))

    write_bundle(tmp_path / "mild", given.manifest, fill)
    return tmp_path / "mild"


def test_the_share_that_is_right_is_told_and_can_be_asked_for(run, mild):
    found = DuplicateDetector.load(mild).find(read_listings("listings.csv"), 0.5)
    scores = np.array([pair.score for pair in found])
    wanted = (scores.mean() + scores.max()) / 2
    for command in ("find", "groups"):
        _, output, errors = run(command, "listings.csv", "--bundle", mild, "--precision", f"{wanted:.6f}")
        n_pairs, threshold, right = re.search(r"(\d+) pairs? at ([\d.]+) or more, \D+([\d.]+) %", errors).groups()
        assert 0 < int(n_pairs) < len(found)
        assert scores[: int(n_pairs) + 1].mean() < wanted
        assert float(right) / 100 == pytest.approx(scores[: int(n_pairs)].mean(), abs=0.006)
        assert float(threshold) == pytest.approx(scores[int(n_pairs) - 1], abs=0.001)
        assert command == "groups" or len(pairs_of(output)) == int(n_pairs)


@pytest.fixture
def charts(workplace):
    """A size chart as the first photo of every listing of listings.csv, and in the folder charts. → the listings"""
    rng = np.random.default_rng(8)
    (workplace / "charts").mkdir()
    chart = np.kron(rng.integers(0, 256, (8, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    (workplace / "charts/chart.jpg").write_bytes(shop.encode(chart, "JPEG"))
    (workplace / "photos/chart.jpg").write_bytes(shop.encode(chart[:, ::-1], "PNG"))
    rows = [(each.id, each.title, each.photos) for each in read_listings("listings.csv")]
    rows = [(id, title, "|".join(["photos/chart.jpg", *map(str, photos)])) for id, title, photos in rows]
    write_table(workplace / "charted.csv", rows)
    return rows


def test_pictures_of_a_folder_never_count(run, charts):
    assert len(charts) == 8
    without = pairs_of(run("find", "listings.csv", "--threshold", "0.5")[1])
    code, output, errors = run("find", "charted.csv", "--threshold", "0.5", "--ignore", "charts", "--html", "r.html")
    assert (code, pairs_of(output)) == (0, without)
    assert "one picture" not in errors


def test_a_picture_that_most_listings_share_is_named_once(run, charts, workplace):
    few = [(f"row {number}", "", "|".join(photos.split("|")[:2])) for number, (_, _, photos) in enumerate(charts)]
    write_table(workplace / "few.csv", few)
    _, _, errors = run("find", "few.csv", "--to", "few-pairs.csv", "--html", "few.html")
    said = r"one picture is in 8 listings that otherwise differ \(such as row 0, photo 1\): a size chart\? left out"
    assert len(re.findall(said, errors)) == 1
    assert "Left out: 1 picture that many listings share" in (workplace / "few.html").read_text()


def test_a_column_that_may_have_photos_and_is_not_read_is_one_line(run, workplace):
    (workplace / "stock.csv").write_text("id,title,picture\n1,leather belt,1.jpg\n2,red belt,2.jpg\n", "utf-8")
    _, _, errors = run("find", "stock.csv", "--to", "stock-pairs.csv")
    assert errors.count("column 'picture' is not read") == 1


def test_argument_standard_input_and_every_output_agree(run, workplace, duplicates_bundle):
    command = [*PROGRAM, "duplicates", "find", "-"]
    assert run("find", "listings.csv", "--to", "pairs.csv")[0] == 0
    whole = (workplace / "pairs.csv").read_text()
    assert run("find", "listings.jsonl")[1] == whole
    with open(workplace / "listings.csv", "rb") as stream:
        done = subprocess.run(command, env=environment(), stdin=stream, capture_output=True)
    assert done.stdout.decode() == whole
    assert run("find", "listings.csv", "--to", "pairs.jsonl")[0] == 0
    lines = [json.loads(line) for line in (workplace / "pairs.jsonl").read_text().splitlines()]
    assert {(line["left"], line["right"]): line["score"] for line in lines} == pairs_of(whole)


def test_a_lower_threshold_finds_more_and_not_adapting_finds_others(run):
    scores = [pairs_of(run("find", "listings.csv", "--threshold", each)[1]) for each in ("0", "0.5", "0.9")]
    assert len(scores[0]) > len(scores[1]) >= len(scores[2]) > 0
    alone = pairs_of(run("find", "listings.csv", "--threshold", "0", "--no-adapt")[1])
    assert alone.keys() == scores[0].keys()
    assert alone != scores[0]


def test_bad_rows_and_photos_go_to_the_side_file_and_the_rest_is_done(run, workplace):
    with open(workplace / "listings.csv", "a") as stream:
        stream.write("a1,again,photos/a1-0.jpg\n5,too,many,fields\nc1,,missing.jpg|photos/a1-1.jpg\nc2,no photo,\n")
    code, _, errors = run("find", "listings.csv", "--to", "pairs.csv")
    assert code == console.SOME_BAD
    assert re.fullmatch(
        r"10 listings, \d+ pairs .*; 2 problems with photos, .*pairs.csv.bad.jsonl; 2 bad rows, .*pairs.csv.bad.jsonl",
        one_line(errors),
    )
    bad = [json.loads(line) for line in (workplace / "pairs.csv.bad.jsonl").read_text().splitlines()]
    assert [each.get("row") for each in bad] == [10, 11, None, None]
    assert_says(bad[0]["reason"], "'a1' … row 3")
    assert bad[2]["reason"].startswith("listing 'c1': ")
    assert "missing.jpg: no such file" in bad[2]["reason"]
    assert bad[3]["reason"].startswith("listing 'c2': no photo")
    assert any("c1" in pair for pair in pairs_of((workplace / "pairs.csv").read_text()))


def test_what_else_lies_in_the_folder_of_embeddings_does_not_make_a_run_unfinished(run, workplace):
    (workplace / "pairs.csv.embeddings").mkdir()
    (workplace / "pairs.csv.embeddings" / ".DS_Store").write_bytes(b"")
    assert run("find", "listings.csv", "--to", "pairs.csv")[0] == 0
    (workplace / "pairs.csv").write_text("left,right,score,label\n")
    code, _, errors = run("find", "listings.csv", "--to", "pairs.csv")
    assert code == console.UNUSABLE
    assert "pairs.csv" in one_line(errors)
    assert (workplace / "pairs.csv").read_text() == "left,right,score,label\n"


def test_bad_rows_are_told_on_standard_error_when_pairs_go_to_standard_output(run, workplace):
    (workplace / "few.csv").write_text("id,photos\n1,front.jpg\n1,back.jpg\n2,text.jpg\n")
    (workplace / "text.jpg").write_text("I am no photo")
    code, output, errors = run("find", "few.csv")
    assert (code, output) == (console.SOME_BAD, "left,right,score,kind\n")
    first, second, last = errors.splitlines()
    assert_says(first, "few.csv, row 3: … '1' … row 2")
    assert_says(second, "listing '2': text.jpg: not a JPEG, PNG, WebP")
    assert_says(last, "2 listings, 0 pairs … ; 1 problem with photos … ; 1 bad row")


@pytest.mark.parametrize("content", ["id,title,photos\n", "id,title,photos\n1,a title,\n"])
def test_a_table_without_listings_or_photos_gives_no_pair(run, workplace, content):
    (workplace / "few.csv").write_text(content)
    code, _, errors = run("find", "few.csv", "--to", "pairs.csv", "--html", "report.html")
    assert code == (console.FINE if content.count("\n") == 1 else console.SOME_BAD)
    assert ", 0 pairs" in one_line(errors)
    assert (workplace / "pairs.csv").read_text() == "left,right,score,kind\n"
    assert "0 pairs" in (workplace / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("find nothing.csv --to pairs.csv", console.UNUSABLE, "nothing.csv: no such file"),
        ("find empty.csv --to pairs.csv", console.UNUSABLE, "empty.csv: empty … header"),
        ("find listings.csv --to nowhere/pairs.csv", console.UNUSABLE, "cannot be written (No such file or directory)"),
        ("find listings.csv --to stock.csv/pairs.csv", console.UNUSABLE, "cannot be written (Not a directory)"),
        ("find listings.csv --to pairs.csv --html nowhere/r.html", console.UNUSABLE, "nowhere/r.html: no such folder"),
        ("find listings.csv --to stock.csv", console.UNUSABLE, "stock.csv: exists"),
        ("find listings.csv --html stock.csv", console.UNUSABLE, "stock.csv: exists"),
        ("find listings.csv --threshold 1.5", console.USAGE, "--threshold 1.5 … 0 and 1 … --help"),
        ("find listings.csv --threshold nan", console.USAGE, "--threshold nan … 0 and 1"),
        ("find listings.csv --precision 1", console.USAGE, "--precision 1: … below 1; 98 % is 0.98"),
        ("groups listings.csv --precision 0.9 --threshold 0.9", console.USAGE, "--threshold and --precision … one"),
        ("find listings.csv --ignore nothing", console.UNUSABLE, "nothing: no such"),
        ("find listings.csv --columns titel=a", console.USAGE, "--columns: 'titel=a' … role=name"),
        ("find listings.csv --to r.html --html r.html", console.USAGE, "--to and --html … same"),
        ("find", console.USAGE, "'LISTINGS'"),
        ("find listings.csv --decided nothing.csv", console.UNUSABLE, "nothing.csv: no such file"),
        ("find listings.csv --decided listings.csv", console.USAGE, "LISTINGS and --decided … same"),
        ("find - --decided -", console.USAGE, "LISTINGS and --decided … standard input"),
        ("groups listings.csv --apart sku", console.UNUSABLE, "listings.csv: no column 'sku' … id, title, photos"),
        ("groups listings.csv --keep colour", console.USAGE, "--keep: 'colour' … colour:lowest"),
        ("groups listings.csv --to stock.csv", console.UNUSABLE, "stock.csv: exists"),
        ("groups listings.csv --decided against.csv", console.UNUSABLE, "against.csv: rows 2 and 3 … 'a1' and 'a0'"),
        ("calibrate listings.csv", console.USAGE, "'--decided'"),
        ("calibrate listings.csv --decided few.csv", console.UNUSABLE, "1 pairs … 1 to be different … decide more"),
        ("calibrate listings.csv --decided few.csv --precision 95", console.USAGE, "--precision 95: … 0.98"),
        ("calibrate listings.csv --decided few.csv --to photos", console.UNUSABLE, "photos: … new directory"),
        ("compare front.jpg", console.USAGE, "--with B..."),
        ("compare front.jpg --with", console.USAGE, "--with B..."),
        ("compare --with front.jpg", console.USAGE, "'A'"),
        ("compare - --with -", console.USAGE, "- … once"),
        ("compare nothing.jpg --with front.jpg", console.UNUSABLE, "nothing.jpg: no such file"),
        ("compare front.jpg --with back.jpg --bundle nothing", console.UNUSABLE, "bundle nothing: … no such"),
    ],
)
def test_each_mistake_is_one_line_and_leaves_no_file(run, workplace, arguments, code, message):
    (workplace / "empty.csv").write_text("")
    (workplace / "few.csv").write_text("left,right,verdict\na3,b3,same\na0,a1,different\n")
    (workplace / "against.csv").write_text("left,right,verdict\na0,a1,same\na1,a0,different\n")
    before = sorted(workplace.iterdir())
    found, output, errors = run(*arguments.split())
    assert (found, output) == (code, "")
    assert_says(one_line(errors), message)
    assert sorted(workplace.iterdir()) == before


def test_a_bundle_without_a_duplicates_part_is_refused_by_name(run, tiny_bundle):
    for arguments in ("find listings.csv", "compare front.jpg --with back.jpg"):
        code, _, errors = run(*arguments.split(), "--bundle", str(tiny_bundle))
        assert code == console.UNUSABLE
        assert_says(one_line(errors), "'duplicates' … fashion")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("output", ["--to locked/pairs.csv", "--to pairs.csv --html locked/report.html"])
def test_a_folder_that_may_not_be_written_to_is_told_before_the_work(run, workplace, output):
    (workplace / "locked").mkdir(mode=0o555)
    code, _, errors = run("find", "listings.csv", *output.split())
    assert code == console.UNUSABLE
    assert "cannot be written" in one_line(errors)


@pytest.fixture
def many(workplace):
    """A table of MANY listings of one photo each, with a bad row."""
    rng = np.random.default_rng(4)
    rows = [write(workplace, f"m{number}", [shop.photo(shop.CLASSES[number % 3], rng)]) for number in range(MANY)]
    write_table(workplace / "many.csv", [*rows, ("m0", "", ""), ("gone", "", "missing.jpg")])
    return workplace / "many.csv"


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_files(run, workplace, duplicates_bundle, many):
    outputs = {"": ("whole.csv", "whole.html"), "killed": ("pairs.csv", "report.html")}
    arguments = {kind: ["find", str(many), "--to", to, "--html", html] for kind, (to, html) in outputs.items()}
    assert run(*arguments[""])[0] == console.SOME_BAD
    shards = workplace / "pairs.csv.embeddings"
    with subprocess.Popen([*PROGRAM, "duplicates", *arguments["killed"]], env=environment()) as process:
        while process.poll() is None and not list(shards.glob("[0-9]*.safetensors")):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in shards.glob("[0-9]*.safetensors")}
    assert kept
    assert not (workplace / "pairs.csv").exists()
    code, _, errors = run(*arguments["killed"])
    assert code == console.SOME_BAD
    assert_says(lines_of(errors)[-1], "1 problem with photos … pairs.csv.bad.jsonl; 1 bad row")
    for first, second in zip(*outputs.values(), strict=True):
        assert (workplace / second).read_bytes() == (workplace / first).read_bytes()
    side = [(workplace / f"{name}.bad.jsonl").read_bytes() for name in ("pairs.csv", "whole.csv")]
    assert side[0] == side[1]
    assert not shards.exists()


def test_an_interrupted_run_says_how_to_go_on(workplace, duplicates_bundle, many):
    command = [*PROGRAM, "duplicates", "find", str(many), "--to", "pairs.csv"]

    def heed_interrupts():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell lets what it runs in the background ignore them

    pipes = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_interrupts}
    with subprocess.Popen(command, env=environment(), **pipes) as process:
        while process.poll() is None and not (workplace / "pairs.csv.embeddings").exists():
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == console.INTERRUPTED
    assert_says(one_line(errors), "interrupted; … same command")


def test_two_sets_are_compared_and_the_photos_that_match_are_named(run):
    code, output, errors = run("compare", "front.jpg", "back.jpg", "--with", "boots.jpg", "photos/b1-1.jpg")
    assert (code, errors) == (0, "")
    first, blank, heads, best, _ = output.splitlines()
    assert re.fullmatch(r"(No d|D)uplicates: the same item with \d+\.\d %, which .+ the threshold of 50\.0 %", first)
    assert (blank, heads.split()) == ("", ["photo", "photo", "top", "copy"])
    assert best.split()[:2] == ["back.jpg", "boots.jpg"]
    assert float(best.split()[-1]) > 0.99


def groups_of(text):
    groups = {}
    for row in csv.DictReader(text.splitlines()):
        groups.setdefault(row["group"], []).append(row["id"])
        assert (row["keep"] == "yes") == (len(groups[row["group"]]) == 1)
    return list(groups.values())


def test_groups_are_found_and_summed_up_and_both_formats_agree(run, workplace):
    code, output, errors = run("groups", "listings.csv", "--to", "groups.csv", "--threshold", "0.9")
    found = groups_of((workplace / "groups.csv").read_text())
    assert (code, output) == (0, "")
    said = f", in {len(found)} groups? of {sum(map(len, found))} listings"
    assert re.search(said, one_line(errors))
    assert any({"a3", "b3"} <= {*group} for group in found)
    assert not (workplace / "groups.csv.embeddings").exists()
    assert groups_of(run("groups", "listings.csv", "--threshold", "0.9")[1]) == found
    assert run("groups", "listings.csv", "--to", "groups.jsonl", "--html", "r.html", "--threshold", "0.9")[0] == 0
    lines = [json.loads(line) for line in (workplace / "groups.jsonl").read_text().splitlines()]
    assert [line["ids"] for line in lines] == found
    assert all(len(line["pairs"]) == len(line["ids"]) * (len(line["ids"]) - 1) // 2 for line in lines)
    assert (workplace / "r.html").exists()


def test_the_python_face_gives_the_same_groups(run, duplicates_bundle):
    groups = DuplicateDetector.load(duplicates_bundle).groups(read_listings("listings.csv"), 0.9)
    assert groups_of(run("groups", "listings.csv", "--threshold", "0.9")[1]) == [list(each.ids) for each in groups]


@pytest.mark.parametrize(
    ("order", "kept"),
    [("price:lowest", "a3"), ("price:highest", "b3"), ("condition:new|used", "b3"), ("reference:lowest", "a3")],
)
def test_the_listing_to_keep_is_chosen_by_a_column(run, order, kept):
    arguments = ["groups", "goods.csv", "--decided", "decisions.csv", "--keep", order, "--threshold", "1"]
    assert groups_of(run(*arguments)[1])[0][0] == kept


def test_decisions_are_honoured_by_pairs_and_groups(run, workplace):
    (workplace / "decided.csv").write_text("left,right,verdict\na3,b3,different\na0,a1,same\n")
    found = pairs_of(run("find", "listings.csv", "--threshold", "0", "--decided", "decided.csv")[1])
    assert ("a3", "b3") not in found
    assert found["a0", "a1"] == 1
    groups = groups_of(run("groups", "listings.csv", "--threshold", "0", "--decided", "decided.csv")[1])
    assert any({"a0", "a1"} <= {*group} for group in groups)
    assert not any({"a3", "b3"} <= {*group} for group in groups)


def test_columns_keep_listings_apart_or_together(run):
    found = pairs_of(run("find", "goods.csv", "--threshold", "0", "--apart", "reference", "--together", "sku")[1])
    assert ("a3", "b3") not in found
    assert found["a0", "a4"] == 1
    assert ("a3", "b3") in pairs_of(run("find", "goods.csv", "--threshold", "0")[1])


def test_unknown_ids_and_bad_rows_of_decisions_are_one_line_each(run, workplace):
    (workplace / "decided.csv").write_text("left,right,verdict\na3,gone,different\na0,a1,perhaps\n")
    code, _, errors = run("find", "listings.csv", "--decided", "decided.csv")
    assert code == console.SOME_BAD
    bad, gone, last = lines_of(errors)
    assert_says(bad, "decided.csv, row 3: … 'perhaps'")
    assert_says(gone, "1 id … 'gone'")
    assert_says(last, "8 listings … ; 1 decision left out, named above")


def test_decisions_set_the_threshold_of_a_new_bundle(run, workplace):
    listings = list(read_listings("listings.csv"))
    photos = ["|".join(map(str, each.photos)) for each in listings]
    copies = [(f"c{number}", "", each) for number, each in enumerate(photos)]
    originals = [(each.id, "", some) for each, some in zip(listings, photos, strict=True)]
    write_table(workplace / "many.csv", [*originals, *copies])
    rows = [f"c{number},{each.id},same" for number, each in enumerate(listings)]
    rows += [f"c{number},{listings[number - 2].id},different" for number in range(8)]
    rows += [f"{listings[number].id},{listings[number - 2].id},different" for number in range(8)]
    (workplace / "decided.csv").write_text("left,right,verdict\n" + "\n".join(rows))
    arguments = ["calibrate", "many.csv", "--decided", "decided.csv", "--precision", "0.9"]
    code, output, errors = run(*arguments, "--to", "mine")
    assert code == 0
    threshold = float(output.removeprefix("--threshold "))
    assert DuplicateDetector.load("mine").threshold == pytest.approx(threshold, rel=1e-5)
    said, last = lines_of(errors)
    assert re.match(r"of the decided pairs that reach it, \d+ of \d+ are the same item", said)
    assert last.startswith("mine: ")
    assert run(*arguments)[1] == output


def test_a_comparison_as_json_says_the_same(run):
    code, output, _ = run("compare", "front.jpg", "back.jpg", "--with", "boots.jpg", "--json", "--threshold", "0.01")
    found = json.loads(output)
    assert code == 0
    assert list(found) == ["score", "threshold", "duplicates", "matches", "problems"]
    assert (found["threshold"], found["duplicates"], found["problems"]) == (0.01, True, [])
    (match,) = found["matches"]
    assert (match["left"], match["right"], list(match["levels"])) == ("back.jpg", "boots.jpg", ["embedding_top"])


def test_a_comparison_is_symmetric(run):
    one, other = (
        json.loads(run("compare", *sides, "--json")[1])["score"]
        for sides in (
            ("front.jpg", "back.jpg", "--with", "boots.jpg"),
            ("boots.jpg", "--with", "back.jpg", "front.jpg"),
        )
    )
    assert one == other


def test_an_unreadable_photo_is_named_and_the_names_of_the_others_stay_right(run):
    code, output, errors = run("compare", "nothing.jpg", "back.jpg", "--with", "boots.jpg", "--json")
    found = json.loads(output)
    assert code == console.SOME_BAD
    assert_says(one_line(errors), "nothing.jpg: no such file")
    assert found["problems"] == [one_line(errors)]
    assert found["matches"][0]["left"] == "back.jpg"


@pytest.mark.parametrize("example", examples("duplicates find", "duplicates groups", "duplicates compare"))
def test_every_example_of_the_help_pages_runs(workplace, duplicates_bundle, example):
    shell = example.replace("productcat duplicates", f"{shlex.join(PROGRAM)} duplicates")
    if "--ignore charts" in shell:
        (workplace / "charts").mkdir()
        (workplace / "charts/chart.jpg").write_bytes((workplace / "boots.jpg").read_bytes())
    if "{id}" in shell:
        for name in ("a0-0", "a1-0"):
            assert (workplace / f"photos/{name}.jpg").exists()
    done = subprocess.run(shell, shell=True, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == (0 if " compare " in shell else 1)


@pytest.fixture
def titled(duplicates_bundle, tmp_path):
    """A bundle that knows what titles count."""
    given = Bundle.open(duplicates_bundle)

    def fill(folder):
        given.copy_files(folder)
        path = folder / "duplicates" / "settings.json"
        settings = json.loads(path.read_text())
        settings["titles"] = {
            "most": 3.5,
            "most_for": 3.5,
            "weights": {"alike": 1.0, "shared": 4.0, "differ_rarest": -2.0},
        }
        path.write_text(json.dumps(settings))

    write_bundle(tmp_path / "titled", given.manifest, fill)
    return tmp_path / "titled"


@pytest.fixture
def with_bare(workplace):
    """The listings, and two without photos and with the same words."""
    bare = "c0,zanzibar kaftan embroidered silk nx200,\nc1,kaftan zanzibar embroidered silk NX200,\n"
    (workplace / "some-bare.csv").write_text((workplace / "listings.csv").read_text() + bare)
    return workplace


def test_pairs_without_photos_are_found_by_titles_when_asked(run, titled, with_bare):
    asked = ("some-bare.csv", "--bundle", str(titled), "--threshold", "0.3")
    code, output, errors = run("find", *asked)
    assert (code, "c0" in output) == (1, False)
    assert "'c0': no photo" in errors
    code, output, errors = run("find", *asked, "--titles-alone", "--html", "report.html")
    assert code == 0
    assert [row["kind"] for row in csv.DictReader(output.splitlines()) if "c0" in row.values()] == ["title"]
    report = (with_bare / "report.html").read_text()
    assert "the titles alone" in report
    assert "The title counts for “" in report
    _, output, _ = run("groups", *asked, "--titles-alone")
    assert {"c0", "c1"} <= {row["id"] for row in csv.DictReader(output.splitlines())}


def test_a_bundle_that_knows_nothing_of_titles_is_told_before_the_photos(run, with_bare):
    code, _, errors = run("find", "some-bare.csv", "--to", "pairs.csv", "--titles-alone")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), "does not know what titles count … --titles-alone")
    assert not (with_bare / "pairs.csv").exists()
