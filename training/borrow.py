"""`python -m training.borrow BUNDLE LENDER`: leave out of a bundle the parts that a shipped one has, too, to ship both.

A wheel then holds each file once. The checksums of what is borrowed stay in the manifest, so a lender that changes is
noticed. `Categorizer.save` writes a bundle that is whole by itself.
"""

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

from productcat.models.bundle import CARD, SHIPPED, Bundle, write_bundle
from training.commands import command, mistakes_in_one_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.borrow", __doc__)
    parser.add_argument("bundle", help="the path of a bundle")
    parser.add_argument("lender", help="the name of a shipped bundle")
    parser.add_argument("--to", type=Path, required=True, help="the bundle that borrows: a new directory")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        for part, source in borrow(Bundle.open(options.bundle), options.lender, options.to).items():
            print(f"{part}: that of {source}")


def borrow(bundle: Bundle, lender: str, to: Path) -> dict[str, str]:
    """Write the bundle without what it borrows. → dict, part → a shipped bundle and its part

    Raises
    ------
    ValueError
        No part of the shipped bundle has the same files.
    """
    other = Bundle.open(SHIPPED / lender)
    pairs = itertools.product(parts_of(bundle), parts_of(other))
    borrowed = {part: f"{lender}/{theirs}" for part, theirs in pairs if bundle.files(part) == other.files(theirs)}
    if not borrowed:
        raise ValueError(f"{bundle.path}: it shares no part with the shipped bundle {lender}; name another lender")

    def fill(folder: Path) -> None:
        for name in bundle.manifest["sha256"]:
            if name.partition("/")[0] not in borrowed and name != CARD:
                (folder / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(bundle.file(name), folder / name)

    write_bundle(to, {**bundle.manifest, "borrowed": borrowed}, fill)
    return borrowed


def parts_of(bundle: Bundle) -> list[str]:
    """Return the names of a bundle's parts, sorted."""
    return sorted({name.partition("/")[0] for name in bundle.manifest["sha256"] if "/" in name})


if __name__ == "__main__":
    main()
