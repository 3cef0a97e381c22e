"""Kill a process that writes an index, again and again, and see whether the index is whole each time.

    python benchmarks/index_kill.py [--bundle BUNDLE] [--kills N] [--seed N] [--to JSON]

The writer adds, replaces and removes listings with made-up photos, and acknowledges each step. It is killed (`kill -9`)
at a random moment. After each kill the index must open and hold exactly what was acknowledged, or that and the whole
of the step that was under way. Until the kill this process reads from the index: each listing must be whole.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timing import write_figures

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.thumbnails import SIDE
from productcat.index.listing_index import ListingIndex

IDS, CHANGED, MOST_PHOTOS = 60, 8, 6
"""Listings that there may be, how many of them a step changes, and photos of a listing at most."""

LONGEST = 1.5
"""Seconds from the first acknowledgement to the kill, at most."""


def made_up(detector, id, step):
    """A listing as a step puts it, always the same; its thumbnails tell the step. → Embedding"""
    rng = np.random.default_rng([int(id), step])
    n_photos = int(rng.integers(1, MOST_PHOTOS + 1))
    widths = {name: len(level.background.mean) for name, level in detector.metric.levels.items()}
    features = {name: rng.integers(-127, 128, (n_photos, width)).astype(np.int8) for name, width in widths.items()}
    thumbnails = rng.integers(-127, 128, (n_photos, SIDE * SIDE)).astype(np.int8)
    thumbnails[:, :4] = np.array([step], np.int32).view(np.int8)
    return Embedding(id, features, thumbnails)


def change(step):
    """What a step does. → ids, and whether they are removed; else they are put in"""
    rng = random.Random(step)
    return [str(number) for number in rng.sample(range(IDS), CHANGED)], rng.random() < 0.2


def after(state, step):
    """What the index holds after one more step. state: dict, id → the step that put it in"""
    ids, removed = change(step)
    rest = {id: put for id, put in state.items() if id not in ids}
    return rest if removed else {**rest, **dict.fromkeys(ids, step)}


def write(path, detector, step):
    """What the process does that is killed: take steps and acknowledge each."""
    index = ListingIndex.open(path, detector)
    while True:
        ids, removed = change(step)
        if removed:
            index.remove(ids)
        else:
            index.add(made_up(detector, id, step) for id in ids)
        if step % 40 == 0:
            index.settle()
        print(step, flush=True)
        step += 1


def read(index):
    """What the index holds, as `after` has it. Exits when a listing is not whole."""
    state = {}
    for found in index.sample(IDS):
        step = int(found.thumbnails[0, :4].copy().view(np.int32)[0])
        expected = made_up(index.detector, found.id, step)
        same = [np.array_equal(found.features[name], part) for name, part in expected.features.items()]
        if not (all(same) and np.array_equal(found.thumbnails, expected.thumbnails)):
            sys.exit(f"listing {found.id} is not whole: {len(found)} photos, step {step} put {len(expected)}")
        state[found.id] = step
    return state


def kill_once(command, path, detector, seconds):
    """Start a writer, read what it writes, and kill it. → the last step that it acknowledged, how often was read"""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        said = writer.stdout.readline()
        if not said:
            sys.exit("the writer died before it was killed")
        index, end, readings = ListingIndex.open(path, detector), time.monotonic() + seconds, 0
        while time.monotonic() < end:
            read(index)
            readings += 1
        writer.kill()
        said += writer.stdout.read()
    return int(said.split()[-1]), readings


def kill_often(options, path):
    """→ dict of figures. Exits when the index is not what it must be."""
    detector, rng = DuplicateDetector.load(options.bundle), random.Random(options.seed)
    state, step, readings, under_way = {}, 0, 0, 0
    for number in range(options.kills):
        command = [sys.executable, __file__, "--bundle", options.bundle, "--write", str(path), "--step", str(step)]
        last, more = kill_once(command, path, detector, rng.uniform(0.0, LONGEST))
        for each in range(step, last + 1):
            state = after(state, each)
        found, step, readings = read(ListingIndex.open(path, detector)), last + 1, readings + more
        if found not in (state, after(state, step)):
            sys.exit(f"kill {number + 1}: after step {last} the index holds {found}, expected {state}")
        under_way += found != state
    return {"kills": options.kills, "steps": step, "done_but_not_acknowledged": under_way, "readings": readings}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="general", help="a bundle with a duplicates part (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=50, help="how often (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--step", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write, DuplicateDetector.load(options.bundle), options.step)
    with tempfile.TemporaryDirectory() as folder:
        figures = kill_often(options, Path(folder) / "index")
    print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in figures.items()))
    write_figures(figures, options.to)


if __name__ == "__main__":
    main()
