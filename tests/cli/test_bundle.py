"""What a person sees of a bundle in a shell: what it is, and whether it is sound."""

import json
import re
import shlex
import shutil

import pytest
from commands import assert_says, examples, one_line, runner
from resealed import forge, own_network, resealed

from productcat.categories.categorizer import Categorizer
from productcat.cli import console
from productcat.models.bundle import Bundle, write_bundle


@pytest.fixture
def run(tiny_bundle, tmp_path, monkeypatch, capfd):
    """A function from arguments to (exit code, output, errors), in a folder with the bundle `my-bundle`."""
    shutil.copytree(tiny_bundle, tmp_path / "my-bundle")
    monkeypatch.chdir(tmp_path)
    return runner(capfd)


def change_one_byte(bundle):
    path = bundle / "classes.json"
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(bytes(content))


def facts(output):
    """The lines of a name and a text. → dict"""
    return dict(re.findall(r"^(\S.{0,16}\S)  +(\S.*)$", output, re.MULTILINE))


def test_a_bundle_with_one_changed_byte_is_refused_with_the_file_named(run, tmp_path):
    change_one_byte(tmp_path / "my-bundle")
    code, output, errors = run("predict", "--title", "belt", "--bundle", "my-bundle")
    assert (code, output) == (console.UNUSABLE, "")
    assert_says(one_line(errors), "classes.json … changed")


def test_verify_tells_a_sound_bundle_and_each_problem_of_another(run, tmp_path):
    code, output, _ = run("bundle", "verify", "my-bundle")
    assert code == 0
    assert re.fullmatch(r"my-bundle: sound, \d+ .*\n", output)
    change_one_byte(tmp_path / "my-bundle")
    (tmp_path / "my-bundle/image/model.onnx").unlink()
    code, output, _ = run("bundle", "verify", "my-bundle")
    assert code == console.UNUSABLE
    assert [line.split()[0] for line in output.splitlines()] == ["classes.json", "image/model.onnx"]


def test_verify_finds_what_is_wrong_inside_a_bundle_whose_seal_fits(run, tmp_path):
    resealed("my-bundle", tmp_path / "no-classes", {"classes.json": b"[]"})
    resealed("my-bundle", tmp_path / "no-network", {"image/model.onnx": own_network(b"Nonsense")})
    for name, said in {"no-classes": "classes.json", "no-network": "model.onnx … cannot be opened"}.items():
        code, output, errors = run("bundle", "verify", name)
        assert (code, output) == (console.UNUSABLE, "")
        assert_says(one_line(errors), said)


@pytest.mark.parametrize(
    "changes",
    [
        {"decision_rule": None},
        {"decision_rule": {}},
        {"metrics": {"test": [1]}},
        {"metrics": {"test": {"both": 7}}},
        {"metrics": {"test": {"both": {"top1": "a"}}}},
        {"trained_from": {"listings": 7}},
        {"trained_from": {"listings": {"train": "many"}}},
        {"categories": {"number": "a", "that are no classes": []}},
        {"categories": {"number": 1}},
        {"calibration": {"listings": None}},
    ],
    ids=str,
)
def test_show_names_an_entry_that_it_cannot_show(run, tmp_path, changes):
    forge(tmp_path / "my-bundle", **changes)
    code, _, errors = run("bundle", "show", "my-bundle")
    assert code == console.UNUSABLE
    assert_says(one_line(errors), f"my-bundle: … {next(iter(changes))}")


def test_show_says_what_a_bundle_knows_and_from_where_it_assigns(run):
    code, output, _ = run("bundle", "show", "my-bundle")
    assert code == 0
    assert output.startswith("shop: my-bundle\n\nThree classes of a shop that does not exist.\n\n")
    found = facts(output)
    assert (found["knows"], found["classes"], found["categories"]) == ("photos, titles", "3", "the classes")
    assert found["photos and title"] == "assigned from 90.0 %, shortlist from 50.0 %, of 5 at most"
    assert re.search(r"^ +\d+\.\d{3} MB  image/model\.onnx$", output, re.MULTILINE)
    assert "measured" not in output


def test_show_prints_the_manifest_as_it_is(run, tmp_path):
    code, output, _ = run("bundle", "show", "my-bundle", "--json")
    assert code == 0
    assert json.loads(output) == json.loads((tmp_path / "my-bundle/manifest.json").read_text())


def test_show_names_categories_that_were_added(run):
    categorizer = Categorizer.load("my-bundle")
    categorizer.add_category("Tents", description="red leather tent")
    categorizer.remove_category("Belts")
    categorizer.save("changed")
    assert facts(run("bundle", "show", "changed")[1])["categories"] == "3, among them Tents"


def test_show_has_the_figures_of_each_kind_of_evidence(run):
    measured = {
        "top1": 0.9372,
        "top5": 1.0,
        "macro_f1": 0.8126,
        "expected_calibration_error": 0.0123,
        "coverage_at_99_precision": 0.5,
    }
    opened = Bundle.open("my-bundle")
    figures = {"metrics": {"test": {"photos": measured, "both": measured | {"top1": 0.9781}, "listings": 7}}}
    write_bundle("measured", opened.manifest | figures, opened.copy_files)
    table = run("bundle", "show", "measured")[1].partition("\n\nmeasured on test  ")[2].splitlines()
    assert table[0].split("  ")[-1].strip() == "photos alone"
    assert [line.split()[-4:] for line in table[1:3]] == [["97.8", "%", "93.7", "%"], ["100.0", "%", "100.0", "%"]]
    assert [line.split()[-1] for line in table[3:5]] == ["0.813", "0.012"]


def test_show_leaves_out_what_a_calibration_has_changed(run):
    opened = Bundle.open("my-bundle")
    measured = {"top1": 0.9, "top5": 1.0, "macro_f1": 0.8}
    figures = {"metrics": {"test": {"both": measured}}, "calibration": {"listings": 200}}
    write_bundle("calibrated", opened.manifest | figures, opened.copy_files)
    output = run("bundle", "show", "calibrated")[1]
    assert facts(output)["calibrated on"] == "200 listings"
    assert "right class first" in output
    assert "calibration error" not in output


def test_of_a_damaged_bundle_the_manifest_can_be_shown(run, tmp_path):
    (tmp_path / "my-bundle/classes.json").unlink()
    code, output, errors = run("bundle", "show", "my-bundle")
    assert (code, output) == (console.UNUSABLE, "")
    assert_says(one_line(errors), "classes.json … missing")
    assert run("bundle", "show", "my-bundle", "--json")[0] == 0


def test_what_another_bundle_lends_is_named(run):
    assert "features/model.onnx, lent by general\n" in run("bundle", "show", "fashion")[1]


def test_every_example_of_the_help_runs(run):
    lines = examples("bundle show", "bundle verify")
    assert len(lines) == 4
    for example in lines:
        code, _, errors = run(*shlex.split(example)[1:])
        assert (code, errors) == (0, ""), example
