"""The commands `productcat bundle show` and `verify`."""

from typing import Annotated

import typer

from productcat.cli import console, options
from productcat.cli.console import FINE, UNUSABLE, command

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
        print("\n".join(bundle_lines(Bundle.open(path))))


@command(app)
def verify(path: options.BundlePath = None) -> int:
    """Compare each file of a bundle with its checksum. Each problem is one line.

    \b
      productcat bundle verify
      productcat bundle verify my-bundle
    """
    from productcat.models.bundle import Bundle, find, read_manifest

    folder = find(path)
    opened = Bundle(folder, read_manifest(folder))
    problems = opened.problems()
    for problem in problems:
        print(problem)
    if problems:
        return UNUSABLE
    print(f"{folder}: sound, {len(opened.manifest['sha256'])} files have their checksums")
    return FINE
