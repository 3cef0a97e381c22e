"""What the commands of `training` share: options, a user's mistakes as one line, and figures as JSON."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from productcat.errors import ProductcatError

FOLDER_OPTIONS = argparse.ArgumentParser(add_help=False)
"""Options for the folders that a command reads and keeps; a parent of its parser."""
FOLDER_OPTIONS.add_argument("--data", type=Path, default=Path("data"), help="the folder with the data (default: data)")
FOLDER_OPTIONS.add_argument(
    "--work", type=Path, default=Path("work"), help="where finished steps are kept (default: work)"
)

WEIGHTS_OPTION = argparse.ArgumentParser(add_help=False)
"""Option for the weights that training starts from; a parent of a command's parser."""
WEIGHTS_OPTION.add_argument("--weights", help="a file of ImageNet weights of the backbone, instead of Keras's download")

FIGURES_OPTION = argparse.ArgumentParser(add_help=False)
"""Option for the file that gets the figures; a parent of a command's parser."""
FIGURES_OPTION.add_argument("--to", type=Path, help="also write the figures to this JSON file")


def command(module: str, doc: str | None, *options: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Make the parser of `python -m <module>`, described by the first line of the module's docstring."""
    return argparse.ArgumentParser(f"python -m {module}", description=(doc or "").partition("\n")[0], parents=options)


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """End the program with one line on standard error and exit code 1 where the user's input makes it fail."""
    try:
        yield
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
    except (ProductcatError, ValueError) as error:
        sys.exit(f"error: {error}")


def write_figures(figures: object, path: Path | None) -> None:
    """Write figures to a JSON file, if a path is given."""
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
