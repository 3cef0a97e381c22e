"""Kill a process that writes an index, again and again, and check that the index is whole each time.

    python benchmarks/index_kill.py [--bundle BUNDLE] [--kills N] [--seed N] [--to JSON]

The writer adds, replaces and removes listings with made-up photos, and acknowledges each step. It is killed (`kill -9`)
at a random moment. After each kill the index must open and hold exactly what was acknowledged, perhaps with the whole
of the step that was running. Until the kill this process reads from the index: each listing must be whole.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from timing import write_figures

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.thumbnails import LENGTH
from productcat.index.listing_index import ListingIndex

IDS = 60
"""Number of different listings."""

CHANGED = 8
"""Number of listings that a step changes."""

MOST_PHOTOS = 6
"""Number of photos of a listing, at most."""

LONGEST = 1.5
"""Number of seconds from the first acknowledgement to the kill, at most."""

State = dict[str, int]
"""What an index holds: id → the step that added the listing."""


def made_up(detector: DuplicateDetector, id: str, step: int) -> Embedding:
    """Make a listing as a step adds it, always the same; its thumbnails tell the step."""
    rng = np.random.default_rng([int(id), step])
    n_photos = int(rng.integers(1, MOST_PHOTOS + 1))
    widths = {name: len(level.background.mean) for name, level in detector.metric.levels.items()}
    features = {name: rng.integers(-127, 128, (n_photos, width)).astype(np.int8) for name, width in widths.items()}
    thumbnails = rng.integers(-127, 128, (n_photos, LENGTH)).astype(np.int8)
    thumbnails[:, :4] = np.array([step], np.int32).view(np.int8)
    return Embedding(id, features, thumbnails)


def change(step: int) -> tuple[list[str], bool]:
    """Return what a step does: ids, and whether they are removed; otherwise they are added."""
    rng = random.Random(step)
    return [str(number) for number in rng.sample(range(IDS), CHANGED)], rng.random() < 0.2


def after(state: State, step: int) -> State:
    """Return what the index holds after one more step."""
    ids, removed = change(step)
    rest = {id: added for id, added in state.items() if id not in ids}
    return rest if removed else {**rest, **dict.fromkeys(ids, step)}


def write(path: Path, detector: DuplicateDetector, step: int) -> NoReturn:
    """Take steps and acknowledge each, until the process is killed."""
    index = ListingIndex.open(path, detector)
    while True:
        ids, removed = change(step)
        if removed:
            index.remove(ids)
        else:
            index.add(made_up(detector, id, step) for id in ids)
        if step % 40 == 0:
            index.tidy()
        print(step, flush=True)
        step += 1


def read(index: ListingIndex) -> State:
    """Read what the index holds. Exits if a listing is not whole."""
    state = {}
    for found in index.sample(IDS):
        step = int(found.thumbnails[0, :4].copy().view(np.int32)[0])
        expected = made_up(index.detector, found.id, step)
        same = [np.array_equal(found.features[name], part) for name, part in expected.features.items()]
        if not (all(same) and np.array_equal(found.thumbnails, expected.thumbnails)):
            sys.exit(f"listing {found.id} is not whole: {len(found)} photos, step {step} added {len(expected)}")
        state[found.id] = step
    return state


def kill_once(command: Sequence[str], path: Path, detector: DuplicateDetector, seconds: float) -> tuple[int, int]:
    """Start a writer, read what it writes, and kill it. → last step that it acknowledged, number of readings"""
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


def kill_often(options: argparse.Namespace, path: Path) -> dict[str, Any]:
    """Kill writers. → figures. Exits if the index is not what it must be."""
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


def main() -> None:
    """Kill, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="general", help="a bundle with a duplicates part (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=50, help="how often (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default: %(default)s)")
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
