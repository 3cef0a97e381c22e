"""Installing into a new virtual environment: megabytes on disk and seconds, against the packages of the Keras way.

After the first round the packages are in pip's cache, so the seconds are those of unpacking, not of the network.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from timing import arguments, compare, report, seconds, take_turns

ROOT = Path(__file__).parent.parent
RIVALS: dict[str, list[str | Path]] = {
    "productcat": [ROOT],
    "TensorFlow, Keras and gensim": ["tensorflow", "keras", "gensim", "pillow"],
}


def installed(packages: Sequence[str | Path]) -> tuple[float, float]:
    """Install into a new environment. → seconds, megabytes (with those of the environment itself)"""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # Without --no-compile the bytecode would count too, which is otherwise written at the first import.
        command = [Path(folder) / "bin/pip", "install", "--quiet", "--no-compile", *packages]
        spent = seconds(lambda: subprocess.run(command, check=True))
        files = (file for file in Path(folder).rglob("*") if file.is_file() and not file.is_symlink())
        return spent, sum(file.stat().st_size for file in files) / 1e6


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=1, bundle=False).parse_args()
    measured = take_turns({name: partial(installed, each) for name, each in RIVALS.items()}, options.rounds)
    held, spent = ({name: [pair[i] for pair in pairs] for name, pairs in measured.items()} for i in (1, 0))
    report(
        [compare("installed packages on disk", "MB", held), compare("installing, packages downloaded", "s", spent)],
        options.to,
    )


if __name__ == "__main__":
    main()
