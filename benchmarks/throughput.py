"""Photos per second through the image model, on one core and on all: the bundle's against `keras.Model.predict`.

Both take the same photos, of the bundle's size, in the same batches. Each rival runs in a process of its own, which
stays on its cores from the start. The processes take turns.
"""

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import Any

from timing import arguments, compare, cores, report, seconds, take_turns

PHOTOS_AT_ONCE = 64
BATCHES = 4
OURS, THEIRS = "productcat", "keras.Model.predict"


def main() -> None:
    """Measure and report; with --serve, run as one of the rivals."""
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--serve", nargs=2, metavar=("RIVAL", "CORES"), help="used by this program itself")
    options = parser.parse_args()
    if options.serve:
        return serve(options.bundle, options.serve[0], int(options.serve[1]))
    several = {1: "one core", cores(): f"all {cores()} cores"}
    found = [measure(options, number, words) for number, words in sorted(several.items())]
    report(found, options.to)


def measure(options: Namespace, n_cores: int, words: str) -> dict[str, Any]:
    """Start both rivals on some cores and let them take turns."""
    workers = {name: start(options.bundle, name, n_cores) for name in (OURS, THEIRS)}
    try:
        rivals = {name: partial(ask, worker) for name, worker in workers.items()}
        measured = take_turns(rivals, options.rounds)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    return compare(f"image model, {words}", "photos/s", measured, more_is_better=True)


def start(bundle: str, rival: str, n_cores: int) -> "subprocess.Popen[str]":
    """Start a process that answers each line with a rate."""
    command = [sys.executable, __file__, "--bundle", bundle, "--serve", rival, str(n_cores)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: "subprocess.Popen[str]") -> float:
    """Make one measurement: photos per second."""
    worker.stdin.write("\n")
    worker.stdin.flush()
    return json.loads(worker.stdout.readline())


def serve(bundle: str, rival: str, n_cores: int) -> None:
    """Run as a rival: for each line that comes in, time some batches."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n_cores])
    run, size = productcat_model(bundle) if rival == OURS else keras_model(bundle, n_cores)
    import numpy as np

    photos = np.random.default_rng(0).integers(0, 256, (PHOTOS_AT_ONCE * BATCHES, *size, 3), dtype=np.uint8)
    for _ in sys.stdin:
        print(json.dumps(len(photos) / seconds(lambda: run(photos))), flush=True)


def productcat_model(bundle: str) -> tuple[Callable[[Any], object], tuple[int, int]]:
    """Return what runs a bundle's image model, on as many threads as there are cores. → callable, photo size"""
    from productcat.models.bundle import Bundle
    from productcat.models.image_model import ImageModel

    model = ImageModel.load(Bundle.open(bundle).part("image"))
    return lambda photos: [
        model.run(photos[i : i + PHOTOS_AT_ONCE]) for i in range(0, len(photos), PHOTOS_AT_ONCE)
    ], model.size


def keras_model(bundle: str, n_cores: int) -> tuple[Callable[[Any], object], tuple[int, int]]:
    """Return what runs the same network in Keras. → callable, photo size"""
    import tensorflow
    from keras_way import build

    from productcat.models.bundle import Bundle

    tensorflow.config.threading.set_intra_op_parallelism_threads(n_cores)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    opened = Bundle.open(bundle)
    size = tuple(opened.read_json("image/settings.json")["photo_size"])
    model = build(*size, len(opened.read_json("classes.json")))
    return lambda photos: model.predict(photos, batch_size=PHOTOS_AT_ONCE, verbose=0), size


if __name__ == "__main__":
    main()
