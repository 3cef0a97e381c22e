"""The commands `productcat bundle show` and `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli import console, options
from productcat.cli.console import FINE, UNUSABLE, command

if TYPE_CHECKING:
    from productcat.models.bundle import Bundle

app = console.group("Look into a bundle, and check it.")


@command(app)
def show(
    path: options.BundlePath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest.")] = False,
) -> None:
    """Print what a bundle knows, from which confidence it assigns, its figures and its files.

    \b
      productcat bundle show
      productcat bundle show my-bundle --json
    """
    from productcat.cli.bundle_summary import bundle_lines
    from productcat.models.bundle import Bundle, find, read_manifest

    if as_json:
        console.print_json(read_manifest(find(path)), indent=1)
    else:
        console.show(*bundle_lines(Bundle.open(path)))


@command(app)
def verify(path: options.BundlePath = None) -> int:
    """Compare each file of a bundle with its checksum, then load it and look at one photo. Each problem is one line.

    \b
      productcat bundle verify
      productcat bundle verify my-bundle

    It is sound when its files are those that were sealed, the manifest names all of them, and they fit together. That
    does not say who made it: anybody can seal a bundle.
    """
    from productcat.models.bundle import Bundle

    opened = Bundle.of_manifest(path)
    for problem in (problems := opened.problems()):
        console.show(problem)
    if problems:
        return UNUSABLE
    _try(opened)
    console.show(f"{opened.path}: sound, {len(opened.manifest['sha256'])} files have their checksums")
    return FINE


def _try(bundle: Bundle) -> None:
    """Load all parts of a bundle, and run its networks once. Raises BundleError."""
    import numpy as np

    from productcat.categories.categorizer import Categorizer
    from productcat.duplicates.detector import DuplicateDetector

    categorizer = Categorizer.load(bundle.path)
    models = [categorizer.image_model, categorizer.feature_model]
    if bundle.has("duplicates"):
        models.append(DuplicateDetector.load(bundle.path).image_model)
    for model in {model.graph: model for model in models if model}.values():
        model.run(np.full((1, *model.size, 3), 128, np.uint8))
