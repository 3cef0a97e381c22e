"""The command `productcat train`, which runs the package `training` wherever it is installed."""

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

from productcat.cli.console import UNUSABLE, command, complain

HERE = Path(__file__).parent.parent
INSTALLED, CLONE = HERE / "_training", HERE.parent
"""Folders in which the package `training` may be: that of an installation, and the clone."""

app = typer.Typer(rich_markup_mode=None)


@command(app, context_settings={"ignore_unknown_options": True})
def train(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="CONFIG", help="A TOML file, and the options above.")
    ] = None,
) -> int | None:
    """Make a bundle from labelled listings, as python -m training does in a clone.

    \b
      productcat train own.toml --data data --to own-bundle

    \b
    CONFIG says what is trained and how: training/README.md in the repository.
      --to BUNDLE      a new directory; required
      --data FOLDER    the folder with the data (default: data)
      --work FOLDER    where finished steps are kept (default: work)
      --weights FILE   ImageNet weights of the backbone, instead of Keras's download
      --table FILE     also write the table of the classes, on test, to this CSV file

    It needs TensorFlow: pip install "productcat[training]".
    """
    home = INSTALLED if INSTALLED.is_dir() else CLONE
    sys.path.insert(0, str(home))  # before the current folder, which may have another package of that name
    sys.argv = ["productcat train", *(arguments or ())]
    try:
        runpy.run_module("training", run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("training", "productcat"):
            raise
        return complain(f'training needs {error.name}; run pip install "productcat[training]"', UNUSABLE)
    except SystemExit as end:
        return complain(end.code.removeprefix("error: "), UNUSABLE) if isinstance(end.code, str) else end.code
    finally:
        sys.path.remove(str(home))
    return None
