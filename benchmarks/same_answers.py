"""Compare the answers of two checkouts: `python benchmarks/same_answers.py OLD_CHECKOUT` (against this one).

Each checkout runs the same commands and the same lines of Python on this checkout's `data/samples`, in a folder of its
own. Compared byte by byte are files, exit codes, what is printed on both streams, and arrays. Of manifests and metrics
the time of creation, the versions and the checksums that follow from them are left out. An index on disk is not
compared, because its files have random names, nor what `--resume` needs, which has times of files. The exit code is 1
where something differs.
"""

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parents[1]
SAMPLES = HERE / "data/samples"

COMMANDS = {
    "predict": "predict --from {table} --to predictions.jsonl",
    "predict, general": "predict --from {table} --to general.jsonl --bundle general",
    "predict, one": "predict {photo} --title boots --json",
    "predict, no photo": "predict missing.jpg --title boots --json",
    "predict, folders": "predict --from {samples} --to folders.jsonl --format folders",
    "find": "duplicates find {table} --to pairs.csv --html duplicates.html",
    "compare": "duplicates compare {photo} --with {other} --json",
    "evaluate": "evaluate {table} --to report",
    "evaluate pairs": "duplicates evaluate labelled.csv --listings {table} --to pair-report",
    "calibrate": "calibrate {table} --to calibrated --precision 0.98 --json",
    "categories": "categories replace categories.toml --to categories --bundle general",
    "predict, categories": "predict --from {table} --to categories.jsonl --bundle categories",
    "index add": "index add catalogue --from {table}",
    "index search": "index search catalogue {photo} --json",
}

ARRAYS = """
import hashlib, sys
import numpy as np
from productcat import Categorizer, DuplicateDetector, Listing, read_listings
listings = list(read_listings(sys.argv[1]))
def tell(name, array):
    print(name, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest())
for bundle in (None, "general"):
    categorizer = Categorizer.load(bundle)
    for use in ("photos", "title", "both"):
        tell(f"{bundle} distributions {use}", categorizer.class_distributions(listings, use))
    categorizer.add_category("things", listings[:3])
    tell(f"{bundle} confidences", categorizer.predict_proba(listings))
detector = DuplicateDetector.load()
seen = detector.embed(listings)
tell("thumbnails", np.concatenate([each.thumbnails for each in seen]))
for level in seen[0].features:
    tell(level, np.concatenate([each.features[level] for each in seen]))
for problem in categorizer.predict([Listing(title="boots", photos=["missing.jpg"])])[0].problems:
    tell(problem, np.zeros(1))
tell("scores", detector.score_matrix(seen[:80], seen[80:160]))
tell("scores, adapted", detector.adapt(seen).score_matrix(seen[:80], seen[:80]))
"""

CATEGORIES = """
[[category]]
name = "shoes"
[[category]]
name = "watches"
photos = ["{photo}"]
[[category]]
name = "shirts"
titles = ["blue shirt", "men white shirt"]
"""

NOT_COMPARED = {"samples", "catalogue"}
"""Folders: the input, and the index."""

OF_ITS_TIME = {"created", "versions", "seal", "sha256", "bytes", "productcat"}
"""Entries of manifests and metrics that differ from run to run, or from version to version."""


def main():
    """Compare, and print a line for each thing that was compared."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT")
    old, new = (run(checkout.resolve()) for checkout in (parser.parse_args().old, HERE))
    different = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    for name in sorted({*old, *new}):
        print("DIFFERENT" if name in different else "same", name, old.get(name, "-")[:12], new.get(name, "-")[:12])
    sys.exit(f"{len(different)} of {len({*old, *new})} differ" if different else 0)


def run(checkout):
    """What a checkout answers. → dict, what → its sha256"""
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples"  # as the same relative path, so that reports do not differ by it
        samples.symlink_to(SAMPLES)
        photos = sorted((SAMPLES / "images").glob("*.jpg"))
        names = {"table": "samples/styles.csv", "samples": "samples"}
        names |= {"photo": f"samples/images/{photos[0].name}", "other": f"samples/images/{photos[1].name}"}
        (Path(folder) / "categories.toml").write_text(CATEGORIES.format(**names), "utf-8")
        write_pairs(Path(folder) / "labelled.csv")
        found = {}
        for name, command in COMMANDS.items():
            words = [sys.executable, "-m", "productcat.cli", *command.format(**names).split()]
            found[f"printed: {name}"] = answered(words, checkout, folder)
        arrays = answered([sys.executable, "-c", ARRAYS, names["table"]], checkout, folder, text=True)
        found |= {f"array: {line.rpartition(' ')[0]}": line.rpartition(" ")[2] for line in arrays.splitlines()}
        for path in sorted(Path(folder).rglob("*")):
            relative = path.relative_to(folder)
            if path.is_file() and path.suffix != ".resume" and not set(relative.parts) & NOT_COMPARED:
                found[f"file: {relative}"] = hashlib.sha256(content(path)).hexdigest()
        return found


def content(path):
    """What of a file is compared."""
    if path.name not in ("manifest.json", "metrics.json"):
        return path.read_bytes()
    found = json.loads(path.read_text("utf-8"))
    return json.dumps({key: value for key, value in found.items() if key not in OF_ITS_TIME}).encode()


def answered(words, checkout, folder, text=False):
    """What a program prints, or its sha256; a failure ends the comparison."""
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, "PYTHONPATH": str(checkout)}, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{checkout}: {' '.join(words)}\n{done.stderr}")
    if text:
        return done.stdout
    return hashlib.sha256(f"{done.returncode}\n{done.stdout}\n{done.stderr}".encode()).hexdigest()


def write_pairs(path):
    """Neighbours in the table as labelled pairs: the same article or another one."""
    with open(SAMPLES / "styles.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    lines = [
        f"{one['id']},{other['id']},{int(one['articleType'] == other['articleType'])}" for one, other in pairwise(rows)
    ]
    path.write_text("\n".join(["left,right,label", *lines]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
