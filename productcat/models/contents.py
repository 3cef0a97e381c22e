"""What one part of a bundle holds, read entry by entry. What is wrong is a BundleError that names file and key.

A seal shows that nobody changed a bundle since it was sealed. It does not show that its maker knew what belongs there.
So all that a model relies on is checked here when it is loaded: kinds, ranges, shapes, and that numbers are finite.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from productcat.errors import BundleError
from productcat.models.network_file import Content, NetworkFile, UnfitNetworkError
from productcat.models.plain_files import UnfitFileError, content_of, mapped, unchanged
from productcat.wording import is_unicode

MANIFEST = "manifest.json"
AGAIN = "get the bundle again or train it again"
"""The way out of damage."""

TEMPERATURES = 1e-6, 1e18
"""Least and greatest temperature. Fitted ones are from a hundredth to a hundred, but for listings too few to tell."""

SUMS_TO_1 = 1e-2
"""How far the sum of a stored distribution may be from 1. Float16 rounds each of its entries."""

MANY = 10**9
"""Greatest count, such as that of the examples of a category."""

MOST = 1e9
"""Greatest number in an array: what models make of such numbers still fits into float32."""

MOST_VALUES = 2_000_000
"""Number of values above which JSON is refused: an empty list takes three bytes in a file, and thirty times as many in
memory. Vocabularies and trees of categories have some ten thousand."""

DEEPEST = 64
"""Number of lists and objects of JSON that may lie in each other."""


@dataclass(frozen=True)
class Contents:
    """One part of a bundle, or a folder that has the same files without a manifest.

    folder : pathlib.Path
    said : str
        What messages put before the name of a file, such as "bundle shop: title/".
    checksums : mapping, name within the folder → hexadecimal sha256, optional
        Where they are known, what is read has them.
    """

    folder: Path
    said: str
    checksums: Mapping[str, str] | None = None

    @classmethod
    def of(cls, folder: "Path | Contents") -> "Contents":
        """Return the contents of a plain folder; those of a part are handed through."""
        return folder if isinstance(folder, Contents) else Contents(Path(folder), f"{folder}/")

    def bytes(self, name: str) -> bytes:
        """Return the content of one file, which has its checksum."""
        with self._of_file(name):
            content = content_of(self.folder / name)
            self._compare(name, content)
            return content

    def network(self, name: str) -> tuple[NetworkFile, str]:
        """Look into a network, which has its checksum. Return what is seen of it, and the checksum."""
        with self._of_file(name), mapped(self.folder / name) as content:
            return NetworkFile.read(content), self._compare(name, content)

    @contextmanager
    def _of_file(self, name: str) -> Iterator[None]:
        """Meanwhile what is wrong with a file is a BundleError that names it."""
        if self.checksums is not None and name not in self.checksums:
            raise BundleError(f"{self.said}{name} is missing; {AGAIN}")
        try:
            yield
        except (UnfitFileError, UnfitNetworkError) as error:
            raise BundleError(f"{self.said}{name} {error}; {AGAIN}") from None

    def _compare(self, name: str, content: Content) -> str:
        """Return the checksum of a file's content. Raises UnfitFileError where it is another than the known one."""
        found = hashlib.sha256(content).hexdigest()
        if self.checksums is not None and found != self.checksums[name]:
            raise UnfitFileError(f"was changed (its sha256 is not the one in {MANIFEST})")
        return found

    def json(self, name: str) -> Any:
        """Return what a file of JSON says."""
        try:
            return parsed(self.bytes(name))
        except ValueError:
            raise BundleError(f"{self.said}{name} is not JSON; {AGAIN}") from None

    def entries(self, name: str) -> "Entries":
        """Return the object in a file of JSON."""
        return Entries(f"{self.said}{name}", self.json(name))

    def tensors(self, name: str) -> "Tensors":
        """Return what a file of safetensors holds."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        def read(file: Path) -> dict[str, NDArray[Any]]:
            with mapped(file) as content:
                self._compare(name, content)
            return load_file(file)

        try:
            with self._of_file(name):
                return Tensors(f"{self.said}{name}", unchanged(read, self.folder / name))
        except (SafetensorError, OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            # A kind of number that NumPy lacks is a KeyError or an AttributeError there.
            said = f"{error}".partition("\n")[0][:100]
            raise BundleError(f"{self.said}{name} is not readable as safetensors ({said!a}); {AGAIN}") from None


def parsed(content: bytes) -> Any:
    """Return what bytes of JSON say. Raises ValueError where they are not JSON, too many values, or in each other."""
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MOST_VALUES:
        raise ValueError("too many values")
    try:
        found = json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("too deep") from None
    level = [found]
    if content.count(b"[") + content.count(b"{") <= DEEPEST:
        return found
    for _ in range(DEEPEST):
        inner = [each for each in level if isinstance(each, dict | list)]
        level = [one for each in inner for one in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return found
    raise ValueError("too deep")


class Entries:
    """An object of JSON. said : what messages call it, such as "bundle shop: title/settings.json"."""

    def __init__(self, said: str, entries: object) -> None:
        self.said = said
        if not isinstance(entries, Mapping):
            raise BundleError(f"{said} is {_shown(entries)}, expected an object of JSON; {AGAIN}")
        self.entries = entries

    def refuse(self, key: str, expected: str) -> NoReturn:
        """Raise the BundleError of one entry."""
        if key not in self.entries:
            raise BundleError(f"{self.said} has no {key!r}, expected {expected}; {AGAIN}")
        raise BundleError(f"{self.said}: {key!r} is {_shown(self.entries[key])}, expected {expected}; {AGAIN}")

    def has(self, key: str) -> bool:
        """Return whether there is such an entry."""
        return key in self.entries

    def object(self, key: str) -> "Entries":
        """Return an object within it."""
        if not isinstance(self.entries.get(key), Mapping):
            self.refuse(key, "an object")
        return Entries(f"{self.said}: {key!r}", self.entries[key])

    def number(self, key: str, least: float = -math.inf, most: float = math.inf) -> float:
        """Return a finite number from `least` to `most`."""
        found: Any = self.entries.get(key)
        if not _is_number(found) or not least <= found <= most:
            limits = "" if (least, most) == (-math.inf, math.inf) else f" from {least:g} to {most:g}"
            self.refuse(key, f"a number{limits}")
        return float(found) if isinstance(found, float) else int(found)

    def share(self, key: str) -> float:
        """Return a number above 0 and below 1."""
        found: Any = self.entries.get(key)
        if not _is_number(found) or not 0 < found < 1:
            self.refuse(key, "a number above 0 and below 1")
        return float(found)

    def numbers(self, key: str, length: int) -> list[float]:
        """Return a list of finite numbers of this length."""
        found = self.entries.get(key)
        if not isinstance(found, list) or len(found) != length or not all(map(_is_number, found)):
            self.refuse(key, f"{length} numbers")
        return found

    def counts(self, key: str, length: int) -> list[int]:
        """Return a list of whole numbers, 0 or more, of this length."""
        found = self.entries.get(key)
        if not isinstance(found, list) or len(found) != length or not all(map(_is_count, found)):
            self.refuse(key, f"{length} whole numbers, 0 or more")
        return found

    def whole(self, key: str, least: int, most: int) -> list[int]:
        """Return a list of whole numbers from `least` to `most`."""
        found = self.entries.get(key)
        if not isinstance(found, list) or not all(_is_count(each) and least <= each <= most for each in found):
            self.refuse(key, f"a list of whole numbers from {least} to {most}")
        return found

    def truth(self, key: str) -> bool:
        """Return true or false."""
        found = self.entries.get(key)
        if not isinstance(found, bool):
            self.refuse(key, "true or false")
        return found

    def text(self, key: str) -> str:
        """Return a text."""
        found = self.entries.get(key)
        if not isinstance(found, str) or not is_unicode(found):
            self.refuse(key, "a text")
        return found

    def one_of(self, key: str, known: Sequence[str]) -> str:
        """Return one of some texts."""
        found = self.entries.get(key)
        if found not in known:
            self.refuse(key, " or ".join(map(repr, known)))
        return str(found)

    def texts(self, key: str) -> list[str]:
        """Return a list of different texts."""
        return different_texts(f"{self.said}: {key!r}", self.entries.get(key))


def different_texts(said: str, found: object) -> list[str]:
    """Return a list of texts that are all different, none of them empty. Raises BundleError."""
    names = {*found} if isinstance(found, list) and {*map(type, found)} <= {str} else {""}
    if not isinstance(found, list) or "" in names:
        raise BundleError(f"{said} is {_shown(found)}, expected a list of texts, none empty; {AGAIN}")
    if not is_unicode("".join(names)):
        raise BundleError(f"{said} has a text that is not Unicode; {AGAIN}")
    if len(names) < len(found):
        twice = next(each for each in found if found.count(each) > 1)
        raise BundleError(f"{said} has {_shown(twice)} twice, expected different texts; {AGAIN}")
    return found


class Tensors:
    """Arrays by their names. said : what messages call the file."""

    def __init__(self, said: str, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.said, self.tensors = said, tensors

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raise the BundleError of one array."""
        raise BundleError(f"{self.said}: the tensor {name!r} {why}; {AGAIN}")

    def array(self, name: str, *shape: int | None) -> NDArray[Any]:
        """Return an array of finite floating-point numbers. shape : None is any length"""
        found = self.tensors.get(name)
        if found is None:
            self.refuse(name, "is missing")
        wanted = "(" + ", ".join("any" if each is None else str(each) for each in shape) + ")"
        fits = len(shape) == found.ndim and all(
            each is None or each == length for each, length in zip(shape, found.shape, strict=False)
        )
        if not fits:
            self.refuse(name, f"has the shape {found.shape}, expected {wanted}")
        if found.dtype.kind != "f":
            self.refuse(name, f"has numbers of the kind {found.dtype}, expected floating-point")
        if not _is_finite(found):
            self.refuse(name, "has a number that is not finite, or huge")
        return found

    def has(self, name: str) -> bool:
        """Return whether there is such an array."""
        return name in self.tensors

    def distributions(self, name: str, *shape: int | None) -> NDArray[Any]:
        """Return an array of which each row has no negative number and sums to 1."""
        found = self.array(name, *shape)
        sums = found.astype(np.float32, copy=False).sum(axis=1)  # which sums float16 much faster than float64
        if _has_negative(found) or (np.abs(sums - 1) > SUMS_TO_1).any():
            self.refuse(name, "has a row that is not a distribution, its numbers 0 or more with the sum 1")
        return found


def _is_finite(found: NDArray[Any]) -> bool:
    """Tell whether an array has no NaN and nothing infinite or huge. It is to cost little beside reading the array."""
    if found.dtype == np.float16:  # all bits of the exponent are set; comparing float16 would take ten times as long
        return not found.size or bool((found.view(np.uint16) & 0x7C00).max() < 0x7C00)
    # Products of vectors would start the threads of the linear algebra, which then wait busily for more.
    with np.errstate(invalid="ignore"):
        return not found.size or bool(found.max() <= MOST and found.min() >= -MOST)


def _has_negative(found: NDArray[Any]) -> bool:
    if found.dtype == np.float16 and found.size and found.view(np.int16).min() >= 0:
        return False
    return bool((found < 0).any())


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e300


def _is_count(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MANY


def _shown(found: object) -> str:
    """Show what was found in one short line."""
    try:
        some: Any = found[:60] if isinstance(found, str | list) else found
        text = ascii(some) if isinstance(some, str) else json.dumps(some)
    except (TypeError, ValueError, RecursionError):
        text = type(found).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
