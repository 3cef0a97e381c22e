"""Files of listings: every format gives the same listings, and a bad row is named and left out."""

import json
import os
import re
import subprocess
import sys
import warnings

import pytest

from productcat import Listing, ListingError, read_listings
from productcat.listings.readers import Columns, count_rows, read_labelled, read_with_ids


@pytest.fixture
def write(tmp_path):
    """A function that writes a file into the test's folder and gives its path."""

    def write(content, name="listings.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, **settings):
    """(listings, bad rows) of a file."""
    bad = []
    return list(read_listings(path, on_bad=bad.append, **settings)), bad


def expected(folder):
    return [Listing("1", "Red boots", (folder / "a.jpg", folder / "b.jpg")), Listing("2", "Été 👜", ())]


def test_csv_gives_listings_with_photos_beside_the_file(write, tmp_path):
    assert read(write("id,title,photos\n1,Red boots,a.jpg|b.jpg\n2,Été 👜,\n")) == (expected(tmp_path), [])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_may_have_semicolons_or_tabs_a_byte_order_mark_capitals_and_windows_line_ends(write, tmp_path, delimiter):
    text = "\ufeffID,Title,Photo\r\n1,Red boots,a.jpg|b.jpg\r\n\r\n2,Été 👜,\r\n".replace(",", delimiter)
    assert read(write(text)) == (expected(tmp_path), [])


def test_json_lines_give_the_same_listings_as_csv(write, tmp_path):
    lines = [{"id": 1, "title": "Red boots", "photos": ["a.jpg", "b.jpg"]}, {"id": "2", "title": "Été 👜"}]
    text = "\n".join(json.dumps(each) for each in lines) + "\n"
    assert read(write(text, "listings.jsonl")) == (expected(tmp_path), [])
    assert read(write(text, "any name")) == (expected(tmp_path), [])


def test_parquet_gives_the_same_listings_as_csv_and_takes_photos_as_bytes(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "listings.parquet"
    rows = {"id": [1, 2], "title": ["Red boots", "Été 👜"], "photos": [["a.jpg", "b.jpg"], None]}
    parquet.write_table(pyarrow.table({**rows, "stock": [1, 2]}), path)
    assert read(path) == (expected(tmp_path), [])
    assert count_rows(path) == 2
    parquet.write_table(pyarrow.table({"id": [1, 2], "image": [{"bytes": b"pixels", "path": None}, None]}), path)
    assert read(path)[0] == [Listing("1", "", (b"pixels",)), Listing("2")]


def test_parquet_without_pyarrow_names_the_command_that_mends_it(write):
    path = write(b"PAR1....", "listings.parquet")
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from productcat import read_listings, ListingError\n"
        f"try: list(read_listings({str(path)!r}))\n"
        "except ListingError as error: sys.stdout.write(str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs pyarrow; run pip install pyarrow" in done.stdout


def test_damaged_parquet_is_named(write):
    pytest.importorskip("pyarrow")
    with pytest.raises(ListingError, match=r"listings.parquet: not sound Parquet"):
        read(write(b"PAR1 and no more", "listings.parquet"))


def test_class_folders_give_a_listing_for_each_photo_with_the_folder_as_label(tmp_path):
    for name in (
        "Belts/2.jpg",
        "Belts/1.PNG",
        "Tshirts/1.webp",
        "Belts/notes.txt",
        "Belts/more/3.jpg",
        ".hidden/1.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    bad = []
    labelled = list(read_labelled(tmp_path, on_bad=bad.append))
    assert [(listing.id, label) for listing, label in labelled] == [
        ("Belts/1.PNG", "Belts"),
        ("Belts/2.jpg", "Belts"),
        ("Tshirts/1.webp", "Tshirts"),
    ]
    assert labelled[0][0].photos == (tmp_path / "Belts/1.PNG",)
    assert [each.text for each in bad] == ["Belts/more", "Belts/notes.txt"]


def test_a_folder_of_photos_without_labels_can_be_read_but_not_for_training(tmp_path):
    (tmp_path / "1.jpg").touch()
    assert [each.id for each in read(tmp_path)[0]] == ["1.jpg"]
    bad = []
    assert list(read_labelled(tmp_path, on_bad=bad.append)) == []
    assert bad[0].reason.startswith("no label")


def test_a_folder_without_photos_is_refused(tmp_path):
    (tmp_path / "Belts").mkdir()
    with pytest.raises(ListingError, match=r"no photos in it; expected <label>/<name>.jpg"):
        read(tmp_path)


def test_a_quote_that_is_left_open_costs_its_own_row_and_no_other(write):
    listings, bad = read(write('id,title\n1,a\n2,"open\n3,b\n4,"two\nlines"\n5,"open, too\n6,c\n7\n'))
    assert {each.id: each.title for each in listings} == {"1": "a", "3": "b", "4": "two\nlines", "6": "c"}
    assert [each.number for each in bad] == [3, 7, 9]
    assert all(each.reason.endswith("is a quote left open?") for each in bad[:2])
    assert bad[0].text == '2,"open'


def test_a_folder_with_a_table_in_it_names_the_table(write, tmp_path):
    write("id,title\n", "styles.csv")
    with pytest.raises(ListingError, match=r"a folder with tables in it, such as styles.csv; give the path of one"):
        read(tmp_path)


def test_a_list_file_gives_a_listing_for_each_line_with_its_index_as_id(write, tmp_path):
    path = write("\ufeff0\tBelts\ta.jpg\r\n\r\n7\tRed boots\tbelow/b|c.jpg\r\n", "train.lst")
    assert list(read_labelled(path)) == [
        (Listing("0", photos=[tmp_path / "a.jpg"]), "Belts"),
        (Listing("7", photos=[tmp_path / "below/b|c.jpg"]), "Red boots"),
    ]
    assert read(path) == ([listing for listing, _ in read_labelled(path)], [])
    assert count_rows(path) == 3
    assert read(write("", "empty.lst")) == ([], [])


def test_labels_of_a_list_file_that_are_whole_numbers_are_written_without_decimals(write):
    labels = ["3.000000", "3", "-1.0", "3.5", "1.0.0", "v2.0"]
    path = write("".join(f"{number}\t{label}\ta.jpg\n" for number, label in enumerate(labels)), "train.lst")
    assert [label for _, label in read_labelled(path)] == ["3", "3", "-1", "3.5", "1.0.0", "v2.0"]


def test_a_list_file_of_another_name_is_read_when_its_format_is_told(write, tmp_path):
    path = write("0\tBelts\ta.jpg\n", "train.txt")
    assert read(path, format="lst")[0] == [Listing("0", photos=[tmp_path / "a.jpg"])]
    with pytest.raises(ListingError, match="no column 'id'"):
        read(path)


def test_the_published_layout_needs_no_settings(write, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/15970.jpg").touch()
    path = write("id,articleType,productDisplayName\n15970,Shirts,Turtle Check Shirt\n9,Belts,A belt\n", "styles.csv")
    photo = tmp_path / "images/15970.jpg"
    assert list(read_labelled(path)) == [
        (Listing("15970", "Turtle Check Shirt", (photo,)), "Shirts"),
        (Listing("9", "A belt"), "Belts"),
    ]


def test_columns_of_other_names_are_a_setting(write, tmp_path):
    path = write("sku;headline\n7;Red boots\n")
    columns = Columns(id="sku", title="headline", photo_pattern="p/{id}.png")
    assert read(path, columns=columns)[0] == [Listing("7", "Red boots", (tmp_path / "p/7.png",))]
    assert Columns.from_text("id=sku, title=headline, photo_pattern=p/{id}.png") == columns


def test_a_pattern_takes_the_place_of_a_column_of_photos(write, tmp_path):
    path = write("id,title,photos\n7,Red boots,other.jpg\n,Bag,b.jpg\n")
    listings = read(path, columns=Columns(photo_pattern="p/{id}.png"))[0]
    assert [each.photos for each in listings] == [(tmp_path / "p/7.png",), ()]
    with pytest.raises(ValueError, match=r"photos=image and photo_pattern=p/\{id\}.png: give one of them"):
        Columns(photos="image", photo_pattern="p/{id}.png")


def test_an_address_of_a_photo_is_named_as_it_is(write):
    listings = read(write("id,photos\n7,https://example.com/a.jpg\n"))[0]
    assert listings[0].photos == ("https://example.com/a.jpg",)


@pytest.mark.parametrize("text", ["titel=name", "title", "title="])
def test_a_wrong_text_for_columns_is_named(text):
    with pytest.raises(ValueError, match=f"'{text}' is not role=name with one of the roles id, title"):
        Columns.from_text(text)


@pytest.mark.parametrize(
    ("content", "number", "reason"),
    [
        ("id,title\n1,a\n2,red, warm\n", 3, '3 fields instead of 2; put text with "," in it in quotes'),
        ("id,title\n1,a\n2\n", 3, "1 field instead of 2; fill up the row"),
        ("id,title\n1,a\n1,b\n", 3, "the id '1' is that of row 2 too"),
        (b"id,title\n1,a\n2,\xff\n", 3, "the title is not UTF-8 text"),
        (b"id,title\n1,a\n2,b\0c\n", 3, "a NUL byte in the title"),
        ('{"id": "1", "title": "a"}\n{"id": \n', 2, "not JSON"),
        ('{"id": "1", "title": "a"}\n\n[1]\n', 3, "a JSON list, expected one object a line"),
        ('{"id": "1", "title": "a"}\n{"id": "2", "title": 5}\n', 2, "the title is int (5), expected text"),
        ('{"id": "1", "title": "a"}\n{"id": "2", "photos": [5]}\n', 2, "the photo is int (5), expected text"),
        ('{"id": "1", "title": "a"}\n{"id": true}\n', 2, "the id is bool"),
        ('{"id": "1", "title": "a"}\n{"id": "2", "title": "\\ud800"}\n', 2, "the title is not UTF-8 text"),
        ('{"id": "1", "title": "a"}\n' + "[" * 100_000 + "\n", 2, "not JSON"),
    ],
)
def test_a_bad_row_is_named_with_its_number_and_the_others_are_read(write, content, number, reason):
    listings, bad = read(write(content))
    assert listings == [Listing("1", "a")]
    assert [each.number for each in bad] == [number]
    assert reason in bad[0].reason
    assert len(bad[0].text) <= 200
    json.dumps(bad[0].text, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2\ta.jpg", "2 fields instead of 3; write index, label and path, with tabs between"),
        (b"2\t0\t1\ta.jpg", "4 fields instead of 3"),
        (b"2 0 a.jpg", "1 field instead of 3"),
        (b"2\t0\t ", "no path; write index, label and path, with tabs between"),
        (b"1\t0\ta.jpg", "the id '1' is that of row 1 too"),
        (b"2\t \ta.jpg", "no label; label it or leave it out"),
        (b"2\t\xff\ta.jpg", "the label is not UTF-8 text"),
        (b"2\t0\t\xff.jpg", "the photo is not UTF-8 text"),
        (b"2\t0\ta\0.jpg", "a NUL byte in the photo"),
    ],
)
def test_a_bad_line_of_a_list_file_is_named_and_the_others_are_read(write, line, reason):
    bad = []
    path = write(b"1\t0\ta.jpg\n" + line + b"\n3\t0\tc.jpg\n", "train.lst")
    assert [listing.id for listing, _ in read_labelled(path, on_bad=bad.append)] == ["1", "3"]
    assert [each.number for each in bad] == [2]
    assert reason in bad[0].reason


def test_rows_after_a_bad_one_are_read(write):
    assert [each.id for each in read(write("id,title\n1,a\n2,b,c\n3,d\n"))[0]] == ["1", "3"]


def test_a_bad_row_is_a_warning_that_names_file_and_row_unless_the_caller_takes_it(write):
    path = write("id,title\n1,a,b\n")
    with pytest.warns(UserWarning, match=r"listings.csv, row 2: 3 fields instead of 2"):
        assert list(read_listings(path)) == []


def test_a_row_without_title_and_photos_is_a_listing_and_a_row_without_id_is_named_by_its_number(write):
    assert read(write("id,title,photos\n1,,\n,a,\n"))[0] == [Listing("1"), Listing("row 3", "a")]
    assert read(write('{"id": "1"}\n{"title": "a"}\n'))[0] == [Listing("1"), Listing("row 2", "a")]


def test_a_row_without_a_label_is_a_bad_row_where_labels_are_wanted(write):
    bad = []
    path = write("id,title,label\n1,a,Belts\n2,b,\n")
    assert list(read_labelled(path, on_bad=bad.append)) == [(Listing("1", "a"), "Belts")]
    assert (bad[0].number, bad[0].reason) == (3, "no label; label it or leave it out")


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (
            "sku,title\n1,a\n",
            {},
            r"no column 'id'; there are sku, title: rename one, or name it in Columns \(--columns\)",
        ),
        ("id,price\n1,2\n", {}, "no column 'title' and none 'photos'; there are id, price"),
        ("id,title\n1,a\n", {"columns": Columns(photos="pictures")}, "no column 'pictures'; there are id, title"),
        ("", {}, "empty; expected a header line"),
        ("id,title\n".encode("utf-16"), {}, "not UTF-8 text"),
        ("[\n{}\n]\n", {}, "a JSON array; write JSON Lines, one object a line"),
        ("id,title\n", {"format": "xlsx"}, "format 'xlsx': expected one of csv, jsonl, parquet, lst, folders"),
    ],
)
def test_a_file_that_cannot_be_used_at_all_is_one_error(write, content, settings, message):
    with pytest.raises(ListingError, match=message):
        read(write(content), **settings)


def test_large_numbers_are_ids_digit_by_digit(write):
    ids = [str(2**60 + 1), str(2**60 + 3), "9" * 400]
    listings, bad = read(write("".join(f'{{"id": {id}, "title": "belt"}}\n' for id in ids)))
    assert ([each.id for each in listings], bad) == (ids, [])


def test_an_id_too_long_for_a_file_has_no_photo_beside_the_table(write, tmp_path):
    (tmp_path / "images").mkdir()
    assert read(write(f"id,title\n{'7' * 5000},belt\n")) == ([Listing("7" * 5000, "belt")], [])


def test_a_named_key_that_no_row_of_json_lines_has_is_said_after_the_last(write):
    path = write('{"id": "1", "title": "belt"}\n{"id": "2"}\n')
    with pytest.warns(
        UserWarning, match=r"listings.csv: no row has the key 'headline', which was named for the title$"
    ):
        assert [each.title for each in read(path, columns=Columns(title="headline"))[0]] == ["", ""]
    assert read(path, columns=Columns(title=("headline", "title")))[0][0].title == "belt"


def test_keys_of_json_lines_are_found_whatever_their_capitals(write):
    assert read(write('{"ID": "1", "Title": "belt", "Photos": []}\n')) == ([Listing("1", "belt")], [])


def test_a_row_of_json_lines_without_a_known_key_is_a_bad_row_that_names_its_keys(write):
    listings, bad = read(write('{"sku": "1", "headline": "belt"}\n{"id": "2", "title": "bag"}\n{}\n'))
    assert [each.id for each in listings] == ["2", "row 3"]
    assert [each.number for each in bad] == [1]
    assert bad[0].reason == (
        "no key 'title' or 'photos'; there are sku, headline: rename one, or name it in Columns (--columns)"
    )


def test_json_lines_with_ids_alone_are_told(write):
    with pytest.warns(UserWarning, match=r"no row has the key 'title' or 'photos'; rename one, or name it in Columns"):
        assert len(read(write('{"id": "1", "headline": "belt"}\n{"id": "2"}\n'))[0]) == 2


@pytest.mark.parametrize(
    "text", ['{"id": "1", "title": "small", "Title": "large"}\n', "id,title,Title\n1,small,large\n"]
)
def test_a_name_that_is_given_is_that_one_and_no_other_with_other_capitals(write, text):
    path = write(text)
    assert [read(path, columns=Columns(title=name))[0][0].title for name in ("title", "Title")] == ["small", "large"]


def test_a_photo_in_an_object_without_path_or_bytes_makes_a_bad_row(write):
    bad = read(write('{"id": "1", "photos": [{"url": "a.jpg"}]}\n'))[1]
    assert bad[0].reason == "a photo is an object with url, expected bytes or path"


def test_where_ids_are_needed_a_row_without_one_is_a_bad_row(write):
    bad = []
    path = write("id,title\n1,belt\n,bag\n")
    assert [each.id for each in read_with_ids(path, on_bad=bad.append)] == ["1"]
    assert [(each.number, each.reason) for each in bad] == [(3, "no id; give the listing one that stays the same")]


@pytest.mark.parametrize("format", ["parquet", "folders", "xlsx"])
def test_a_format_that_standard_input_cannot_have_is_refused(format):
    with pytest.raises(ListingError, match=rf"standard input: format '{format}': expected one of csv, jsonl, lst"):
        read_listings("-", format=format)


def test_a_missing_file_is_told_at_once(tmp_path):
    with pytest.raises(ListingError, match=r"nothing.csv: no such file; check the path"):
        read_listings(tmp_path / "nothing.csv")


def test_an_empty_json_lines_file_has_no_listings(write):
    assert read(write("", "listings.jsonl")) == ([], [])


@pytest.mark.parametrize("content", ["id,title\n1,a\n", '{"id": "1", "title": "a"}\n'])
def test_standard_input_is_csv_or_json_lines(content):
    code = "from productcat import read_listings; print(list(read_listings('-')))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=content, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[Listing(id='1', title='a', photos=(), price=None)]\n"


def test_reading_is_lazy(write):
    path = write("id,title\n" + "".join(f"{number},a\n" for number in range(100_000)))
    assert next(iter(read_listings(path))).id == "0"
    assert count_rows(path) == 100_000


def test_a_key_that_looks_like_photos_and_is_not_read_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "1", "title": "a bag", "picture": "1.jpg"}\n{"id": "2", "title": "a hat"}\n', "utf-8")
    with pytest.warns(UserWarning, match=r"a.jsonl: key 'picture' is not read.*--columns photos=picture"):
        assert len(list(read_listings(path))) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(read_listings(path, Columns(photos="picture")))
        path.write_text('{"id": "1", "photo": "2.jpg", "picture": "1.jpg"}\n{"id": "2", "title": "a hat"}\n', "utf-8")
        list(read_listings(path))


def test_a_column_that_looks_like_photos_and_is_not_read_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("id,title,Picture_file\n1,a bag,1.jpg\n", "utf-8")
    with pytest.warns(UserWarning, match=r"column 'Picture_file' is not read.*--columns photos=Picture_file"):
        (listing,) = read_listings(tmp_path / "a.csv")
    assert listing.photos == ()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (named,) = read_listings(tmp_path / "a.csv", Columns(photos="Picture_file"))
    assert [photo.name for photo in named.photos] == ["1.jpg"]


def test_prices_are_read_leniently_and_those_that_cannot_be_are_counted_in_one_remark(write):
    table = 'id,title,price\n1,a,"1.299,00 €"\n2,b,$12\n3,c,\n4,d,ask me\n5,e,1.299\n'
    remarks = []
    assert [each.price for each in read(write(table), on_remark=remarks.append)[0]] == [1299.0, 12.0, None, None, None]
    (remark,) = remarks
    assert re.search(r"listings.csv: 2 prices left out, such as 'ask me' \(row 5\)", remark)
    assert [each.price for each in read(write(table), columns=Columns(price="id"))[0]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_extra_columns_are_handed_over_with_the_ids(write, tmp_path, format):
    rows = [{"id": 1, "title": "a", "SKU": 17.0}, {"id": 2, "title": "b", "SKU": None}]
    if format == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "listings.parquet"
        parquet.write_table(pytest.importorskip("pyarrow").Table.from_pylist(rows), path)
    elif format == "csv":
        path = write("id,title,SKU\n1,a,17\n2,b,\n")
    else:
        path = write("".join(json.dumps(row) + "\n" for row in rows), "listings.jsonl")
    told = {}
    listings, _ = read(path, columns=Columns(extra=("sku", "title")), on_extra=told.__setitem__)
    assert told == {"1": {"sku": "17", "title": "a"}, "2": {"sku": "", "title": "b"}}
    assert listings == [Listing("1", "a"), Listing("2", "b")]


def test_an_extra_column_that_is_not_there_is_named(write, tmp_path):
    with pytest.raises(ListingError, match=r"listings.csv: no column 'sku'; there are id, title"):
        read(write("id,title\n1,a\n"), columns=Columns(extra=("sku",)))
    with pytest.warns(UserWarning, match=r"listings.jsonl: no row has the key 'sku'"):
        read(write('{"id": "1", "title": "a"}\n', "listings.jsonl"), columns=Columns(extra=("sku",)))
    (tmp_path / "photos").mkdir()
    with pytest.raises(ListingError, match="no column 'sku' in a list or folder of photos"):
        read(tmp_path / "photos", columns=Columns(extra=("sku",)))
