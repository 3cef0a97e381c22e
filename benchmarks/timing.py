"""Timing that the benchmarks share: rivals take turns; medians and ratios are printed and written as JSON."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

Measured = TypeVar("Measured")

LIBRARIES = (
    *("productcat", "numpy", "pillow", "onnxruntime", "keras", "tensorflow", "gensim", "lancedb", "usearch"),
    *("scikit-learn", "imagehash"),
)


def arguments(description: str, rounds: int, bundle: bool = True) -> argparse.ArgumentParser:
    """Make a parser with the options of every benchmark. bundle: whether the benchmark reads one."""
    parser = argparse.ArgumentParser(
        description=description.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    if bundle:
        parser.add_argument("--bundle", default="fashion", help="path of a bundle, or the name of a shipped one")
    parser.add_argument("--rounds", type=int, default=rounds, help="measurements of each rival, after one to warm up")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    return parser


def take_turns(rivals: Mapping[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """Measure rivals in the order A B A B …, so that a machine that slows down slows both.

    Parameters
    ----------
    rivals : dict, name → callable that returns one measurement
    rounds : int

    Returns
    -------
    dict, name → list of measurements, length rounds
        Without the first round, which only warms up.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name, measure in rivals.items():
            print(f"{name}: {'warm-up' if number == 0 else f'{number} of {rounds}'}", end="\r", file=sys.stderr)
            measured[name].append(measure())
            print(" " * 60, end="\r", file=sys.stderr)
    return {name: values[1:] for name, values in measured.items()}


def seconds(call: Callable[[], object]) -> float:
    """Return the wall-clock time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def run_process(command: Sequence[str | Path]) -> tuple[float, float]:
    """Run a program to its end.

    Returns
    -------
    (seconds, megabytes)
        Wall-clock time from start to exit, and the most memory that it held. Linux also counts the memory of the
        process that starts it, at the moment of starting. So this process must stay small: import nothing large here.
    """
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        complaint = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{complaint.decode()}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - started, usage.ru_maxrss * unit / 1e6


def compare(
    what: str, unit: str, measured: Mapping[str, Sequence[float]], more_is_better: bool = False
) -> dict[str, Any]:
    """Return medians of two rivals, ours first, and how many times better ours is.

    Returns
    -------
    dict with "what", "unit", "medians" (name → float), "all" (name → list) and "ratio"
    """
    medians = {name: statistics.median(values) for name, values in measured.items()}
    ours, theirs = medians.values()
    ratio = ours / theirs if more_is_better else theirs / ours
    rounded = {name: round(value, 4) for name, value in medians.items()}
    every = {name: [round(value, 4) for value in values] for name, values in measured.items()}
    return {"what": what, "unit": unit, "medians": rounded, "all": every, "ratio": round(ratio, 2)}


def report(comparisons: Sequence[dict[str, Any]], path: Path | None = None) -> None:
    """Print one line for each comparison; write them to a JSON file if a path is given."""
    for each in comparisons:
        medians = ", ".join(f"{name} {value:.4g}" for name, value in each["medians"].items())
        print(f"{each['what']} ({each['unit']}): {medians}; {each['ratio']:.1f} times better")
    write_figures({"comparisons": comparisons}, path)


def write_figures(figures: dict[str, Any], path: Path | None) -> None:
    """Write figures, after what they depend on, to a JSON file, if a path is given."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": machine(), **figures}, indent=1, ensure_ascii=False) + "\n", "utf-8")


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, system, versions."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cores": cores(),
        "system": platform.system(),
        "processor": processor(),
        "python": platform.python_version(),
        **versions,
    }


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor() -> str:
    """Return the processor's own name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
