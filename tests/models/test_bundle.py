"""A bundle is there whole or not at all, and every damage is named."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from resealed import forge

from productcat import BundleError
from productcat.models import bundle
from productcat.models.bundle import FORMAT, Bundle, find, write_bundle

FILES = {"classes.json": b"[]", "image/model.onnx": bytes(range(256)), "title/deep/manifest.json": b"{}", "empty": b""}


def fill(folder):
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def sealed(tmp_path):
    """The path of a sound bundle."""
    write_bundle(tmp_path / "shop", {"name": "shop", "metrics": {"top1": 0.9, 20: 0.1 + 0.2}, "sizes": (1, 2)}, fill)
    return tmp_path / "shop"


def test_a_written_bundle_opens_with_what_was_written(sealed):
    opened = Bundle.open(sealed)
    assert opened.path == sealed
    assert opened.problems() == []
    assert opened.manifest["format"] == FORMAT
    assert opened.manifest["name"] == "shop"
    assert opened.manifest["metrics"] == {"top1": 0.9, "20": 0.1 + 0.2}
    assert opened.manifest["created"].endswith("+00:00")
    assert opened.manifest["sha256"].keys() == {*FILES, "README.md"}
    assert {name: (sealed / name).read_bytes() for name in FILES} == FILES
    assert opened.read_json("classes.json") == []
    assert opened.part("image") == sealed / "image"
    assert (sealed.stat().st_mode & 0o777) == 0o755


def test_a_bundle_opens_by_the_text_of_its_path_and_wherever_it_is_moved(sealed, tmp_path):
    moved = tmp_path / "another place" / "shop"
    shutil.copytree(sealed, moved)
    assert Bundle.open(str(moved)).manifest == Bundle.open(sealed).manifest


def test_the_model_card_tells_the_manifests_figures(sealed):
    card = (sealed / "README.md").read_text()
    assert card.startswith("# shop: a productcat bundle\n")
    assert "- top1: 0.9000\n" in card


def test_the_model_card_tells_the_rules_of_each_kind_of_evidence(tmp_path):
    rules = {"decision_rule": {"assign_at": 0.8}, "decision_rules_alone": {"photos": {"assign_at": 0.95}}}
    write_bundle(tmp_path / "shop", rules, fill)
    card = (tmp_path / "shop/README.md").read_text()
    assert "## Decision rule\n\n- assign at: 0.8000\n" in card
    assert "## Decision rules of photos alone and of the title alone\n\n- photos, assign at: 0.9500\n" in card


def test_the_model_card_puts_like_figures_into_a_table_and_leaves_configurations_out(tmp_path):
    test = {"photos": {"top1": 0.5, "ece": None}, "title": {"top1": 0.75, "ece": 0.1}, "listings": 8}
    manifest = {"metrics": {"test": test}, "trained_from": {"config": "seed = 1", "training_mix": {"Belts": 3}}}
    write_bundle(tmp_path / "shop", manifest, fill)
    card = (tmp_path / "shop/README.md").read_text()
    assert "### Test\n\n- listings: 8\n\n|  | top1 | ece |\n| --- | ---: | ---: |\n| photos | 0.5000 | – |\n" in card
    assert "seed = 1" not in card
    assert "Belts" not in card
    assert "`python -m training CONFIG`" in card


@pytest.mark.parametrize("name", [*FILES, "README.md"])
def test_one_changed_byte_is_found_and_its_file_named(sealed, name):
    content = bytearray((sealed / name).read_bytes() or b"\0")
    content[-1] ^= 1
    (sealed / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"bundle {sealed}: {name} was changed .*; get the bundle again"):
        Bundle.open(sealed)


@pytest.mark.parametrize("name", [*FILES, "README.md"])
def test_a_missing_file_is_named(sealed, name):
    (sealed / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.open(sealed)


def test_a_directory_in_the_place_of_a_file_is_named(sealed):
    (sealed / "empty").unlink()
    (sealed / "empty").mkdir()
    with pytest.raises(BundleError, match="empty is not a regular file"):
        Bundle.open(sealed)


@pytest.mark.parametrize(("name", "depth"), [("a", 1_300), ("a" * 200, 40)])
def test_folders_that_lie_in_each_other_without_end_are_named(sealed, monkeypatch, name, depth):
    monkeypatch.chdir(sealed)
    try:
        for _ in range(depth):
            os.mkdir(name)
            os.chdir(name)
        os.chdir(sealed)
        with pytest.raises(BundleError, match=r"a\.\.\. is not in manifest.json"):
            Bundle.open(sealed)
    finally:
        subprocess.run(["rm", "-rf", str(sealed / name)], check=True)  # which Python's own function cannot


@pytest.mark.parametrize("name", ["image/model.onnx", "README.md", "empty"])
def test_what_a_loader_does_not_read_is_compared_too(sealed, name):
    content = (sealed / name).read_bytes()
    for changed in (content + b"x", bytes([content[0] ^ 1]) + content[1:] if content else b"y"):
        (sealed / name).write_bytes(changed)
        opened = Bundle.of_manifest(sealed)
        with pytest.raises(BundleError, match=f"{name} was changed"), opened.checking({"classes.json"}):
            pass
        with pytest.raises(BundleError, match=f"{name} was changed"), opened.checking({"classes.json"}):
            raise BundleError("something else")


def test_a_file_that_may_not_be_read_is_told_before_anything_is_read(sealed):
    (sealed / "empty").unlink()
    with pytest.raises(BundleError, match="empty is missing"), Bundle.of_manifest(sealed).checking({"classes.json"}):
        pytest.fail("it should not come this far")


def test_every_problem_is_listed(sealed):
    opened = Bundle.open(sealed)
    (sealed / "empty").unlink()
    (sealed / "classes.json").write_text("[1]")
    assert [problem.split(" (")[0] for problem in opened.problems()] == ["classes.json was changed", "empty is missing"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1]",
        lambda text: "[" * 100_000,
        lambda text: text.replace('"format"', '"from at"'),
    ],
    ids=["cut", "emptied", "a list", "deep", "without a format"],
)
def test_a_damaged_manifest_is_named(sealed, damage):
    manifest = sealed / "manifest.json"
    manifest.write_text(damage(manifest.read_text()))
    with pytest.raises(BundleError, match=r"manifest.json is damaged; get the bundle again"):
        Bundle.open(sealed)


def test_a_manifest_that_is_no_text_is_named(sealed):
    (sealed / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match=r"manifest.json is damaged"):
        Bundle.open(sealed)


@pytest.mark.parametrize(("old", "new"), [("0.9", "0.8"), ("shop", "shot"), ("sha256", "sha257"), ('"seal"', '"sea1"')])
def test_a_changed_figure_word_or_key_in_the_manifest_is_found(sealed, old, new):
    manifest = sealed / "manifest.json"
    manifest.write_text(manifest.read_text().replace(old, new, 1))
    with pytest.raises(BundleError, match=r"manifest.json was changed \(its seal does not fit\)"):
        Bundle.open(sealed)


def test_a_changed_checksum_in_the_manifest_is_found(sealed):
    manifest = sealed / "manifest.json"
    checksum = json.loads(manifest.read_text())["sha256"]["empty"]
    manifest.write_text(manifest.read_text().replace(checksum, "0" * 64))
    with pytest.raises(BundleError, match=r"manifest.json was changed"):
        Bundle.open(sealed)


@pytest.mark.parametrize("byte", range(0, 300, 7))
def test_no_flipped_bit_of_the_manifest_passes(sealed, byte):
    manifest = sealed / "manifest.json"
    content = bytearray(manifest.read_bytes())
    content[byte] ^= 1
    manifest.write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest.json|format"):
        Bundle.open(sealed)


def test_other_line_ends_and_spaces_in_the_manifest_do_no_harm(sealed):
    manifest = sealed / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"\n", b"\r\n"))
    assert Bundle.open(sealed).problems() == []


@pytest.mark.parametrize(
    ("number", "way_out"),
    [(FORMAT + 1, "update productcat"), (0, "train the bundle again"), ("1", "train the bundle again")],
)
def test_another_format_is_refused_with_the_way_out(sealed, number, way_out):
    forge(sealed, format=number)
    with pytest.raises(BundleError, match=rf"its format is {number}, this productcat reads format {FORMAT}; {way_out}"):
        Bundle.open(sealed)


def test_the_format_is_checked_before_anything_that_depends_on_it(sealed):
    (sealed / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(BundleError, match="its format is 99"):
        Bundle.open(sealed)


@pytest.mark.parametrize("name", ["../outside", "image/../../outside", "/etc/hostname", "image//etc/hostname", "a\\b"])
def test_a_manifest_that_points_outside_is_refused_and_nothing_there_is_read(sealed, name):
    (sealed.parent / "outside").write_text("secret")
    forge(sealed, sha256={name: bundle.sha256(sealed.parent / "outside")})
    with pytest.raises(BundleError, match=re.escape(f"manifest.json names a file outside it, {name}; do not trust")):
        Bundle.open(sealed)


@pytest.mark.parametrize("name", ["x" * 300, "a\nb", "a\x1b[2Jb", "\ud800"])
def test_a_name_that_is_long_or_not_printable_is_shown_in_one_short_line(sealed, name):
    forge(sealed, sha256={name: "0" * 64})
    with pytest.raises(BundleError, match="too long or not printable") as refused:
        Bundle.open(sealed)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "borrowed",
    [
        {"image": "general//etc"},
        {"image": "general"},
        {"image": "general/image/deeper"},
        {"image": "/etc"},
        {"image": 7},
        {"a/b": "general/image"},
        ["image"],
    ],
)
def test_what_is_not_a_part_of_a_shipped_bundle_cannot_be_borrowed(sealed, borrowed):
    forge(sealed, borrowed=borrowed)
    with pytest.raises(BundleError, match=r"manifest.json.*(outside it|borrowed)"):
        Bundle.open(sealed)


def test_a_borrowed_file_with_the_name_of_a_path_does_not_lead_out_of_the_shipped_bundles(sealed):
    forge(sealed, borrowed={"image": "general/image"}, sha256={"image//etc/hostname": "0" * 64})
    with pytest.raises(BundleError, match="names a file outside it, image//etc/hostname; do not trust this bundle"):
        Bundle.open(sealed)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": ["empty"]},
        {"sha256": {"empty": 7}},
        {"bytes": 7},
        {"bytes": {"empty": "7"}},
        {"name": 7},
        {"description": ["a"]},
        {"metrics": [1]},
        {"metrics": {"test": [1]}},
        {"metrics": {"test": {"both": 1}}},
        {"metrics": {"test": {"both": {"top1": "good"}}}},
        {"training_mix": [1]},
        {"training_mix": {"Belts": "many"}},
        {"training_mix": {"Belts": 10**400}},
        {"calibration": "yes"},
    ],
    ids=str,
)
def test_an_entry_of_the_wrong_kind_is_named(sealed, changes):
    forge(sealed, **changes)
    with pytest.raises(BundleError, match=f"manifest.json.*{next(iter(changes))}"):
        Bundle.open(sealed)


def test_a_directory_without_a_manifest_is_no_bundle(tmp_path):
    with pytest.raises(BundleError, match=rf"bundle {tmp_path}: no manifest.json in it; give the path of a bundle"):
        Bundle.open(tmp_path)


def test_a_manifest_that_is_a_directory_is_named(tmp_path):
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(BundleError, match=r"manifest.json is not a regular file"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("name", ["no such bundle", "a/b/c", "x" * 5000, "../bundles"])
def test_an_unknown_bundle_is_refused_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=f"bundle {name}: no such directory; give the path of a bundle, or one that"):
        find(name)


def test_a_file_is_no_bundle(sealed):
    with pytest.raises(BundleError, match="no such directory"):
        Bundle.open(sealed / "manifest.json")


def test_a_shipped_bundle_is_found_by_name_and_the_default_wherever_the_program_runs(sealed, tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(bundle, "SHIPPED", shipped)
    shutil.copytree(sealed, shipped / "fashion")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find("fashion") == find(None) == shipped / "fashion"
    Path("fashion").mkdir()  # such as a folder of data
    assert find(None) == shipped / "fashion"
    assert find("fashion") == Path("fashion")
    with pytest.raises(BundleError, match="or one that is shipped: fashion"):
        find("houses")


def test_a_link_within_the_bundle_counts_by_its_content(sealed):
    (sealed / "classes.json").rename(sealed / ".blob")
    (sealed / "classes.json").symlink_to(".blob")
    assert Bundle.open(sealed).problems() == []
    (sealed / ".blob").write_text("[1]")
    with pytest.raises(BundleError, match=r"classes.json was changed"):
        Bundle.open(sealed)


@pytest.mark.parametrize("whole", [True, False], ids=["a part", "a file"])
def test_a_link_that_leaves_the_bundle_is_refused_and_nothing_there_is_read(sealed, tmp_path, whole):
    place = sealed / ("image" if whole else "classes.json")
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"(image/model.onnx|classes.json) is a link that leaves the bundle"):
        Bundle.open(sealed)


def test_a_bundle_may_itself_be_reached_by_a_link(sealed, tmp_path):
    (tmp_path / "link").symlink_to(sealed)
    assert Bundle.open(tmp_path / "link").problems() == []


@pytest.mark.parametrize("name", ["empty", "manifest.json"])
def test_a_pipe_in_the_place_of_a_file_is_named_and_not_waited_for(sealed, name):
    (sealed / name).unlink()
    os.mkfifo(sealed / name)
    with pytest.raises(BundleError, match=f"{name} is not a regular file"):
        Bundle.open(sealed)


def test_a_device_in_the_place_of_a_file_is_not_read(sealed):
    (sealed / "empty").unlink()
    (sealed / "empty").symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="empty is a link that leaves the bundle"):
        Bundle.open(sealed)


@pytest.mark.parametrize("name", ["empty", "classes.json", "image/model.onnx", "manifest.json"])
def test_a_huge_file_without_content_is_refused_before_it_is_read(sealed, name):
    os.truncate(sealed / name, 10 * 2**40)
    with pytest.raises(BundleError, match=f"{name} has 10,995,116,277,760 bytes, more than"):
        Bundle.open(sealed)


def test_files_that_are_too_large_together_are_not_read(sealed):
    names = [f"part/{number}.onnx" for number in range(3)]
    (sealed / "part").mkdir()
    for name in names:
        (sealed / name).touch()
        os.truncate(sealed / name, 2**31 - 1)
    manifest = json.loads((sealed / "manifest.json").read_text())
    forge(sealed, sha256=manifest["sha256"] | dict.fromkeys(names, "0" * 64))
    with pytest.raises(BundleError, match="its files have 6,442,[0-9,]+ bytes together, more than 4,294,967,296"):
        Bundle.open(sealed)


def test_a_size_that_is_not_the_noted_one_is_a_change(sealed):
    with open(sealed / "image/model.onnx", "ab") as stream:
        stream.write(b"more")
    with pytest.raises(BundleError, match=r"image/model.onnx was changed \(it has 260 bytes, not 256\)"):
        Bundle.open(sealed)


def test_a_bundle_that_notes_no_sizes_opens(sealed):
    forge(sealed, bytes=None)
    assert Bundle.open(sealed).problems() == []


def test_a_missing_part_is_named(sealed):
    with pytest.raises(BundleError, match="no 'duplicates' part in it; use a bundle trained with one"):
        Bundle.open(sealed).part("duplicates")


def test_a_bundle_with_another_manifest_is_a_copy_with_the_same_files(sealed, tmp_path, monkeypatch):
    monkeypatch.chdir(sealed.parent)
    opened = Bundle.open(sealed.name)
    before = dict(opened.manifest)
    monkeypatch.chdir(tmp_path.parent)
    changed = opened.with_manifest(name="other", calibration={"listings": 150})
    assert opened.manifest == before
    assert changed.manifest == {**before, "name": "other", "calibration": {"listings": 150}}
    assert (changed.path, changed.problems()) == (opened.path, [])
    assert changed.with_manifest(name="shop", calibration=None).manifest == before


@pytest.mark.parametrize("name", ["weights.bin", "image/weights.bin", "more/deep/notes.txt"])
def test_a_file_that_the_manifest_does_not_name_is_refused(sealed, name):
    (sealed / name).parent.mkdir(parents=True, exist_ok=True)
    (sealed / name).write_text("not sealed")
    with pytest.raises(BundleError, match=f"{name} is not in manifest.json"):
        Bundle.open(sealed)


def test_such_a_file_is_named_in_one_line_whatever_it_is_called(sealed):
    (sealed / "a\nb\x1b[2J").touch()
    assert Bundle(sealed, bundle.read_manifest(sealed)).problems() == [r"'a\nb\x1b[2J' is not in manifest.json"]


def test_of_many_such_files_only_some_are_named(sealed):
    for number in range(100):
        (sealed / f"{number}.bin").touch()
    assert len(Bundle(sealed, bundle.read_manifest(sealed)).problems()) == 5


def test_a_hidden_file_is_neither_a_problem_nor_copied(sealed, tmp_path):
    (sealed / ".DS_Store").write_text("stray")
    (sealed / ".cache").mkdir()
    (sealed / ".cache/file").write_text("stray")
    opened = Bundle.open(sealed)
    opened.copy_files(tmp_path / "copy")
    copied = [file for file in (tmp_path / "copy").rglob("*") if file.is_file()]
    assert {file.relative_to(tmp_path / "copy").as_posix() for file in copied} == {*FILES, "README.md"}


def test_a_read_only_bundle_is_copied_into_writable_files(sealed, tmp_path):
    for file in sealed.rglob("*"):
        file.chmod(0o555 if file.is_dir() else 0o444)
    Bundle.open(sealed).copy_files(tmp_path / "copy")
    assert all(os.stat(file).st_mode & 0o200 for file in (tmp_path / "copy").rglob("*"))


def test_a_file_that_changed_after_opening_is_not_sealed_again(sealed, tmp_path):
    opened = Bundle.open(sealed)
    (sealed / "image/model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"image/model.onnx was changed since it was opened"):
        write_bundle(tmp_path / "copy", opened.manifest, opened.copy_files)
    assert not (tmp_path / "copy").exists()


def test_a_rewritten_bundle_gets_its_own_date_format_and_checksums(sealed, tmp_path):
    old = {"format": 0, "created": "1999-12-31T00:00:00+00:00", "sha256": {"gone": "0"}, "seal": "0", "name": "old"}
    write_bundle(tmp_path / "new", old, fill)
    manifest = Bundle.open(tmp_path / "new").manifest
    assert manifest["format"] == FORMAT
    assert manifest["created"] > "2000"
    assert "gone" not in manifest["sha256"]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_nothing_that_exists_is_overwritten(tmp_path, make):
    make(tmp_path / "shop")
    with pytest.raises(BundleError, match=r"shop: exists already; a bundle is written to a new directory"):
        write_bundle(tmp_path / "shop", {}, fill)
    assert [each.name for each in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_fill_that_fails_leaves_nothing_behind(tmp_path, error):
    def fail(folder):
        fill(folder)
        raise error("half way")

    with pytest.raises(error, match="half way"):
        write_bundle(tmp_path / "shop", {}, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_bundle_error_and_leaves_nothing_behind(tmp_path):
    def fail(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(BundleError, match=r"shop: cannot be written .*No space left on device"):
        write_bundle(tmp_path / "shop", {}, fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["file/shop", "file/deeper/shop", "x" * 300])
def test_a_place_that_cannot_be_written_is_named_with_the_way_out(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"cannot be written \(.*\); choose a directory that you may write to"):
        write_bundle(tmp_path / name, {}, fill)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_missing_parents_are_made(tmp_path):
    write_bundle(tmp_path / "a" / "b" / "shop", {}, fill)
    assert Bundle.open(tmp_path / "a" / "b" / "shop").problems() == []
