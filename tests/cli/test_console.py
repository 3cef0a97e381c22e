"""What a shell may do to a program: closed streams, pipes, names that are no text, letters that a terminal lacks."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import shop
from commands import assert_says, one_line

PROGRAM = f'"{sys.executable}" -m productcat.cli'


@pytest.fixture
def shell(tiny_bundle, tmp_path):
    """A function that runs a line of bash in a folder with a photo and two tables. → (exit code, output, errors)"""
    (tmp_path / "front.jpg").write_bytes(shop.encode(shop.photo("Belts", np.random.default_rng(1), (64, 48)), "JPEG"))
    (tmp_path / "good.csv").write_text("id,title,photos\n1,leather belt,front.jpg\n")
    (tmp_path / "some.csv").write_text("id,title,photos\n1,leather belt,front.jpg\n2,bag\n3,bag,gone.jpg\n")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PRODUCTCAT_BUNDLE": str(tiny_bundle)}

    def run(line, **more):
        line = line.replace("productcat", PROGRAM)
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=variables | more, capture_output=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


@pytest.mark.parametrize(
    "line", ["productcat --version >&-", "productcat bundle show >&-", "productcat predict --from good.csv >&-"]
)
def test_a_closed_output_is_no_mistake(shell, line):
    assert shell(line) == (0, "", "")


def test_a_closed_input_is_one_line(shell):
    code, _, errors = shell("productcat predict - <&-")
    assert (code, len(errors.splitlines())) == (3, 1)


def test_what_is_said_of_rows_is_never_among_the_predictions(shell):
    code, output, _ = shell("productcat predict --from some.csv 2>&-")
    assert code == 1
    assert [json.loads(line)["id"] for line in output.splitlines()] == ["1", "3"]


def test_bad_rows_of_a_run_into_a_pipe_are_said(shell, tmp_path):
    code, _, errors = shell("productcat predict --from some.csv --to >(cat > out.jsonl); code=$?; wait $!; exit $code")
    assert code == 1
    assert_says(errors, "some.csv, row 3: 2 fields instead of 3")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("predict --from good.csv --to ./out --bad out", "--to and --bad … same"),
        ("predict --from good.csv --to ./good.csv --resume", "--from and --to … same"),
        ("duplicates find good.csv --to out --html ./out", "--to and --html … same"),
        (
            "duplicates find good.csv --to out --html out.bad.jsonl",
            "--html and --bad … same",
        ),
    ],
)
def test_one_file_for_two_outputs_is_refused(shell, tmp_path, line, message):
    code, output, errors = shell(f"productcat {line}")
    assert (code, output) == (2, "")
    assert_says(one_line(errors), message)
    assert not (tmp_path / "out").exists()


def test_a_side_file_that_cannot_be_is_known_before_the_first_bad_row(shell):
    code, output, errors = shell("productcat predict --from some.csv --bad nowhere/bad.jsonl")
    assert (code, output) == (3, "")
    assert_says(one_line(errors), "nowhere/bad.jsonl: no such folder")


def test_a_folder_whose_name_is_no_text_costs_nothing(shell, tmp_path):
    folder = os.fsencode(tmp_path) + b"/m\xe4rz"
    os.mkdir(folder)
    for name in ("front.jpg", "some.csv"):
        os.rename(tmp_path / name, os.path.join(folder, name.encode()))
    for again in ("", " --resume"):
        code, _, errors = shell(f"productcat predict --from $'m\\xe4rz/some.csv' --to out.jsonl{again}")
        assert (code, len(errors.splitlines())) == (1, 1)
    predictions = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert_says(predictions[1]["problems"][0], "listing '3': m\udce4rz/gone.jpg: no such file")
    assert json.loads((tmp_path / "out.jsonl.bad.jsonl").read_text("utf-8"))["row"] == 3


def test_json_is_json_where_the_output_takes_few_letters(shell, tmp_path):
    (tmp_path / "front.jpg").rename(tmp_path / "vorn-ä-👜.jpg")
    code, output, _ = shell("productcat predict vorn-ä-👜.jpg nö.jpg --json", PYTHONIOENCODING="ascii")
    assert (code, output.isascii()) == (1, True)
    assert_says(json.loads(output)["problems"][0], "nö.jpg: no such file")


def test_a_file_of_something_else_is_not_taken_for_a_torn_line(shell, tmp_path):
    (tmp_path / "package.json").write_text('{"name": "mine"}')
    code, _, errors = shell("productcat predict --from good.csv --to package.json --resume")
    assert code == 3
    assert_says(one_line(errors), "package.json, line 1: not a prediction")
    assert (tmp_path / "package.json").read_text() == '{"name": "mine"}'


def test_what_pillow_says_of_a_photo_names_no_listing_and_is_not_told(shell, tmp_path):
    (tmp_path / "front.jpg").write_bytes(shop.encode(np.zeros((9500, 9500, 3), np.uint8), "PNG"))
    code, _, errors = shell("productcat predict --from good.csv --to out.jsonl")
    assert (code, "exceeds limit" in errors) == (1, False)
