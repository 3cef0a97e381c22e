"""Whatever a table is made of: rows become listings or are named in one line each, or the file is refused in one."""

import csv
import io
import json
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import TEXTS, VALUES, bounded, changed_bytes, changed_json, tried

from productcat import Listing, ListingError, read_listings
from productcat.categories.definitions import read_definitions
from productcat.evaluation.labelled_pairs import read_decisions, read_labelled_pairs
from productcat.listings.columns import Columns
from productcat.listings.readers import count_rows, read_labelled, read_with_ids

ROWS = [
    {"id": "1", "title": "Red boots, size 9", "photos": "a.jpg|b.jpg", "price": "1.299,00 €", "label": "Shoes"},
    {"id": "2", "title": 'Été 👜 "new"', "photos": "", "price": "$12", "label": "Bags"},
    {"id": "3", "title": "two\nlines", "photos": "https://example.com/a.jpg", "price": "", "label": "Bags"},
    {"id": "x" * 40, "title": "", "photos": "c.png", "price": "7", "label": ""},
]
PIECES = [
    '"',
    '""',
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\ufeff",
    "\ud800",
    "\udcff",
    "|",
    "'",
    "a",
    "=1",
    "x" * 300,
]
PIECES += ["[" * 2_000, '{"id":' * 500, "9" * 5_000, "\x1b[31m", "\u202e", " " * 3_000]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def assert_short(said, place):
    """A message is one line that a person reads."""
    assert len(said.splitlines()) == 1
    assert len(said) < 1_000 + len(str(place))
    said.encode()


def read(path):
    """Read a table in all ways. Each row becomes a listing or is named, or the file is refused."""
    ways = [
        lambda bad, remark: read_listings(path, on_bad=bad, on_remark=remark),
        lambda bad, remark: read_listings(path, Columns(extra=("label",)), bad, None, remark, lambda *_: None),
        lambda bad, remark: (listing for listing, _ in read_labelled(path, on_bad=bad, on_remark=remark)),
        lambda bad, remark: read_with_ids(path, on_bad=bad, on_remark=remark, photo_root=path.parent),
        lambda bad, remark: read_listings(path, Columns(photo_pattern="{id}.jpg"), bad, None, remark),
    ]
    for way in ways:
        bad, remarks = [], []
        with bounded(), warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                count_rows(path)
                found = list(way(bad.append, remarks.append))
            except ListingError as error:
                found, remarks = [], [*remarks, str(error)]
        for each in found:
            assert isinstance(each, Listing)
            each.title.encode()
        assert len({each.id for each in found}) == len(found)
        for each in bad:
            assert_short(each.reason, path)
            assert len(each.text) <= 200
            json.dumps([each.reason, each.text], ensure_ascii=False).encode()
        for each in remarks:
            assert_short(each, path)


def read_others(path):
    """Read a table as one of pairs and one of categories."""
    for way in (lambda bad: [*read_labelled_pairs(path, bad)], lambda bad: read_decisions(path, bad), read_definitions):
        bad = []
        with bounded():
            try:
                way(bad.append) if way is not read_definitions else way(path)
            except ListingError as error:
                assert_short(str(error), path)
        for each in bad:
            assert_short(each.reason, path)


def written(rows, delimiter=","):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([list(rows[0]), *(row.values() for row in rows)])
    return text.getvalue()


LINES = [dict(row, photos=row["photos"].split("|")) for row in ROWS]
LINES[1]["photos"] = [{"bytes": None, "path": "a.jpg"}]
FILES = {
    "comma.csv": written(ROWS),
    "semicolon.csv": "\ufeff" + written(ROWS, ";"),
    "tab.csv": written(ROWS, "\t").replace("\r\n", "\n"),
    "lines.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in LINES),
    "list.lst": "".join(f"{number}\t{row['label']}\t{row['photos']}\n" for number, row in enumerate(ROWS[::3])),
}
OTHERS = {
    "pairs.csv": "left,right,label,verdict\n1,2,1,same\n2,3,0,different\n",
    "categories.csv": "category,description,title,photos\nMats,for yoga,foam mat,a.jpg|b.jpg\nMats,,cork mat,\n",
    "categories.toml": '[[category]]\nname = "Mats"\ntitles = ["a"]\n[[category.examples]]\nphotos = ["a"]\n',
}


@st.composite
def changed_text(draw, text):
    """Text with one to six changes: a piece that means something, more often than not, or a part gone or twice."""
    for _ in range(draw(st.integers(1, 6))):
        place, length = draw(st.integers(0, len(text))), draw(st.sampled_from([0, 0, 1, 2, 20]))
        kind = draw(st.sampled_from(["piece", "piece", "piece", "gone", "twice", "many"]))
        if kind == "piece":
            text = text[:place] + draw(st.sampled_from(PIECES)) + text[place + length :]
        elif kind == "gone":
            text = text[:place] + text[place + length :]
        elif kind == "twice":
            text = text[: place + length] + text[place:]
        else:
            text = text[:place] + draw(st.sampled_from(PIECES[:8])) * draw(st.sampled_from([2, 50])) + text[place:]
    return text


def encoded(text):
    return text.encode("utf-8", "surrogatepass")


@tried(150)
@given(data=st.data(), name=st.sampled_from(list(FILES)))
def test_any_text_of_a_table_is_read_or_named(folder, data, name):
    (folder / name).write_bytes(encoded(data.draw(changed_text(FILES[name]))))
    read(folder / name)


@tried(60)
@given(data=st.data(), name=st.sampled_from(list(FILES)))
def test_any_bytes_of_a_table_are_read_or_named(folder, data, name):
    (folder / name).write_bytes(data.draw(changed_bytes(encoded(FILES[name]))))
    read(folder / name)


@tried(60)
@given(data=st.data(), name=st.sampled_from(list(OTHERS)))
def test_any_table_of_pairs_or_categories_is_read_or_refused(folder, data, name):
    (folder / name).write_bytes(encoded(data.draw(changed_text(OTHERS[name]))))
    read_others(folder / name)


@tried(80)
@given(
    rows=st.lists(
        changed_json(LINES[0]) | VALUES | st.dictionaries(TEXTS | st.sampled_from(list(ROWS[0])), VALUES), max_size=5
    )
)
def test_any_json_of_a_row_is_read_or_named(folder, rows):
    path = folder / "any.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    read(path)


def parquet():
    """Parquet as it comes: photos as paths and as bytes, with and without dictionaries, in one and several groups."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pictures = [{"bytes": b"pixels", "path": None}, {"bytes": None, "path": "b.jpg"}, None, {"bytes": b"", "path": ""}]
    paths = pa.table(
        {"id": [1, 2, 3, 4], "title": [row["title"] for row in ROWS], "image": pictures, "label": ["a"] * 4}
    )
    photos = [["a.jpg", "b.jpg"], None, [], ["c.png"]]
    lists = pa.table(
        {
            "id": [row["id"] for row in ROWS],
            "title": ["bag"] * 4,
            "photos": photos,
            "price": [1.5, 2.0, None, 3.0],
            "label": ["a"] * 4,
        }
    )
    many = pa.table(
        {"id": [str(n) for n in range(400)], "title": [f"bag {n % 7}" for n in range(400)], "label": ["a"] * 400}
    )
    settings = [
        {},
        {"use_dictionary": False, "compression": "none"},
        {"row_group_size": 3, "store_schema": False, "compression": "zstd", "data_page_version": "2.0"},
    ]
    for table in (paths, lists, many):
        for each in settings:
            file = io.BytesIO()
            pq.write_table(table, file, **each)
            yield file.getvalue()
    file = io.BytesIO()
    pq.write_table(many, file, use_dictionary=["id"], column_encoding={"title": "DELTA_BYTE_ARRAY"})
    yield file.getvalue()


@pytest.fixture(scope="module")
def parquet_files():
    return list(parquet())


@tried(150)
@given(data=st.data())
def test_any_bytes_of_parquet_are_read_or_named(folder, parquet_files, data):
    path = folder / "any.parquet"
    path.write_bytes(data.draw(changed_bytes(data.draw(st.sampled_from(parquet_files)))))
    read(path)


def test_the_files_that_are_changed_can_be_read(folder, parquet_files):
    for number, content in enumerate([*map(encoded, FILES.values()), *parquet_files]):
        path = folder / f"whole-{number}{'.lst' if number == 4 else ''}"
        path.write_bytes(content)
        assert len(list(read_listings(path))) in (2, 4, 400)
