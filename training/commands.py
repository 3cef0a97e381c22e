"""What the commands of `training` share: options, a user's mistakes, and where figures go."""

import argparse
import json
import sys
from contextlib import contextmanager
from pathlib import Path

from productcat.errors import ProductcatError

FOLDER_OPTIONS = argparse.ArgumentParser(add_help=False)
"""Parent of a parser: the folders that a command reads and keeps."""
FOLDER_OPTIONS.add_argument("--data", type=Path, default=Path("data"), help="the folder with the data (default: data)")
FOLDER_OPTIONS.add_argument(
    "--work", type=Path, default=Path("work"), help="where finished steps are kept (default: work)"
)

WEIGHTS_OPTION = argparse.ArgumentParser(add_help=False)
"""Parent of a parser: where an untrained network comes from."""
WEIGHTS_OPTION.add_argument(
    "--weights", help="a file of ImageNet weights of the backbone, in place of Keras's download"
)

FIGURES_OPTION = argparse.ArgumentParser(add_help=False)
"""Parent of a parser: where the figures go."""
FIGURES_OPTION.add_argument("--to", type=Path, help="also write the figures to this JSON file")


@contextmanager
def mistakes_in_one_line():
    """End the program with one line on standard error and exit code 1 where it fails by what the user gave it."""
    try:
        yield
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
    except (ProductcatError, ValueError) as error:
        sys.exit(f"error: {error}")


def write_figures(figures, path=None):
    """Write figures to a JSON file. path : Path | None, nowhere"""
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
