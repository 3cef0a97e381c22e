"""What a bundle is, on one screen: for people who are about to use it. Prints nothing."""

from productcat.categories.ensemble import MODALITY_NAMES
from productcat.cli.text import figure
from productcat.wording import counted

FIGURES = {
    "top1": ("right class first", True),
    "top5": ("among the first five", True),
    "macro_f1": ("macro-F1", False),
    "expected_calibration_error": ("expected calibration error", False),
    "coverage_at_99_precision": ("assignable at 99 % precision", True),
}
"""What is shown of the figures on test: their names, and whether they are shares."""

UNCALIBRATED = "expected_calibration_error", "coverage_at_99_precision"
"""Those that a calibration on other listings has changed."""


def bundle_lines(bundle):
    """Name and description, what it knows and from where it assigns, its figures on test, its files with their sizes.

    bundle : productcat.models.bundle.Bundle → list of str
    """
    manifest = bundle.manifest
    lines = [f"{manifest.get('name', 'unnamed')}: {bundle.path}", "", *manifest.get("description", "").splitlines(), ""]
    lines += [f"{name:18}{text}" for name, text in {**_facts(bundle), **_rules(manifest)}.items() if text]
    lines += _figures(manifest)
    lines += _files(bundle)
    return [*lines, "", f"The rest: {bundle.path / 'README.md'}, or all of it with --json"]


def _facts(bundle):
    """What the bundle knows and what it was made from. → dict, name → text, empty where there is nothing to say"""
    manifest, classes = bundle.manifest, bundle.read_json("classes.json")
    categories, calibration = manifest.get("categories"), manifest.get("calibration")
    origin = manifest.get("trained_from", {})
    parts = {"image": "photos", "title": "titles", "duplicates": "duplicates"}
    return {
        "made": manifest.get("created", ""),
        "started from": origin.get("init_from", ""),
        "listings": ", ".join(f"{number:,} {split}" for split, number in origin.get("listings", {}).items()),
        "knows": ", ".join(text for part, text in parts.items() if bundle.has(part)),
        "classes": f"{len(classes):,}",
        "categories": _categories(categories) if categories else "the classes",
        "calibrated on": counted(calibration["listings"], "listing") if calibration else "",
    }


def _categories(counted_and_named):
    added = counted_and_named["that are no classes"]
    return f"{counted_and_named['number']:,}" + (f", among them {', '.join(added)}" if added else "")


def _rules(manifest):
    """From where each kind of evidence assigns. → dict, kind in words → text"""
    rules = {"both": manifest["decision_rule"]} | manifest.get("decision_rules_alone", {})
    said = "assigned from {assign_at:.1%}, shortlist from {shortlist_at:.1%}, of {shortlist_size} at most"
    return {MODALITY_NAMES[kind]: said.format(**rule).replace("%", " %") for kind, rule in rules.items()}


def _figures(manifest):
    """A table of what was measured on test, each kind of evidence in a column; empty where nothing was."""
    measured = manifest.get("metrics", {}).get("test", {})
    kinds = [kind for kind in MODALITY_NAMES if kind in measured]
    if not kinds:
        return []
    of = "classes on test" if "categories" in manifest else "measured on test"
    lines = ["", f"{of:30}" + "".join(f"{MODALITY_NAMES[kind]:>18}" for kind in kinds)]
    shown = {key: each for key, each in FIGURES.items() if "calibration" not in manifest or key not in UNCALIBRATED}
    for key, (name, is_share) in shown.items():
        lines.append(f"{name:30}" + "".join(f"{figure(measured[kind][key], is_share):>18}" for kind in kinds))
    return lines


def _files(bundle):
    """The files that the manifest names, with their sizes, and those that another bundle lends."""
    lent, lines = bundle.manifest.get("borrowed", {}), [""]
    for name in sorted(bundle.manifest["sha256"]):
        file, lender = bundle.file(name), lent.get(name.partition("/")[0], "").partition("/")[0]
        lines.append(f"{file.stat().st_size / 1e6:9.3f} MB  {name}" + (f", lent by {lender}" if lender else ""))
    return lines
