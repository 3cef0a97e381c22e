"""Files of decisions."""

import pytest

from productcat import ListingError
from productcat.evaluation.labelled_pairs import read_decisions


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "decided.csv").write_text(text, "utf-8")
        return tmp_path / "decided.csv"

    return write


def test_verdicts_are_read_once_each_and_bad_rows_are_named(write):
    bad = []
    path = write(
        "left,right,score,verdict\na,b,0.9,same\nb,a,0.9,SAME\na,c,0.5,different\na,d,0.4,perhaps\na,a,1,same\n"
    )
    assert read_decisions(path, bad.append) == [("a", "b", True), ("a", "c", False)]
    assert [each.number for each in bad] == [5, 6]


def test_a_column_label_does_as_well(write):
    assert read_decisions(write("left,right,label\na,b,1\n"), print) == [("a", "b", True)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,b,same\nc,d,same\nb,a,different\n", "decided.csv: rows 2 and 4 decide differently of 'b' and 'a'"),
        ("a,b,same\nb,c,same\na,c,different\n", "decided.csv: 'a' and 'c' are decided to be different, and the same"),
    ],
)
def test_a_contradiction_is_one_error_that_names_the_pair(write, rows, message):
    with pytest.raises(ListingError, match=message):
        read_decisions(write(f"left,right,verdict\n{rows}"), print)


def test_a_file_without_verdicts_is_refused(write):
    with pytest.raises(ListingError, match="no column 'label'"):
        read_decisions(write("left,right\na,b\n"), print)
