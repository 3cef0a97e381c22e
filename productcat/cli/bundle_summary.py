"""What a bundle is, on one screen, for people who are about to use it. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from productcat.categories.ensemble import MODALITY_NAMES
from productcat.cli.text import figure
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.models.bundle import Bundle

FIGURES = {
    "top1": ("right class first", True),
    "top5": ("among the first five", True),
    "macro_f1": ("macro-F1", False),
    "expected_calibration_error": ("expected calibration error", False),
    "coverage_at_99_precision": ("assignable at 99 % precision", True),
}
"""Names of the figures on test that are shown, and whether they are shares."""

UNCALIBRATED = "expected_calibration_error", "coverage_at_99_precision"
"""Figures that a later calibration has changed, so they are not shown after one."""


def bundle_lines(bundle: Bundle) -> list[str]:
    """Show a bundle's name and description, facts, decision rules, figures on test, and files with their sizes."""
    manifest = bundle.manifest
    lines = [f"{manifest.get('name', 'unnamed')}: {bundle.path}", "", *manifest.get("description", "").splitlines(), ""]
    lines += [f"{name:18}{text}" for name, text in {**_facts(bundle), **_rules(manifest)}.items() if text]
    lines += _figures(manifest)
    lines += _files(bundle)
    return [*lines, "", f"The rest: {bundle.path / 'README.md'}, or all of it with --json"]


def _facts(bundle: Bundle) -> dict[str, str]:
    """Say what the bundle knows and what it was made from. → name → text, empty where there is nothing to say"""
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


def _categories(categories: Mapping[str, Any]) -> str:
    added = categories["that are no classes"]
    return f"{categories['number']:,}" + (f", among them {', '.join(added)}" if added else "")


def _rules(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Say from which confidence each modality assigns. → modality in words → text"""
    rules = {"both": manifest["decision_rule"]} | manifest.get("decision_rules_alone", {})
    said = "assigned from {assign_at:.1%}, shortlist from {shortlist_at:.1%}, of {shortlist_size} at most"
    return {MODALITY_NAMES[kind]: said.format(**rule).replace("%", " %") for kind, rule in rules.items()}


def _figures(manifest: Mapping[str, Any]) -> list[str]:
    """Show what was measured on test, with a column for each modality; nothing where nothing was measured."""
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


def _files(bundle: Bundle) -> list[str]:
    """List the files that the manifest names, with their sizes and the bundle that lends them, if one does."""
    lent, lines = bundle.manifest.get("borrowed", {}), [""]
    for name in sorted(bundle.manifest["sha256"]):
        file, lender = bundle.file(name), lent.get(name.partition("/")[0], "").partition("/")[0]
        lines.append(f"{file.stat().st_size / 1e6:9.3f} MB  {name}" + (f", lent by {lender}" if lender else ""))
    return lines
