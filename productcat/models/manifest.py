"""Check what a manifest says, before anything relies on it.

The seal only shows that a manifest is as it was when it was sealed; anyone can seal one.
"""

from collections.abc import Mapping
from typing import Any

from productcat.errors import BundleError
from productcat.models.contents import Entries
from productcat.models.model_card import SECTIONS

MOST_FILES = 10_000
"""Number of files that a manifest may name."""

FORBIDDEN = frozenset("\\:\0")
"""Characters that have a meaning of their own in names of files, on one system or another."""


def check_manifest(manifest: Mapping[str, Any], said: str) -> None:
    """Raise BundleError when a manifest names files outside its bundle, or has an entry of another kind than its own.

    said : what messages call it
    """
    sums = manifest.get("sha256")
    if not isinstance(sums, Mapping) or len(sums) > MOST_FILES:
        raise BundleError(f"{said} names no files under 'sha256', or more than {MOST_FILES:,}; make the bundle again")
    entries = Entries(said, manifest)
    borrowed = entries.object("borrowed").entries if entries.has("borrowed") else {}
    for name in (*sums, *borrowed.values()):
        if not _is_inside(name):
            raise BundleError(f"{said} names a file outside it, {_short(name)}; do not trust this bundle")
    for part, lender in borrowed.items():
        if not _is_inside(part) or "/" in part or lender.count("/") != 1:
            raise BundleError(
                f"{said}: {_short(part)} is borrowed from {_short(lender)}, expected a part, and a shipped bundle and "
                f"its part such as general/image; do not trust this bundle"
            )
    _check_kinds(entries)


def _check_kinds(entries: Entries) -> None:
    """Raise BundleError when an entry is of another kind than its own."""
    sums = entries.object("sha256")
    for name in sums.entries:
        sums.text(name)
    if entries.has("bytes"):
        sizes = entries.object("bytes")
        for name in sizes.entries:
            sizes.number(name, 0)
    for key in ("name", "description", "created"):
        if entries.has(key):
            entries.text(key)
    for key in SECTIONS.values():
        if entries.has(key):
            entries.object(key)


def _is_inside(name: object) -> bool:
    """Tell whether a name is a plain path below the bundle: no root, no step up, nothing empty or special."""
    return (
        isinstance(name, str)
        and FORBIDDEN.isdisjoint(name)
        and all(piece not in ("", ".", "..") for piece in name.split("/"))
    )


def _short(name: object) -> str:
    """Show a name as it is if it is short and plain."""
    text = name if isinstance(name, str) and name.isprintable() else ascii(name)
    return text if len(text) <= 80 else f"{text[:77]}..."
