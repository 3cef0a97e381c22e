"""A file of predictions is the same, byte for byte, however often the run that writes it was interrupted."""

import os
import signal
import subprocess
import sys
import time
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import shop

from productcat import Categorizer, Listing, ListingError
from productcat.jobs.outputs import SideFile
from productcat.jobs.predict import from_json, predict_to_file, to_json
from productcat.listings.columns import BadRow
from productcat.problems import warn

NUMBER = 150


@pytest.fixture
def categorizer(tiny_bundle):
    return Categorizer.load(tiny_bundle)


@pytest.fixture
def listings():
    rng = np.random.default_rng(5)
    names = [shop.CLASSES[number % 3] for number in range(NUMBER)]
    return [Listing(f"é{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)]


@pytest.fixture
def whole(categorizer, listings, tmp_path):
    """The file of an unbroken run."""
    path = tmp_path / "whole.jsonl"
    write(categorizer, listings, path)
    return path


def write(categorizer, listings, path, resume=False, remarks=None):
    """Predict into a file → all predictions, flat. remarks: a list that gets remarks; without it none may come"""
    batches = predict_to_file(categorizer, listings, path, resume, warn if remarks is None else remarks.append)
    return [each for batch in batches for each in batch]


def beside(path):
    """The file that tells of what a file of predictions was made."""
    return path.with_name(f"{path.name}.resume")


def contents(path):
    return path.read_bytes(), beside(path).read_bytes()


def test_the_file_has_a_line_for_each_listing_in_order_that_reads_back(categorizer, listings, whole):
    lines = whole.read_text("utf-8").splitlines()
    assert [from_json(line).id for line in lines] == [each.id for each in listings]
    for line, prediction in zip(lines, categorizer.predict(listings), strict=True):
        assert from_json(line).decision == prediction.decision
        assert to_json(from_json(line)) == line


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_a_torn_file_is_gone_on_with_to_the_same_bytes(categorizer, listings, whole, tmp_path, share):
    content = whole.read_bytes()
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(content[: int(len(content) * share)])
    made_of = beside(whole).read_bytes().splitlines(keepends=True)
    beside(torn).write_bytes(b"".join(made_of[: int(NUMBER * share) + 1])[: None if share else 5])
    predictions = write(categorizer, listings, torn, resume=True)
    assert contents(torn) == contents(whole)
    assert [each.id for each in predictions] == [each.id for each in listings]


def test_resuming_without_a_file_begins_anew(categorizer, listings, whole, tmp_path):
    write(categorizer, listings, tmp_path / "new.jsonl", resume=True)
    assert (tmp_path / "new.jsonl").read_bytes() == whole.read_bytes()


def test_an_existing_file_is_refused_and_left_alone(categorizer, listings, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("mine")
    with pytest.raises(ListingError, match=r"mine.jsonl: exists already; go on with it \(--resume\)"):
        write(categorizer, listings, path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda listings: [*listings[:5], Listing("other", "belt"), *listings[6:]], "line 6: .* now that is 'other'"),
        (lambda listings: listings[:100], "line 101: made from listing .*, there are fewer now"),
    ],
)
def test_going_on_with_other_listings_is_refused_and_the_file_left_alone(categorizer, listings, whole, change, message):
    before = whole.read_bytes()
    with pytest.raises(ListingError, match=message):
        write(categorizer, change(listings), whole, resume=True)
    assert whole.read_bytes() == before


def changed_title(listing):
    return replace(listing, title="canvas bag" if "belt" in listing.title else "leather belt")


def changed_photo(listing):
    return replace(listing, photos=(listing.photos[0][::-1],))


@pytest.mark.parametrize(
    ("change", "places"),
    [
        (changed_title, [3]),
        (changed_title, [0, 64, 128]),
        (changed_photo, [70, 71, 149]),
        (lambda listing: Listing(listing.id), range(NUMBER)),
    ],
)
def test_listings_that_have_changed_are_predicted_again(categorizer, listings, whole, tmp_path, change, places):
    now = [change(each) if number in places else each for number, each in enumerate(listings)]
    remarks = []
    predictions = write(categorizer, now, whole, resume=True, remarks=remarks)
    write(categorizer, now, tmp_path / "new.jsonl")
    assert contents(whole) == contents(tmp_path / "new.jsonl")
    assert [to_json(each) for each in predictions] == whole.read_text("utf-8").splitlines()
    (remark,) = remarks
    assert remark.startswith(f"{whole}: {len(places)} listing")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        f"{name}.jsonl{end}" for name in ("whole", "new") for end in ("", ".resume")
    )


def test_changed_listings_of_a_torn_file_are_predicted_again_and_the_rest_follows(
    categorizer, listings, whole, tmp_path
):
    torn = tmp_path / "torn.jsonl"
    for source, target in ((whole, torn), (beside(whole), beside(torn))):
        target.write_bytes(source.read_bytes()[: -source.stat().st_size // 3])
    now = [changed_title(each) if number in (5, 149) else each for number, each in enumerate(listings)]
    remarks = []
    write(categorizer, now, torn, resume=True, remarks=remarks)
    write(categorizer, now, tmp_path / "new.jsonl")
    assert contents(torn) == contents(tmp_path / "new.jsonl")
    assert [each.partition(": ")[2] for each in remarks] == ["1 listing changed since; predicted again"]


def test_a_file_of_a_photo_that_was_saved_again_counts_as_changed(categorizer, tmp_path):
    rng = np.random.default_rng(4)
    paths = [tmp_path / f"{number}.png" for number in range(70)]
    for path in paths:
        path.write_bytes(shop.encode(shop.photo(shop.CLASSES[0], rng)))
    listings = [Listing(path.stem, photos=(path,)) for path in paths]
    write(categorizer, listings, tmp_path / "out.jsonl")
    paths[2].write_bytes(shop.encode(shop.photo(shop.CLASSES[1], rng)))
    paths[3].unlink()
    remarks = []
    write(categorizer, listings, tmp_path / "out.jsonl", resume=True, remarks=remarks)
    write(categorizer, listings, tmp_path / "new.jsonl")
    assert contents(tmp_path / "out.jsonl") == contents(tmp_path / "new.jsonl")
    assert [each.partition(": ")[2] for each in remarks] == ["2 listings changed since; predicted again"]


def test_changed_listings_whose_predictions_cannot_be_written_leave_the_file_alone(
    categorizer, listings, whole, tmp_path, monkeypatch
):
    before = contents(whole)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("productcat.jobs.outputs.os.fsync", full)
    with pytest.raises(ListingError, match=r"whole.jsonl: cannot be written \(No space left on device\)"):
        write(categorizer, [changed_title(each) for each in listings], whole, resume=True)
    assert contents(whole) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["whole.jsonl", "whole.jsonl.resume"]


def test_without_the_file_that_tells_of_changes_a_run_is_not_gone_on_with(categorizer, listings, whole):
    beside(whole).unlink()
    before = whole.read_bytes()
    with pytest.raises(ListingError, match=r"whole.jsonl.resume: no such file, .* another name for --to"):
        write(categorizer, listings, whole, resume=True)
    assert whole.read_bytes() == before


def test_a_file_of_that_name_by_somebody_else_is_left_alone(categorizer, listings, tmp_path):
    beside(tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(ListingError, match=r"out.jsonl.resume: exists already, .* another name for --to"):
        write(categorizer, listings, tmp_path / "out.jsonl")
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl.resume"]


@pytest.mark.parametrize("n", [1, 20])
def test_a_file_smaller_than_a_batch_is_compared_too(categorizer, listings, tmp_path, n):
    path = tmp_path / "few.jsonl"
    write(categorizer, listings[:n], path)
    before = contents(path)
    path.write_bytes(before[0].replace(b"assign", b"abstain"))
    with pytest.raises(ListingError, match="made with another bundle, other settings or other photos"):
        write(categorizer, listings[:n], path, resume=True)
    path.write_bytes(before[0])
    write(categorizer, listings[:n], path, resume=True)
    assert contents(path) == before


def other_rule(categorizer):
    categorizer.rules = {kind: replace(rule, assign_at=1.0) for kind, rule in categorizer.rules.items()}


def other_projections(categorizer):
    categorizer.projections = replace(categorizer.projections, matrix=categorizer.projections.matrix[[1, 0, 2]])


def other_manifest(categorizer):
    categorizer.bundle = categorizer.bundle.with_manifest(name="another")


@pytest.mark.parametrize("change", [other_rule, other_projections, other_manifest])
def test_going_on_with_another_categorizer_is_refused(categorizer, listings, whole, change):
    before = contents(whole)
    other = copy(categorizer)
    change(other)
    with pytest.raises(ListingError, match="made with another bundle, other settings or other photos"):
        write(other, listings, whole, resume=True)
    assert contents(whole) == before


def test_going_on_with_a_file_that_holds_no_predictions_is_refused_and_it_is_left_alone(
    categorizer, listings, tmp_path
):
    path = tmp_path / "letter.txt"
    path.write_text("Dear sir,\n")
    with pytest.raises(ListingError, match=r"letter.txt, line 1: not a prediction; is this the right file\?"):
        write(categorizer, listings, path, resume=True)
    assert path.read_text() == "Dear sir,\n"


def test_a_file_is_not_made_when_the_listings_cannot_be_read(categorizer, tmp_path):
    def broken():
        raise ListingError("listings.csv: no column 'id'")
        yield

    with pytest.raises(ListingError, match="no column 'id'"):
        write(categorizer, broken(), tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_cannot_be_written_to_is_named(categorizer, listings, tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(
        ListingError, match=r"out.jsonl: cannot be written \(.*\); choose a folder that you may write to"
    ):
        write(categorizer, listings, tmp_path / folder / "out.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(categorizer, listings, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ListingError, match=r"cannot be written \(Permission denied\)"):
        write(categorizer, listings, tmp_path / "out.jsonl")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_full_disk_is_named_with_the_way_to_go_on(categorizer, listings):
    with pytest.raises(ListingError, match=r"/dev/full: cannot be written \(No space left on device\); .*--resume"):
        write(categorizer, listings, "/dev/full")


def test_a_side_file_is_made_with_the_first_bad_row_and_gone_on_with_to_the_same_bytes(tmp_path):
    rows = [BadRow(number, "no fields", "é,") for number in range(2, 9)]
    path = tmp_path / "bad.jsonl"

    def fill(resume):
        side = SideFile(path, resume)
        assert resume or not path.exists()
        for row in rows:
            side.add(row)
        side.close()
        return path.read_bytes()

    whole = fill(resume=False)
    assert whole.splitlines()[0].decode() == '{"row": 2, "reason": "no fields", "text": "é,"}'
    for size in (0, 30, len(whole) // 2, len(whole)):
        path.write_bytes(whole[:size])
        assert fill(resume=True) == whole
    with pytest.raises(ListingError, match="exists already"):
        SideFile(path)


def test_a_side_file_of_other_rows_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text("mine\n")
    side = SideFile(path, resume=True)
    with pytest.raises(ListingError, match=r"bad.jsonl: made from other rows"):
        side.add(BadRow(2, "no fields"))
    side.close()
    assert path.read_text() == "mine\n"


def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(tiny_bundle, tmp_path):
    rng = np.random.default_rng(3)
    rows = ["id,title,photos"]
    for number in range(1200):
        name = shop.CLASSES[number % 3]
        rows.append(f"{number},{shop.title(name, rng)},{name}.png" + ("" if number % 100 else ",too many"))
    for name in shop.CLASSES:
        (tmp_path / f"{name}.png").write_bytes(shop.encode(shop.photo(name, rng, (480, 360))))
    (tmp_path / "listings.csv").write_text("\n".join(rows) + "\n")

    def start(target, *more):
        options = ["--from", "listings.csv", "--to", target, "--bundle", str(tiny_bundle), *more]
        command = [sys.executable, "-m", "productcat.cli", "predict", *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)

    def content(target):
        return [(tmp_path / name).read_bytes() for name in (target, f"{target}.resume", f"{target}.bad.jsonl")]

    with start("unbroken.jsonl") as unbroken:
        unbroken.communicate()
    assert unbroken.returncode == 1, "some rows are bad"

    broken = tmp_path / "broken.jsonl"
    with start("broken.jsonl") as killed:
        while killed.poll() is None and not (broken.exists() and broken.stat().st_size):
            time.sleep(0.002)
        killed.kill()
        killed.communicate()
    assert killed.returncode == -signal.SIGKILL, "it was over before it could be killed"
    assert 0 < broken.stat().st_size < (tmp_path / "unbroken.jsonl").stat().st_size

    with start("broken.jsonl", "--resume") as resumed:
        resumed.communicate()
    assert resumed.returncode == 1
    assert content("broken.jsonl") == content("unbroken.jsonl")
