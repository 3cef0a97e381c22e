"""`python docs/figures.py` writes every figure of README.md and docs/ from the files that commands have stored.

A block of figures stands between `<!-- figures: NAME -->` and `<!-- end -->`; `figures_*.py` say how each is made.
`--check` writes nothing, names the blocks that differ from the files, and leaves with exit code 1 if there are any.
"""

import argparse
import re
import sys
from pathlib import Path

import figures_categories as categories
import figures_claims as claims
import figures_duplicates as duplicates
import figures_speed as speed
import figures_training as training

ROOT = Path(__file__).parent.parent
FIGURES = {
    "claims": claims.claims,
    "fashion-splits": categories.fashion_splits,
    "fashion-decisions": categories.fashion_decisions,
    "fashion-groups": categories.fashion_groups,
    "fashion-hardest": categories.fashion_hardest,
    "fashion-parts": categories.fashion_parts,
    "few-shot": categories.few_shot,
    "added-classes": categories.added_classes,
    "calibration-gain": categories.calibration_gain,
    "rivals-categories": categories.rivals,
    "duplicates-unseen-items": duplicates.unseen_items,
    "duplicates-unseen-domains": duplicates.unseen_domains,
    "duplicates-domains": duplicates.duplicates_domains,
    "duplicates-catalogues": duplicates.duplicates_catalogues,
    "copies": duplicates.copies,
    "whole-catalogues": duplicates.whole_catalogues,
    "rivals-duplicates": duplicates.rivals,
    "timings": speed.timings,
    "catalogue": speed.catalogue,
    "index": speed.index,
    "index-kill": speed.index_kill,
    "start": speed.start,
    "bundles": speed.bundles,
    "transfer": training.transfer,
    "backbones": training.backbones,
}
"""Blocks by name."""

BLOCK = re.compile(r"^<!-- figures: (?P<name>[\w-]+) -->\n(?P<text>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)


def main():
    """Write the figures, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if something is stale")
    options = parser.parse_args()
    if options.check:
        found = [f"{path.relative_to(ROOT)}: {name}" for path in documents() for name in stale(path.read_text("utf-8"))]
        sys.exit("\n".join(["stale, run python docs/figures.py:", *found]) if found else 0)
    for path in documents():
        text = path.read_text("utf-8")
        if names := stale(text):
            path.write_text(rendered(text), "utf-8")
            print(f"{path.relative_to(ROOT)}: {', '.join(names)}")


def documents():
    """README.md, training/README.md and the pages of docs/. → list of pathlib.Path"""
    return [ROOT / "README.md", ROOT / "training/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def rendered(text):
    """A document with all its blocks as the files have them now."""
    return BLOCK.sub(lambda block: f"<!-- figures: {block['name']} -->\n{made(block['name'])}<!-- end -->", text)


def stale(text):
    """The names of the blocks of a document that differ from the files. → list of str"""
    return [block["name"] for block in BLOCK.finditer(text) if block["text"] != made(block["name"])]


def made(name):
    """The text of a block."""
    if name not in FIGURES:
        sys.exit(f"figures: {name}: no such block; docs/figures.py has {', '.join(FIGURES)}")
    return f"\n{FIGURES[name]().strip()}\n\n"


if __name__ == "__main__":
    main()
