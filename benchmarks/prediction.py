"""One prediction from a cold start: time and memory, against Keras and gensim; and the time to import.

Each measurement is a whole process, as a shell starts it. The Keras way loads the same network (ResNet50, the bundle's
photo size and number of classes) from a `.keras` file and averages it with gensim word vectors of the title.
"""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from timing import arguments, compare, report, run_process, take_turns

HERE = Path(__file__).parent
PHOTO, TITLE = HERE.parent / "data/samples/images/31717.jpg", "gold earrings"
PRODUCTCAT = [sys.executable, "-c", "from productcat.cli.app import main; main()"]
KERAS_WAY = [sys.executable, HERE / "keras_way.py"]
OURS, THEIRS = "productcat", "Keras and gensim"


def cold_predictions(bundle: str, rounds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure both ways. → comparison of seconds, comparison of megabytes"""
    from productcat.models.bundle import Bundle

    opened = Bundle.open(bundle)
    size = map(str, opened.read_json("image/settings.json")["photo_size"])
    ours = [*PRODUCTCAT, "predict", PHOTO, "--title", TITLE, "--bundle", opened.path]
    with tempfile.TemporaryDirectory() as folder:
        run_process([*KERAS_WAY, "make", folder, *size, str(len(opened.read_json("classes.json")))])
        theirs = [*KERAS_WAY, "predict", folder, PHOTO, TITLE]
        measured = take_turns({OURS: partial(run_process, ours), THEIRS: partial(run_process, theirs)}, rounds)
    spent, held = ({name: [pair[i] for pair in pairs] for name, pairs in measured.items()} for i in (0, 1))
    return compare("cold prediction, photo and title", "s", spent), compare("peak memory of it", "MB", held)


def import_seconds(package: str) -> float:
    """Return the time that one import takes in a new process."""
    code = f"import time; started = time.perf_counter(); import {package}; print(time.perf_counter() - started)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def imports(rounds: int) -> dict[str, Any]:
    """Measure both imports. → comparison of seconds"""
    rivals = {f"import {each}": partial(import_seconds, each) for each in ("productcat", "keras")}
    return compare("time to import", "s", take_turns(rivals, rounds))


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=5).parse_args()
    report([*cold_predictions(options.bundle, options.rounds), imports(options.rounds)], options.to)


if __name__ == "__main__":
    main()
