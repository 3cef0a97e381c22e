"""Records of CSV: as the csv module reads them, in time and memory that grow with the file only."""

import csv
import io
import subprocess
import sys

import pytest
from commands import assert_says, environment
from hypothesis import given
from hypothesis import strategies as st

from productcat import read_listings
from productcat.listings.csv_records import LINES, limited_lines, records

CHILD = """
import sys
from pathlib import Path
from time import process_time
from productcat import read_listings

def used():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

def read(path):
    bad = []
    return [each.id for each in read_listings(path, on_bad=bad.append)], bad

def spent(path):
    start = process_time()
    read(path)
    return process_time() - start

"""


def child(code, *paths):
    """What code prints, in a process of its own that has the paths as its arguments."""
    command = [sys.executable, "-c", CHILD + code, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(path):
    """(listings by id, bad rows) of a table."""
    bad = []
    return {each.id: each for each in read_listings(path, on_bad=bad.append)}, bad


def table(path, *parts):
    path.write_text("".join(parts), "utf-8")
    return path


@pytest.mark.parametrize(
    "line", ['a","', 'a,"b', '"a","', '1,"two"",', 'a,b"c"\nd,"'], ids=["cell", "last", "both", "doubled", "good"]
)
def test_a_quote_that_is_left_open_in_each_line_costs_time_in_proportion_to_the_file(tmp_path, line):
    few, many = (table(tmp_path / f"{n}.csv", "id,title\n", f"{line}\n" * n) for n in (3_000, 30_000))
    ratio = float(child("few, many = sys.argv[1:]; spent(few); print(spent(many) / max(spent(few), 0.005))", few, many))
    assert ratio < 30


@pytest.mark.parametrize(
    ("end", "n"), [("", 100_000), ('end,"in quotes"\n', 30_000), ('end,a display of 15"\n', 30_000)]
)
def test_rows_before_and_after_a_quote_that_is_never_closed_are_kept_and_its_own_is_named(tmp_path, end, n):
    rows = [f"{number},row {number}\n" for number in range(3, n)]
    found, bad = read(table(tmp_path / "open.csv", "id,title\n1,good\n", '2,"open\n', *rows, end))
    assert [*found] == ["1", *map(str, range(3, n)), *(["end"] if end else [])]
    assert [(each.number, each.text) for each in bad] == [(3, '2,"open')]
    assert bad[0].reason.endswith("is a quote left open?")


def test_an_open_quote_that_a_later_row_closes_costs_its_own_row_only(tmp_path):
    text = 'id,title,brand\n1,a,b\n2,"open,c\n3,d,e\n4,f,g\n5,h,a display of 15"\n6,i,j\n'
    found, bad = read(table(tmp_path / "inch.csv", text))
    assert [*found] == ["1", "3", "4", "5", "6"]
    assert [each.number for each in bad] == [3]
    assert "a quote that is closed 3 lines later" in bad[0].reason


def test_text_of_several_lines_is_one_cell_also_where_its_row_has_too_many(tmp_path):
    text = 'id,title,note\n1,bag,"red, big\nnew, in a box\nlast, of all"\n2,belt,"a\nb, c\nd",more\n'
    found, bad = read(table(tmp_path / "notes.csv", text))
    assert [*found] == ["1"]
    assert [(each.number, each.reason[:41]) for each in bad] == [(5, "4 fields instead of 3 (lines 5 to 7); put")]


@pytest.mark.parametrize(
    "cell",
    [
        "word " * 60_000,
        '"' + "several, words\n" * 20_000 + '"',
        '"' + 'a ""word"" ' * 30_000 + '"',
        '"' + '""' * 99_999 + '"',
    ],
    ids=["plain", "lines", "quotes", "only quotes"],
)
def test_a_huge_cell_that_is_not_read_does_not_cost_its_row(tmp_path, cell):
    path = table(tmp_path / "huge.csv", f"id,description,title\n1,{cell},gold earrings\n2,small,belt\n")
    found, bad = read(path)
    assert ({id: each.title for id, each in found.items()}, bad) == ({"1": "gold earrings", "2": "belt"}, [])
    assert csv.field_size_limit() == 131_072  # that of the process stays


@pytest.mark.parametrize("name", ["huge.csv", "huge.jsonl"])
def test_a_huge_cell_that_is_read_costs_its_row_and_no_other(tmp_path, name):
    title = "word " * 60_000
    rows = {
        "huge.csv": f"id,title\n1,{title}\n2,belt\n",
        "huge.jsonl": f'{{"id": 1, "title": "{title}"}}\n{{"id": 2, "title": "belt"}}\n',
    }
    found, bad = read(table(tmp_path / name, rows[name]))
    assert [*found] == ["2"]
    assert [each.reason for each in bad] == ["the title has 300,000 characters, 131,072 at most; shorten it"]


@pytest.mark.parametrize(
    ("head", "bad"),
    [
        (b"id,title\n1,good\n2,", "more than 8,388,608 characters; is a quote left open?"),
        (b'id,title\n1,good\n2,"', "more than 8,388,608 characters; is a quote left open?"),
        (
            b'{"id": "1", "title": "a"}\n{"id": "2", "title": "',
            "more than 8,388,608 characters; shorten it, or write one object a line",
        ),
    ],
)
def test_a_line_without_end_is_named_in_bounded_memory(tmp_path, head, bad):
    path = tmp_path / "long"
    with open(path, "wb") as stream:
        stream.write(head)
        stream.truncate(64 << 20)
        stream.seek(0, 2)
        stream.write(b"\n3,after\n" if head.startswith(b"id") else b'\n{"id": "3"}\n')
    code = "before = used(); ids, bad = read(sys.argv[1]); print(used() - before, *ids, bad[0].reason, sep='|')"
    grown, *ids, reason = child(code, path).strip().split("|")
    assert float(grown) < 120
    assert ids == ["1", "3"]
    assert_says(reason, bad)


def test_a_record_has_no_more_lines_than_anybody_writes(tmp_path):
    found, bad = read(table(tmp_path / "lines.csv", 'id,title\n1,"', "a\n" * LINES, '"\n2,belt\n'))
    assert [*found] == ["2"]
    assert bad[0].reason == "more than 100,000 lines in quotes; is a quote left open?"


def test_a_table_of_too_many_columns_or_a_row_of_too_many_photos_is_refused_in_a_short_line(tmp_path):
    with pytest.raises(Exception, match="20,002 columns, 10,000 at most") as found:
        read(table(tmp_path / "wide.csv", "id,title", ",x" * 20_000, "\n"))
    assert len(str(found.value)) < 400
    with pytest.raises(Exception, match="no column 'id'; there are a column.* and 8,950 more: rename one") as found:
        read(
            table(
                tmp_path / "names.csv", ",".join(f"a column of a long name, {n}".replace(",", "") for n in range(9_000))
            )
        )
    assert len(str(found.value)) < 3_000
    keys = ", ".join(f'"{n}": 0' for n in range(20_000))
    photos = "|".join(["a.jpg"] * 2_000)
    lines = f'{{"id": "1", {keys}}}\n{{"id": "2", "photos": "{photos}"}}\n{{"id": "3", "photos": "a.jpg"}}\n'
    found, bad = read(table(tmp_path / "wide.jsonl", lines))
    assert [*found] == ["3"]
    assert ["20,001 keys, 10,000 at most" in bad[0].reason, "more than 1,000 photos" in bad[1].reason] == [True, True]


CELLS = st.text(st.sampled_from("ab,;\"'\n\r\t é👜"), max_size=12)


@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=6), delimiter=st.sampled_from(",;\t"))
def test_what_is_written_is_read_whatever_the_limit_of_the_process(rows, delimiter):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    for limit in (131_072, 4, 1):
        before = csv.field_size_limit(limit)
        try:
            text.seek(0)
            found = list(records(limited_lines(text), delimiter))
        finally:
            csv.field_size_limit(before)
        if all(len(row) == len(rows[0]) for row in rows):
            assert [record for _, _, record, _ in found] == rows
        assert "".join(text for *_, text in found) == text.getvalue()


@given(text=st.text(st.sampled_from('ab,"\n\r'), max_size=60))
def test_every_line_belongs_to_one_record_and_they_are_counted(text):
    found = list(records(limited_lines(io.StringIO(text, newline="")), ","))
    assert "".join(text for *_, text in found) == text
    assert [number for number, *_ in found] == [1 + sum(n for _, n, *_ in found[:place]) for place in range(len(found))]
    assert all(n == 1 for _, n, record, _ in found if isinstance(record, str))
