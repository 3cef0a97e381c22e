"""Rows of Parquet: what PyArrow says they are, whatever a file unpacks to in bounded memory, and with the rest kept."""

import datetime
import decimal
import os
import subprocess
import sys

import numpy as np
import pytest
from commands import assert_says, environment

from productcat import read_listings
from productcat.listings.columns import Columns
from productcat.listings.parquet_pages import cost_of, rows_at_once
from productcat.listings.parquet_rows import parquet_rows

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CHILD = """
import sys
from pathlib import Path
import pyarrow.compute, pyarrow.parquet
from productcat import read_listings

def used():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

bad = []
small, path = sys.argv[1:]
list(read_listings(small))
before = used()
n = sum(1 for _ in read_listings(path, on_bad=bad.append))
print(used() - before, n, *(f"{each.number}: {each.reason}" for each in bad[:3]), sep="|")
"""


def read(path):
    bad = []
    return list(read_listings(path, on_bad=bad.append)), bad


def write(path, rows, **settings):
    """Write a table whose types are not told beside the data, as other programs do."""
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd", store_schema=False, **settings)
    return path


def in_child(tmp_path, path):
    """(megabytes, number of listings, what is said of the first bad rows) of reading a file in a process of its own."""
    small = write(tmp_path / "small.parquet", [{"id": "1", "title": "a", "photos": ["b"]}])
    command = [sys.executable, "-c", CHILD, str(small), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    grown, n, *bad = done.stdout.strip().split("|")
    return float(grown), int(n), bad


MEGA = 1 << 20


def shared(values, places):
    """An array in which many places have the same value, without a copy for each."""
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(values))


def listed(entries, lengths):
    """An array of lists of so many entries, one after the other."""
    return pa.ListArray.from_arrays(pa.array([0, *np.cumsum(lengths)], pa.int32()), entries)


def ids(n):
    return pa.array([str(number) for number in range(n)])


def titles():
    return {
        "id": ids(128),
        "title": shared(["belt", "x" * 6 * MEGA], [int(number % 8 > 0) for number in range(128)]),
    }, {}


def lists():
    lengths = [40 if number % 2 else 1 for number in range(16)]
    photos = listed(shared([b"x" * 6 * MEGA], np.zeros(sum(lengths), np.int32)), lengths)
    return {"id": ids(16), "photos": photos}, {}


def inflated():
    cells = ["x" * 50 * MEGA if n == 9 else "belt" for n in range(16)]
    return {"id": ids(16), "title": cells}, {"row_group_size": 8, "use_dictionary": False}


def endless():
    lengths = [3_000_000 if number == 3 else 1 for number in range(8)]
    return {"id": ids(8), "photos": listed(shared(["a.jpg"], np.zeros(sum(lengths), np.int32)), lengths)}, {}


@pytest.mark.parametrize(
    ("content", "n_listings", "said"),
    [
        (titles, 16, "2: the title has 6,291,456 bytes, 524,288 at most; shorten it"),
        (lists, 16, ""),
        (inflated, 8, "9: column 'title': pages of few bytes unpack to 52,428,"),
        (endless, 7, "4: more than 1,000 photos"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_few_bytes_that_unpack_to_many_take_bounded_memory_and_the_other_rows_are_kept(
    tmp_path, content, n_listings, said
):
    columns, settings = content()
    path = tmp_path / "heavy.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=False, **settings)
    assert os.path.getsize(path) < MEGA
    grown, n, bad = in_child(tmp_path, path)
    assert grown < 150  # megabytes
    assert n == n_listings
    assert (bad or [""])[0].startswith(said)


def test_of_values_that_share_their_beginnings_few_are_read_together(tmp_path):
    cells = ["x" * 300_000 + str(n) for n in range(300)]
    settings = {"use_dictionary": False, "column_encoding": {"title": "DELTA_BYTE_ARRAY", "id": "PLAIN"}}
    path = write(
        tmp_path / "titles.parquet", [{"id": each[-3:], "title": each[299_990:]} for each in cells], **settings
    )
    assert [each.title for each in read(path)[0]] == [each[299_990:] for each in cells]
    path = write(tmp_path / "long.parquet", [{"id": str(n), "title": each} for n, each in enumerate(cells)], **settings)
    with open(path, "rb") as stream:
        chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
        assert 10 < rows_at_once([cost_of(stream, chunk, 0, False)], 256) < 200


def test_a_list_of_many_values_that_share_their_beginnings_is_refused_with_the_way_out(tmp_path):
    rows = [{"id": str(row), "photos": ["x" * 20_000 + str(n) for n in range(1_000)]} for row in range(9)]
    settings = {"use_dictionary": False, "column_encoding": {"photos.list.element": "DELTA_BYTE_ARRAY", "id": "PLAIN"}}
    _, bad = read(write(tmp_path / "lists.parquet", rows, **settings))
    assert [each.number for each in bad] == [1]
    assert_says(bad[0].reason, "lists of values that share their bytes … with other encodings; rows 1 to 9 left out")


def test_a_damaged_page_costs_the_rows_of_its_group_and_no_other(tmp_path):
    rows = [{"id": f"item-{n}", "title": f"a title of {n}"} for n in range(30)]
    path = write(tmp_path / "damaged.parquet", rows, row_group_size=10, use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(1)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset : chunk.data_page_offset + chunk.total_compressed_size] = b"\xff" * (
        chunk.total_compressed_size
    )
    path.write_bytes(content)
    found, bad = read(path)
    assert [each.id for each in found] == [f"item-{n}" for n in (*range(10), *range(20, 30))]
    assert [each.number for each in bad] == [11]
    assert bad[0].reason.endswith("rows 11 to 20 left out")


ODD = {
    "text": pa.array(["é", "", None, "a" * 400_000]),
    "large text": pa.array(["é", "", None, "b"], pa.large_string()),
    "text by views": pa.array(["é", "", None, "b" * 100], pa.string_view()),
    "categories": pa.array(["é", "é", None, "b"]).dictionary_encode(),
    "bytes": pa.array([b"\xff", b"", None, b"b"]),
    "fixed bytes": pa.array([b"ab", b"cd", None, b"ef"], pa.binary(2)),
    "numbers": pa.array([1, 2**62, None, -1]),
    "decimals": pa.array([decimal.Decimal("1.25"), decimal.Decimal(2), None, decimal.Decimal(0)], pa.decimal128(12, 2)),
    "dates": pa.array([datetime.date(2026, 1, 2), None, None, datetime.date(1, 1, 1)]),
    "lists": pa.array([["a", None], [], None, ["b"]]),
    "lists of lists": pa.array([[["a"], []], [], None, [None, ["b"]]]),
    "lists of two": pa.array([["a", "b"], [None, "c"], None, ["b", "b"]], pa.list_(pa.string(), 2)),
    "lists by views": pa.array([["a", None], [], None, ["b"]], pa.list_view(pa.string())),
    "images": pa.array(
        [{"bytes": b"a", "path": None}, {"bytes": None, "path": "b"}, None, {"bytes": None, "path": ""}]
    ),
    "lists of images": pa.array([[{"bytes": b"a", "path": "a"}], [], None, [None, {"bytes": b"a", "path": None}]]),
    "nothing": pa.nulls(4),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("settings", [{}, {"use_dictionary": False}, {"row_group_size": 3}, {"store_schema": False}])
@pytest.mark.parametrize("repeated", [128 << 20, 0], ids=["as values", "as dictionaries"])
def test_cells_are_what_pyarrow_says_they_are(tmp_path, monkeypatch, kind, settings, repeated):
    monkeypatch.setattr("productcat.listings.parquet_rows.REPEATED", repeated)
    path = tmp_path / "odd.parquet"
    pq.write_table(pa.table({"id": ["1", "2", "3", "4"], "photos": ODD[kind]}), path, **settings)
    assert [row.values["photos"] for row in parquet_rows(path, Columns(), print)] == pq.read_table(path)[
        "photos"
    ].to_pylist()


def test_a_cell_that_python_cannot_hold_costs_its_row_and_no_other(tmp_path):
    ids = pa.array([b"1", b"\xff", b"3"]).view(pa.string())
    days = pa.array([0, 2**62, 1], pa.timestamp("us"))
    pq.write_table(pa.table({"id": ids, "title": ["a", "b", "c"]}), tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": ["1", "2", "3"], "title": days}), tmp_path / "days.parquet")
    found, bad = read(tmp_path / "text.parquet")
    assert [each.id for each in found] == ["1", "3"]
    assert [(each.number, each.reason) for each in bad] == [(2, "the id is not UTF-8 text; encode it again")]
    _, bad = read(tmp_path / "days.parquet")
    assert [each.number for each in bad] == [1, 2, 3]
    assert "the title cannot be read" in bad[1].reason
