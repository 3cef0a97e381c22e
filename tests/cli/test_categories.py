"""`productcat categories` in a shell: categories are seen and changed, and a new bundle is written or nothing."""

import json
import subprocess

import numpy as np
import pytest
import shop
from commands import assert_says, environment, examples, help_texts, one_line, runner

from productcat import Categorizer
from productcat.categories.definitions import read_definitions
from productcat.cli import console

TOML = """
[[category]]
name = "Yoga mats"
photos = ["mat-1.jpg", "mat-3.jpg"]
titles = ["blue handbag"]

[[category]]
name = "leather belt"
"""
CSV = """category,title,photos
Yoga mats,blue handbag,mat-1.jpg|mat-2.jpg
leather belt,,
Yoga mats,red handbag,mat-3.jpg
"""


@pytest.fixture
def workplace(tiny_bundle, tmp_path, monkeypatch):
    """The current folder: photos, two files of categories; the shop's bundle is the default one."""
    rng = np.random.default_rng(11)
    for number in (1, 2, 3):
        (tmp_path / f"mat-{number}.jpg").write_bytes(shop.encode(shop.photo("Handbags", rng, (64, 48)), "JPEG"))
    (tmp_path / "sports.toml").write_text(TOML, "utf-8")
    (tmp_path / "sports.csv").write_text(CSV, "utf-8")
    for name, number in {"Yoga mats": 1, "leather belt": 2}.items():
        (tmp_path / "photos-by-category" / name).mkdir(parents=True)
        (tmp_path / "photos-by-category" / name / "front.jpg").symlink_to(tmp_path / f"mat-{number}.jpg")
    (tmp_path / "my-bundle").symlink_to(tiny_bundle)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(tiny_bundle))
    return tmp_path


@pytest.fixture
def run(workplace, capfd):
    """A function from arguments to (exit code, output, errors)."""
    assert workplace
    return runner(capfd, "categories")


def listed(run, bundle):
    """The names that `list` prints."""
    code, output, errors = run("list", "--bundle", bundle)
    assert (code, errors) == (0, "")
    return [line.partition("\t")[0] for line in output.splitlines()]


def test_the_categories_are_listed_one_a_line(run, tiny_bundle):
    assert run("list") == (0, "\n".join(shop.CLASSES) + "\n", "")
    found = json.loads(run("list", "--json")[1])
    assert found["bundle"] == str(tiny_bundle)
    assert [each["name"] for each in found["categories"]] == list(shop.CLASSES)


@pytest.mark.parametrize("file", ["sports.toml", "sports.csv"])
def test_categories_in_a_file_are_added_and_the_old_bundle_stays(run, file):
    code, output, errors = run("add", file, "--to", "new")
    assert (code, output) == (0, "")
    assert_says(one_line(errors), "new: 5 categories, 2 new")
    assert listed(run, "new") == [*shop.CLASSES, "Yoga mats", "leather belt"]
    assert listed(run, "my-bundle") == list(shop.CLASSES)


def test_a_category_that_is_known_is_defined_anew(run, workplace):
    (workplace / "again.csv").write_text("name,title\nBelts,red handbag\n")
    assert_says(one_line(run("add", "again.csv", "--to", "new")[2]), "new: 3 categories, 0 new, 1 … again")
    projections = Categorizer.load("new").projections
    belts, bags = (projections.matrix[projections.categories.index(name)] for name in ("Belts", "Handbags"))
    assert belts.argmax() == bags.argmax()


def test_a_category_that_differs_from_another_by_its_capitals_alone_is_told(run):
    code, _, errors = run("add", "--name", "belts", "--title", "leather belt", "--to", "new")
    assert code == console.FINE
    assert_says(errors, "'belts': new … 'Belts'")


def test_one_category_is_added_without_a_file(run):
    code, _, errors = run(
        "add", "--name", "Yoga mats", "--title", "red handbag", "mat-1.jpg", "mat-2.jpg", "--to", "new"
    )
    assert code == 0
    assert_says(one_line(errors), "new: 4 categories, 1 new")
    assert run("add", "--name", "Straps", "--description", "leather belt", "--to", "straps")[0] == 0
    assert listed(run, "straps") == [*shop.CLASSES, "Straps"]
    assert run("add", "--name", "🎉", "--description", "🎉", "--to", "party")[0] == console.UNUSABLE


def test_a_file_takes_the_place_of_all_categories(run):
    code, _, errors = run("replace", "sports.csv", "--to", "new")
    assert code == 0
    assert_says(one_line(errors), "new: 2 categories … 3")
    assert listed(run, "new") == ["Yoga mats", "leather belt"]


def test_class_folders_take_the_place_of_all_categories(run, workplace):
    (workplace / "photos-by-category/red handbag").mkdir()
    assert run("replace", "photos-by-category", "--to", "new")[0] == 0
    assert listed(run, "new") == ["Yoga mats", "leather belt", "red handbag"]
    examples = Categorizer.load("new").projections.examples
    assert examples.tolist() == [1, 1, 0]
    assert run("add", "photos-by-category", "--to", "more")[0] == 0
    assert listed(run, "more") == [*shop.CLASSES, "Yoga mats", "leather belt", "red handbag"]


MANY_BAD = """category,title,photos
🎉,,
leather belt,,
,mat,
☕,,
Mats,,gone.jpg
red handbag,a,b,c
"""


@pytest.mark.parametrize("command", ["add", "replace"])
def test_all_that_is_wrong_with_a_file_is_named_in_one_message(run, workplace, command):
    (workplace / "many.csv").write_text(MANY_BAD, "utf-8")
    code, _, errors = run(command, "many.csv", "--to", "new")
    assert code == console.UNUSABLE
    assert_says(
        one_line(errors), "many.csv: 2 mistakes: (1) row 4: … without a name … (2) row 7: 4 fields instead of 3"
    )
    (workplace / "names.csv").write_text("category,photos\n🎉,\nleather belt,\n☕,\nMats,gone.jpg\n", "utf-8")
    code, _, errors = run(command, "names.csv", "--to", "new")
    assert code == console.UNUSABLE
    gone, all_of_them = errors.splitlines()
    assert_says(gone, "'Mats, row 5': gone.jpg: no such file")
    assert_says(all_of_them, "names.csv: categories '🎉', '☕': … no word … category 'Mats': … photo … --skip-bad")
    assert not (workplace / "new").exists()


@pytest.mark.parametrize("command", ["add", "replace"])
def test_what_is_wrong_can_be_skipped(run, workplace, command):
    (workplace / "many.csv").write_text(MANY_BAD, "utf-8")
    code, _, errors = run(command, "many.csv", "--to", "new", "--skip-bad")
    assert code == console.SOME_BAD
    assert_says(
        " ".join(errors.splitlines()),
        "row 4: … without a name … row 7: … '🎉', '☕': … left out … 'Mats': … left out … 5 left out",
    )
    assert listed(run, "new") == ["leather belt"] if command == "replace" else [*shop.CLASSES, "leather belt"]
    (workplace / "none.csv").write_text("category\n🎉\n☕\n", "utf-8")
    code, _, errors = run(command, "none.csv", "--to", "other", "--skip-bad")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), "none.csv: categories '🎉', '☕'")
    assert not (workplace / "other").exists()


def test_a_known_category_that_is_badly_defined_again_stays_as_it_was(run, workplace):
    (workplace / "again.csv").write_text("category,photos\nBelts,gone.jpg\nMats,mat-1.jpg\n")
    code, _, errors = run("add", "again.csv", "--to", "new", "--skip-bad")
    assert code == console.SOME_BAD
    assert_says(errors.splitlines()[-1], "new: 4 categories, 1 new, 0 defined again; 1 left out")
    before, after = (Categorizer.load(each).projections.category(0).projection for each in ("my-bundle", "new"))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (["Mats/notes.txt"], "Mats/notes.txt: not a photo"),
        (["front.jpg"], "front.jpg: not in a class folder"),
        (["Mats/deep/a.jpg"], "Mats/deep: a folder below"),
        (["Mats/notes.txt", "front.jpg"], "2 mistakes: (1) front.jpg: … (2) Mats/notes.txt"),
    ],
)
def test_what_is_no_photo_of_a_category_in_a_folder_is_named(run, workplace, make, message):
    for each in ["Mats/good.jpg", *make]:
        (workplace / "tree" / each).parent.mkdir(parents=True, exist_ok=True)
        (workplace / "tree" / each).write_bytes((workplace / "mat-1.jpg").read_bytes())
    code, _, errors = run("replace", "tree", "--to", "new")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), f"tree … {message}")
    assert run("replace", "tree", "--to", "new", "--skip-bad")[0] == console.SOME_BAD
    assert listed(run, "new") == ["Mats"]


@pytest.mark.parametrize(
    ("folder", "message"),
    [(" ", "folder ' ': a category without a name"), ("a\nb", "several lines"), ("Mats ", "name 'Mats' already")],
)
def test_a_folder_with_an_odd_name_is_a_mistake(run, workplace, folder, message):
    for each in ("Mats", folder):
        (workplace / "tree" / each).mkdir(parents=True)
        (workplace / "tree" / each / "good.jpg").symlink_to(workplace / "mat-1.jpg")
    code, _, errors = run("replace", "tree", "--to", "new")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), f"tree, … {message}")
    assert run("replace", "tree", "--to", "new", "--skip-bad")[0] == console.SOME_BAD
    assert listed(run, "new") == ["Mats"]


def test_where_all_rows_are_bad_nothing_is_written(run, workplace):
    (workplace / "bad.csv").write_text("category,title\n,mat\n,rug\n", "utf-8")
    for command in ("add", "replace"):
        code, _, errors = run(command, "bad.csv", "--to", "new", "--skip-bad")
        assert code == console.UNUSABLE
        assert_says(" ".join(errors.splitlines()), "row 2: … row 3: … bad.csv: no category in it")
        assert not (workplace / "new").exists()


def test_a_description_counts_where_the_name_says_nothing(run, workplace):
    (workplace / "party.toml").write_text('[[category]]\nname = "🎉"\ndescription = "leather belt"\n', "utf-8")
    for command in ("add", "replace"):
        assert run(command, "party.toml", "--to", command)[0] == 0
        projections = Categorizer.load(command).projections
        assert projections.matrix[projections.categories.index("🎉")].argmax() == shop.CLASSES.index("Belts")


def test_categories_are_removed_by_their_names(run):
    code, _, errors = run("remove", "Belts", "Handbags", "Belts", "--to", "new")
    assert code == 0
    assert_says(one_line(errors), "new: 1 category, 2 removed")
    assert listed(run, "new") == ["Tshirts"]


def test_a_photo_that_cannot_be_read_is_named_and_left_out(run, workplace):
    (workplace / "mats.csv").write_text("category,title,photos\nMats,,mat-1.jpg|none.jpg\nMats,,gone.jpg\n")
    code, _, errors = run("add", "mats.csv", "--to", "new")
    assert code == console.SOME_BAD
    first, second, last = errors.splitlines()
    assert_says(first, "listing 'Mats, row 2': none.jpg: no such file")
    assert_says(second, "listing 'Mats, row 3': gone.jpg: no such file")
    assert_says(last, "new: 4 categories, 1 new … 2 problems with photos")
    assert listed(run, "new") == [*shop.CLASSES, "Mats"]


@pytest.mark.parametrize("command", ["add", "replace"])
def test_a_category_whose_photos_cannot_be_read_is_an_error_and_nothing_is_written(run, workplace, command):
    (workplace / "mats.csv").write_text("category,photos\nBelts,mat-1.jpg\nMats,none.jpg\n")
    code, _, errors = run(command, "mats.csv", "--to", "new")
    named, refused = errors.splitlines()
    assert code == console.UNUSABLE
    assert_says(named, "listing 'Mats, row 3': none.jpg: no such file")
    assert_says(refused, "mats.csv: category 'Mats': … photo")
    assert not (workplace / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add", "none.csv", "--to", "new"], console.UNUSABLE, "none.csv: no such file"),
        (["add", "none.toml", "--to", "new"], console.UNUSABLE, "none.toml: no such file"),
        (
            ["add", "mat-1.jpg", "--to", "new"],
            console.USAGE,
            "mat-1.jpg: … .toml or .csv … --name",
        ),
        (["add", "sports.csv"], console.USAGE, "'--to' … --help"),
        (["replace", "bare", "--to", "new"], console.UNUSABLE, "bare: no photos in it … <label>/<name>.jpg"),
        (["add", "--name", "M", "--title", "mat", "--skip-bad", "--to", "new"], console.USAGE, "--skip-bad … --name"),
        (["add", "--to", "new"], console.USAGE, "give a FILE … --name"),
        (["add", "sports.csv", "sports.toml", "--to", "new"], console.USAGE, "one FILE"),
        (["add", "sports.csv", "--title", "mat", "--to", "new"], console.USAGE, "--title … --name"),
        (["add", "sports.csv", "--name", "M", "--to", "new"], console.USAGE, "sports.csv … --name"),
        (["add", "--name", " ", "--to", "new"], console.UNUSABLE, "--name: … without a name"),
        (
            ["add", "sports.csv", "--to", "my-bundle"],
            console.UNUSABLE,
            "my-bundle: exists",
        ),
        (["add", "sports.csv", "--to", "sports.csv"], console.UNUSABLE, "sports.csv: exists"),
        (["add", "sports.csv", "--to", "new", "--bundle", "none"], console.UNUSABLE, "bundle none: … no such"),
        (
            ["add", "party.csv", "--to", "new"],
            console.UNUSABLE,
            "party.csv: category '🎉': … word",
        ),
        (["replace", "none.csv", "--to", "new"], console.UNUSABLE, "none.csv: no such file"),
        (
            ["replace", "party.csv", "--to", "new"],
            console.UNUSABLE,
            "party.csv: category '🎉': … word",
        ),
        (["replace", "sports.csv", "--to", "my-bundle"], console.UNUSABLE, "my-bundle: exists"),
        (
            ["remove", "Belts", "Hats", "--to", "new"],
            console.UNUSABLE,
            "category 'Hats': … 3 categories",
        ),
        (
            ["remove", *shop.CLASSES, "--to", "new"],
            console.UNUSABLE,
            "no category would be left … replace",
        ),
        (["remove", "Belts", "--to", "my-bundle"], console.UNUSABLE, "my-bundle: exists"),
        (["remove", "--to", "new"], console.USAGE, "'NAME'"),
        (["list", "--bundle", "none"], console.UNUSABLE, "bundle none: … no such"),
    ],
)
def test_each_mistake_is_one_line_and_nothing_is_written(run, workplace, arguments, code, message):
    (workplace / "party.csv").write_text("category\n🎉\n", "utf-8")
    (workplace / "bare").mkdir()
    before = sorted(workplace.iterdir())
    found, output, errors = run(*arguments)
    assert (found, output) == (code, "")
    assert_says(one_line(errors), message)
    assert sorted(workplace.iterdir()) == before


def test_every_example_of_the_help_runs(workplace):
    variables = environment(workplace)
    lines = examples(*(f"categories {name}" for name in ("list", "add", "replace", "remove")))
    assert len(lines) == 12
    for line in lines:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", line], env=variables, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_the_files_that_the_help_shows_can_be_read(workplace):
    table = help_texts()["categories add"].partition("are required:\n\n\b\n")[2].partition("\n\n")[0]
    toml, csv = zip(*((line[:41].strip(), line[41:].strip()) for line in table.splitlines()), strict=True)
    (workplace / "shown.toml").write_text("\n".join(toml), "utf-8")
    (workplace / "shown.csv").write_text("\n".join(filter(None, csv)), "utf-8")
    assert [each.name for each in read_definitions("shown.toml")] == ["Yoga mats"]
    assert len(read_definitions("shown.toml")[0].examples) == 4
    assert [(each.name, len(each.examples)) for each in read_definitions("shown.csv")] == [
        ("Yoga mats", 2),
        ("Kettlebells", 0),
    ]
