"""What a bundle is, on one screen, for people who are about to use it. Prints nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from productcat.categories.bundle_parts import read_classes, read_rules
from productcat.categories.ensemble import MODALITY_NAMES, Modality
from productcat.cli.text import figure
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.models.bundle import Bundle
    from productcat.models.contents import Entries

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
    lines += [f"{name:18}{text}" for name, text in {**_facts(bundle), **_rules(bundle)}.items() if text]
    lines += _figures(bundle)
    lines += _files(bundle)
    return [*lines, "", f"The rest: {bundle.path / 'README.md'}, or all of it with --json"]


def _facts(bundle: Bundle) -> dict[str, str]:
    """Say what the bundle knows and what it was made from. → name → text, empty where there is nothing to say"""
    classes, _ = read_classes(bundle.contents())
    manifest = bundle.manifest
    origin = bundle.entries("trained_from") if "trained_from" in manifest else None
    splits = origin.object("listings") if origin and origin.has("listings") else None
    numbers = {split: splits.number(split, 0) for split in splits.entries} if splits else {}
    parts = {"image": "photos", "title": "titles", "duplicates": "duplicates"}
    return {
        "made": manifest.get("created", ""),
        "started from": origin.text("init_from") if origin and origin.has("init_from") else "",
        "listings": ", ".join(f"{number:,} {split}" for split, number in numbers.items()),
        "knows": ", ".join(text for part, text in parts.items() if bundle.has(part)),
        "classes": f"{len(classes):,}",
        "categories": _categories(bundle.entries("categories")) if manifest.get("categories") else "the classes",
        "calibrated on": _calibrated(bundle.entries("calibration")) if manifest.get("calibration") else "",
    }


def _categories(categories: Entries) -> str:
    added = categories.texts("that are no classes")
    return f"{categories.number('number', 0):,}" + (f", among them {', '.join(added)}" if added else "")


def _calibrated(calibration: Entries) -> str:
    return counted(int(calibration.number("listings", 0)), "listing")


def _rules(bundle: Bundle) -> dict[str, str]:
    """Say from which confidence each modality assigns. → modality in words → text"""
    rules = read_rules(bundle)
    kinds: tuple[Modality, ...] = tuple(MODALITY_NAMES) if "decision_rules_alone" in bundle.manifest else ("both",)
    said = "assigned from {assign_at:.1%}, shortlist from {shortlist_at:.1%}, of {shortlist_size} at most"
    return {MODALITY_NAMES[kind]: said.format(**asdict(rules[kind])).replace("%", " %") for kind in kinds}


def _figures(bundle: Bundle) -> list[str]:
    """Show what was measured on test, with a column for each modality; nothing where nothing was measured."""
    metrics = bundle.entries("metrics") if "metrics" in bundle.manifest else None
    test = metrics.object("test") if metrics and metrics.has("test") else None
    measured = {kind: test.object(kind) for kind in MODALITY_NAMES if test.has(kind)} if test else {}
    if not measured:
        return []
    of = "classes on test" if "categories" in bundle.manifest else "measured on test"
    lines = ["", f"{of:30}" + "".join(f"{MODALITY_NAMES[kind]:>18}" for kind in measured)]
    calibrated = "calibration" in bundle.manifest
    for key, (name, is_share) in FIGURES.items():
        if not calibrated or key not in UNCALIBRATED:
            values = (None if each.entries.get(key) is None else each.number(key) for each in measured.values())
            lines.append(f"{name:30}" + "".join(f"{figure(value, is_share):>18}" for value in values))
    return lines


def _files(bundle: Bundle) -> list[str]:
    """List the files that the manifest names, with their sizes and the bundle that lends them, if one does."""
    lent, lines = bundle.manifest.get("borrowed", {}), [""]
    for name in sorted(bundle.manifest["sha256"]):
        file, lender = bundle.file(name), lent.get(name.partition("/")[0], "").partition("/")[0]
        lines.append(f"{file.stat().st_size / 1e6:9.3f} MB  {name}" + (f", lent by {lender}" if lender else ""))
    return lines
