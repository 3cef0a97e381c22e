"""What a person sees in a shell: readable answers, one line for each mistake, exit codes as documented."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import shop
from commands import assert_says, environment, examples, one_line, runner
from PIL import Image

from productcat.cli import console

PROGRAM = [sys.executable, "-m", "productcat.cli"]


@pytest.fixture
def workplace(tiny_bundle, tmp_path, monkeypatch):
    """The current folder, with photos and listings of the shop; its bundle is the default one."""
    rng = np.random.default_rng(11)
    for name, photo in {"front.jpg": "Belts", "back.jpg": "Belts", "boots.jpg": "Handbags"}.items():
        (tmp_path / name).write_bytes(shop.encode(shop.photo(photo, rng, (128, 96)), "JPEG"))
    (tmp_path / "listings.csv").write_text("id,title,photos\n1,leather belt,front.jpg|back.jpg\n2,red handbag,\n3,,\n")
    (tmp_path / "listings.jsonl").write_text('{"id": "1", "title": "belt", "photos": ["front.jpg"]}\n')
    (tmp_path / "stock.csv").write_text("id,headline\nfront,leather belt\n")
    (tmp_path / "photos").mkdir()
    shutil.copy(tmp_path / "front.jpg", tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRODUCTCAT_BUNDLE", str(tiny_bundle))
    return tmp_path


@pytest.fixture
def run(workplace, capfd):
    """A function from arguments to (exit code, output, errors)."""
    assert workplace
    return runner(capfd)


def test_one_listing_gives_the_decision_and_the_best_categories_with_bars(run):
    code, output, errors = run("predict", "front.jpg", "back.jpg", "--title", "leather belt")
    assert (code, errors) == (0, "")
    decision, blank, *rows = output.splitlines()
    assert re.match(r"(Assign: Belts|Shortlist: |Abstain: )", decision)
    assert blank == ""
    shown = [row for row in rows if re.fullmatch(r"[ *] █*[▏▎▍▌▋▊▉]? +\d+\.\d %  \w+", row)]
    assert shown[0].endswith(" Belts")
    left = len(shop.CLASSES) - len(shown)
    assert rows[len(shown) :] == ([f"{'< 0.1 %':>34}  {left} other{'s' * (left > 1)}"] if left else [])


def test_json_gives_what_a_line_of_many_gives(run):
    code, output, _ = run("predict", "front.jpg", "--title", "belt", "--json")
    found = json.loads(output)
    assert code == 0
    assert list(found) == ["id", "decision", "category", "candidates", "problems"]
    _, lines, _ = run("predict", "--from", "listings.jsonl")
    assert json.loads(lines) == {**found, "id": "1"}


@pytest.mark.parametrize("title", ["", "😀😀", "   "])
def test_a_title_without_a_known_word_abstains_without_fuss(run, title):
    code, output, errors = run("predict", "--title", title, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(output)["decision"] == "abstain"


def test_a_listing_without_evidence_is_said_to_have_none(run):
    code, output, errors = run("predict", "--title", "")
    assert (code, errors) == (0, "")
    assert_says(output, "Abstain: no evidence")


def damaged(kind, folder):
    path = folder / f"{kind}.jpg"
    if kind == "truncated":
        path.write_bytes((folder / "front.jpg").read_bytes()[:700])
    elif kind == "bomb":
        Image.new("1", (10_000, 10_000)).save(path, "PNG")
    elif kind == "text":
        path.write_text("I am no photo")
    return path.name


UNREADABLE = {
    "truncated": "truncated.jpg: … decoded … damaged",
    "bomb": "bomb.jpg: … the limit is 64",
    "text": "text.jpg: not a JPEG, PNG, WebP",
    "missing": "missing.jpg: no such file",
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_photo_that_is_the_only_evidence_is_one_line(run, workplace, kind):
    code, output, errors = run("predict", damaged(kind, workplace))
    assert (code, output) == (console.UNUSABLE, "")
    assert_says(one_line(errors), UNREADABLE[kind])


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_photo_is_named_and_the_title_still_counts(run, workplace, kind):
    code, output, errors = run("predict", damaged(kind, workplace), "--title", "leather belt", "--json")
    assert code == console.SOME_BAD
    assert_says(one_line(errors), UNREADABLE[kind])
    assert json.loads(output)["problems"] == [one_line(errors)]
    assert json.loads(output)["candidates"][0]["category"] == "Belts"


def test_many_listings_give_a_line_each_in_order(run, workplace):
    assert run("predict", "--from", "listings.csv", "--to", "out.jsonl") == (0, "", "")
    lines = [json.loads(line) for line in (workplace / "out.jsonl").read_text().splitlines()]
    assert [each["id"] for each in lines] == ["1", "2", "3"]
    assert lines[2] == {"id": "3", "decision": "abstain", "category": None, "candidates": [], "problems": []}
    assert not (workplace / "out.jsonl.bad.jsonl").exists()


def test_a_table_without_rows_is_said_to_have_no_listing(run, workplace):
    (workplace / "listings.csv").write_text("id,title,photos\n")
    code, _, errors = run("predict", "--from", "listings.csv", "--to", "out.jsonl")
    assert code == 0
    assert_says(one_line(errors), "0 listings")
    assert (workplace / "out.jsonl").read_bytes() == b""


def test_argument_file_and_standard_input_agree(workplace):
    command = [*PROGRAM, "predict", "--from"]
    file = subprocess.run([*command, "listings.csv"], env=environment(), capture_output=True, check=True)
    with open(workplace / "listings.csv", "rb") as stream:
        piped = subprocess.run([*command, "-"], env=environment(), stdin=stream, capture_output=True, check=True)
    assert piped.stdout == file.stdout
    assert file.stdout.count(b"\n") == 3


def test_parquet_from_standard_input_is_refused_and_the_way_out_said(workplace):
    content = b"PAR1" + bytes(range(256))
    done = subprocess.run([*PROGRAM, "predict", "--from", "-"], env=environment(), input=content, capture_output=True)
    assert done.returncode == console.UNUSABLE
    assert_says(one_line(done.stderr.decode()), "Parquet … path … CSV")


def test_a_prediction_leaves_nothing_in_the_home_folder(workplace):
    """The runtime of networks would keep notes there, and send them to its makers."""
    home = workplace / "home"
    home.mkdir()
    variables = environment(HOME=str(home))
    variables.pop("ORT_DISABLE_TELEMETRY", None)  # this process has it from productcat
    command = [*PROGRAM, "predict", "--from", "listings.csv"]
    subprocess.run(command, env=variables, capture_output=True, check=True)
    assert list(home.rglob("*")) == []


def test_bad_rows_go_to_the_side_file_with_number_and_reason(run, workplace):
    with open(workplace / "listings.csv", "a") as stream:
        stream.write("1,again,\n5,too,many,fields\n6,,missing.jpg\n")
    code, _, errors = run("predict", "--from", "listings.csv", "--to", "out.jsonl")
    assert code == console.SOME_BAD
    assert_says(one_line(errors), "4 listings … ; 1 with problems … ; 2 bad rows … out.jsonl.bad.jsonl")
    bad = [json.loads(line) for line in (workplace / "out.jsonl.bad.jsonl").read_text().splitlines()]
    assert [each["row"] for each in bad] == [5, 6]
    assert_says(bad[0]["reason"], "'1' … row 2")
    assert_says(bad[1]["reason"], "4 fields instead of 3 … quotes")
    assert (bad[1]["row"], bad[1]["text"]) == (6, "5,too,many,fields")
    last = json.loads((workplace / "out.jsonl").read_text().splitlines()[-1])
    assert "missing.jpg: no such file" in last["problems"][0]


def test_bad_rows_are_told_on_standard_error_when_predictions_go_to_standard_output(run, workplace):
    (workplace / "listings.csv").write_text("id,title\n1,belt\n1,belt\n")
    code, output, errors = run("predict", "--from", "listings.csv", "--to", "-")
    assert (code, output.count("\n")) == (console.SOME_BAD, 1)
    assert_says(errors.splitlines()[0], "listings.csv, row 3: … '1' … row 2")
    assert run("predict", "--from", "listings.csv", "--bad", "bad.jsonl")[2].count("\n") == 1
    assert json.loads((workplace / "bad.jsonl").read_text())["row"] == 3


def test_a_side_file_of_another_run_is_refused(run, workplace):
    (workplace / "out.jsonl.bad.jsonl").write_text("")
    code, _, errors = run("predict", "--from", "listings.csv", "--to", "out.jsonl")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), "out.jsonl.bad.jsonl: exists … --bad")


def test_an_existing_output_is_refused_and_gone_on_with_when_asked(run, workplace):
    run("predict", "--from", "listings.csv", "--to", "out.jsonl")
    whole = (workplace / "out.jsonl").read_bytes()
    code, _, errors = run("predict", "--from", "listings.csv", "--to", "out.jsonl")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), "out.jsonl: exists … --resume")
    (workplace / "folder").mkdir()
    _, _, errors = run("predict", "--from", "listings.csv", "--to", "folder")
    assert_says(one_line(errors), "folder: … folder")
    (workplace / "out.jsonl").write_bytes(whole[:-20])
    assert run("predict", "--from", "listings.csv", "--to", "out.jsonl", "--resume")[0] == 0
    assert (workplace / "out.jsonl").read_bytes() == whole


def test_going_on_says_how_many_listings_have_changed_since(run, workplace):
    run("predict", "--from", "listings.csv", "--to", "out.jsonl")
    rows = (workplace / "listings.csv").read_text("utf-8").splitlines()
    (workplace / "listings.csv").write_text("\n".join([rows[0], rows[1].replace("belt", "handbag"), *rows[2:], ""]))
    code, _, errors = run("predict", "--from", "listings.csv", "--to", "out.jsonl", "--resume")
    assert code == console.FINE
    assert_says(one_line(errors), "out.jsonl: 1 listing changed since")
    run("predict", "--from", "listings.csv", "--to", "new.jsonl")
    assert (workplace / "out.jsonl").read_bytes() == (workplace / "new.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("predict", "PHOTO, --title or --from … --help"),
        ("predict --from listings.csv --title belt", "--title … --from … --help"),
        ("predict --from listings.csv --json", "--json … --from"),
        ("predict front.jpg --to out.jsonl", "--to … --from"),
        ("predict --from listings.csv --resume", "--resume … --to FILE"),
        ("predict --from listings.csv --columns titel=a", "--columns: 'titel=a' … role=name"),
        ("predict --from listings.csv --columns title=a,title=b", "--columns: title … twice"),
        ("predict --from listings.csv --columns photo_pattern=a.jpg", 'photo_pattern=a.jpg: … "{id}"'),
        (
            "predict --from listings.csv --format xlsx",
            "--format xlsx: … csv, jsonl",
        ),
        ("predict listings.csv", "listings.csv … photo … --from"),
        ("predict --nonsense", "--nonsense"),
    ],
)
def test_wrong_usage_is_one_line(run, arguments, message):
    code, output, errors = run(*arguments.split())
    assert (code, output) == (console.USAGE, "")
    assert_says(one_line(errors), message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("predict --from nothing.csv --to out.jsonl", "nothing.csv: no such file"),
        ("predict --from stock.csv --to out.jsonl", "stock.csv: no column 'title' … 'photos'"),
        ("predict --from stock.csv --to out.jsonl --columns title=name", "stock.csv: no column 'name' … id"),
        (
            "predict --from listings.csv --to nowhere/out.jsonl",
            "out.jsonl: … No such file or directory",
        ),
        ("predict --from listings.csv --to stock.csv/out.jsonl", "out.jsonl: … Not a directory"),
        ("predict --title belt --bundle nothing", "bundle nothing: … no such"),
        ("bundle show photos", "bundle photos: … manifest.json"),
    ],
)
def test_input_or_output_that_cannot_be_used_is_one_line_and_leaves_no_file(run, workplace, arguments, message):
    code, output, errors = run(*arguments.split())
    assert (code, output) == (console.UNUSABLE, "")
    assert_says(one_line(errors), message)
    assert not (workplace / "out.jsonl").exists()


def test_every_example_of_the_help_runs(run, workplace):
    lines = examples("predict")
    assert len(lines) == 7
    program = shlex.join(PROGRAM)
    for example in lines:
        if "|" in example:
            shell = example.replace("| productcat", f"| {program}")
            done = subprocess.run(shell, shell=True, env=environment(), cwd=workplace, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), example
            continue
        code, _, errors = run(*shlex.split(example)[1:])
        assert (code, errors) == (0, ""), example


def test_a_reader_that_closes_the_pipe_is_no_error_message(workplace):
    with open(workplace / "many.csv", "w") as stream:
        stream.write("id,title\n" + "".join(f"{number},leather belt\n" for number in range(3000)))
    command = [*PROGRAM, "predict", "--from", "many.csv"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == console.NOT_READ


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
@pytest.mark.parametrize("arguments", ["predict --title belt", "predict --from listings.csv", "--help"])
@pytest.mark.usefixtures("workplace")
def test_a_full_disk_under_standard_output_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, *arguments.split()], env=environment(), stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == console.UNUSABLE
    assert "No space left on device" in one_line(done.stderr)


def test_an_interrupted_run_says_how_to_go_on(workplace):
    """Standard input is kept open, so that the run waits for more when the interrupt comes."""
    command = [*PROGRAM, "predict", "--from", "-", "--to", "out.jsonl"]
    rows = "id,title\n" + "".join(f"{number},leather belt\n" for number in range(3000))
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def heed_interrupts():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell lets what it runs in the background ignore them

    with subprocess.Popen(command, env=environment(), preexec_fn=heed_interrupts, **pipes) as process:
        process.stdin.write(rows)
        process.stdin.flush()
        while process.poll() is None and not (workplace / "out.jsonl").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        process.stdin.close()
    assert process.returncode == console.INTERRUPTED
    assert_says(one_line(errors), "interrupted; … --resume")


def test_an_interrupt_while_a_compiled_module_is_imported_is_no_traceback(run, monkeypatch):
    def load(bundle):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise ImportError("initialization failed") from interrupt  # as ONNX Runtime does

    monkeypatch.setattr("productcat.categories.categorizer.Categorizer.load", load)
    code, output, errors = run("predict", "--title", "belt")
    assert (code, output) == (console.INTERRUPTED, "")
    assert_says(one_line(errors), "interrupted")


def test_an_emoji_survives_a_terminal_that_cannot_show_it(workplace):
    (workplace / "listings.csv").write_text("id,title\n👜,belt\n", "utf-8")
    command = [*PROGRAM, "predict", "--title", "belt 👜"]
    done = subprocess.run(
        command, env=environment(PYTHONIOENCODING="ascii"), capture_output=True, text=True, check=True
    )
    assert "Belts" in done.stdout
    assert done.stdout.isascii()


def test_a_column_that_may_have_photos_and_is_not_read_is_one_line(run, tmp_path):
    (tmp_path / "stock.csv").write_text("id,title,picture\n1,leather belt,1.jpg\n", "utf-8")
    code, _, errors = run("predict", "--from", f"{tmp_path / 'stock.csv'}", "--to", f"{tmp_path / 'out.jsonl'}")
    assert code == 0
    assert errors.count("\n") == 1
    assert errors.startswith("productcat: ")
    assert "column 'picture' is not read" in errors


def test_no_photo_outside_the_photo_root_is_opened(run, workplace):
    (workplace / "photos/new.csv").write_text("id,title,photos\n1,,front.jpg\n2,leather belt,../back.jpg\n", "utf-8")
    arguments = ("predict", "--from", "photos/new.csv", "--to", "-")
    code, output, _ = run(*arguments, "--photo-root", "photos")
    assert code == console.SOME_BAD
    mine, other = (json.loads(line) for line in output.splitlines())
    assert (mine["problems"], len(other["problems"])) == ([], 1)
    assert_says(other["problems"][0], "back.jpg: no such file below")
    assert run(*arguments)[0] == console.FINE
    assert_says(
        one_line(run("predict", "--title", "belt", "--photo-root", "photos")[2]), "--photo-root goes with --from"
    )
