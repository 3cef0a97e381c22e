"""python worker.py LISTINGS > predictions.jsonl: a process for each core."""

import json
import multiprocessing
import os
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import islice

from productcat import Categorizer, ProductcatError, read_listings

BATCH = 64
categorizer = None


def start(cores):
    """Runs once in each process: keep to one core, and load the bundle."""
    global categorizer
    os.sched_setaffinity(0, {cores.get()})  # Linux; ONNX Runtime then starts one thread
    categorizer = Categorizer.load(os.environ.get("PRODUCTCAT_BUNDLE"))


def work(batch):
    """One batch of listings → what is written of each."""
    return [asdict(each) for each in categorizer.predict(batch)]


def predicted(listings, pool, ahead):
    """Results in order; never more than `ahead` batches are in memory."""
    waiting, listings = deque(), iter(listings)
    while batch := list(islice(listings, BATCH)):
        waiting.append(pool.submit(work, batch))
        if len(waiting) == ahead:
            yield from waiting.popleft().result()
    for future in waiting:
        yield from future.result()


def tell(bad):
    """Say which row is no listing, and why."""
    print(f"row {bad.number}: {bad.reason}", file=sys.stderr)


def main():
    """Read, predict, write."""
    listings = read_listings(sys.argv[1], on_bad=tell)
    context = multiprocessing.get_context("spawn")  # a forked copy of an open network does not work
    cores, free = sorted(os.sched_getaffinity(0)), context.Queue()
    for core in cores:
        free.put(core)
    with ProcessPoolExecutor(len(cores), context, start, (free,)) as pool:
        for found in predicted(listings, pool, 3 * len(cores)):
            print(json.dumps(found))


if __name__ == "__main__":
    try:
        main()
    except ProductcatError as error:
        sys.exit(f"{error}")
