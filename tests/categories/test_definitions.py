"""Files of categories: what is read from them, and the place that is named when one is wrong."""

import pytest
from commands import assert_says

from productcat import ListingError
from productcat.categories.definitions import read_definitions

TOML = """
[[category]]
name = "Yoga mats"
description = "to roll out"
photos = ["mat-1.jpg", "mat-3.jpg"]
titles = ["blue handbag"]
[[category.examples]]
title = "red handbag"
photos = ["mat-2.jpg", "mat-3.jpg"]

[[category]]
name = "leather belt"
"""
CSV = """Category,Description,Title,Images
Yoga mats,to roll out,blue handbag,mat-1.jpg|mat-2.jpg
leather belt,,,
Yoga mats,,red handbag,mat-3.jpg
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with two files of categories."""
    (tmp_path / "sports.toml").write_text(TOML, "utf-8")
    (tmp_path / "sports.csv").write_text(CSV, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_toml_file_gives_names_descriptions_and_examples(folder):
    mats, belt = read_definitions("sports.toml")
    assert (mats.name, mats.description) == ("Yoga mats", "to roll out")
    assert [(each.title, [photo.name for photo in each.photos]) for each in mats.examples] == [
        ("", ["mat-1.jpg"]),
        ("", ["mat-3.jpg"]),
        ("blue handbag", []),
        ("red handbag", ["mat-2.jpg", "mat-3.jpg"]),
    ]
    assert (belt.name, belt.description, belt.examples) == ("leather belt", "", ())


def test_the_rows_of_a_csv_file_are_examples_of_their_categories(folder):
    mats, belt = read_definitions("sports.csv")
    assert (mats.name, mats.description) == ("Yoga mats", "to roll out")
    assert [(each.title, [photo.name for photo in each.photos]) for each in mats.examples] == [
        ("blue handbag", ["mat-1.jpg", "mat-2.jpg"]),
        ("red handbag", ["mat-3.jpg"]),
    ]
    assert (belt.name, belt.description, belt.examples) == ("leather belt", "", ())


def test_photos_of_a_file_lie_beside_it(folder):
    below = folder / "below"
    below.mkdir()
    for name in ("sports.toml", "sports.csv"):
        (folder / name).rename(below / name)
        definitions = read_definitions(below / name)
        assert {photo.parent for each in definitions[0].examples for photo in each.photos} == {below}


def category(*lines):
    return "\n".join(["[[category]]", 'name = "Mats"', *lines]) + "\n"


BAD_FILES = {
    "empty.csv": (
        "",
        "empty.csv: empty … header … category,title,photos",
    ),
    "header.csv": ("category\n", "header.csv: no category"),
    "utf16.csv": ("category\nMats\n".encode("utf-16"), "utf16.csv: not UTF-8"),
    "id.csv": (
        "id,category\n1,Mats\n",
        "id.csv: unknown column 'id' … category, name, description, title, photos",
    ),
    "twice.csv": ("category,name\nMats,M\n", "'category' and 'name' … keep one"),
    "nothing.csv": ("title\nmat\n", "nothing.csv: no column 'category'"),
    "unnamed.csv": ("category,title\nMats,mat\n ,mat\n", "row 3: … without a name"),
    "long.csv": ('category\n"Yoga\nmats"\n', r"row 2: … 'Yoga\nmats' … lines"),
    "fields.csv": ("category,title\nMats,red, warm\n", "fields.csv, row 2: 3 fields instead of 2"),
    "bytes.csv": (b"category,title\nMats,\xff\n", "bytes.csv, row 2: … title … UTF-8"),
    "said.csv": ("category,description\nM,a\nM,b\n", "row 3: category 'M' … description"),
    "no.toml": ("Mats", "no.toml: not TOML ("),
    "utf16.toml": (category().encode("utf-16"), "utf16.toml: not UTF-8"),
    "blank.toml": ("", "blank.toml: no category"),
    "table.toml": (
        "[category]\nname = 'Mats'\n",
        "not a list … [[category]]",
    ),
    "key.toml": ("[[categories]]\nname = 'Mats'\n", "key.toml: unknown key 'categories' … category"),
    "photo.toml": (
        category("photo = 'a.jpg'"),
        "category 'Mats': unknown key 'photo' … name, description, photos",
    ),
    "unnamed.toml": (
        "[[category]]\ntitles = ['mat']\n",
        "unnamed.toml, category 1: … without a name",
    ),
    "number.toml": ("[[category]]\nname = 5\n", "number.toml, category 5: … name … int (5)"),
    "list.toml": (
        category("photos = 'a.jpg'"),
        "category 'Mats': photos … str … list … [ ]",
    ),
    "text.toml": (category("titles = [5]"), "text.toml, category 'Mats': … title … int (5)"),
    "path.toml": (category("photos = [5]"), "path.toml, category 'Mats': … photo … int (5)"),
    "examples.toml": (category("examples = ['a']"), "category 'Mats': examples … list"),
    "bare.toml": (
        category("[[category.examples]]"),
        "category 'Mats': example 1: … title … photos",
    ),
    "id.toml": (category("[[category.examples]]", "id = 1"), "example 1: unknown key 'id' … title, photos"),
    "twice.toml": (category() + category(), "twice.toml, category 'Mats': … already"),
    "sports.xlsx": ("", "sports.xlsx: … .toml or .csv"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_an_error_that_names_the_place(tmp_path, name):
    content, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ListingError) as found:
        read_definitions(tmp_path / name)
    assert str(tmp_path / name) in str(found.value)
    assert_says(str(found.value), message)
