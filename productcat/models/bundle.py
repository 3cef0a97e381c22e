"""Open and write bundles. A bundle is one sealed directory with everything trained.

This module knows the files of a bundle, not its models. `manifest.json` names the format and the sha256 of every other
file, and carries a seal on itself. A bundle is written to a temporary sibling, synced and renamed. So it is there whole
or not at all, and it is never changed in place.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeAlias

from productcat.errors import BundleError
from productcat.models.contents import AGAIN, MANIFEST, Contents, Entries, parsed
from productcat.models.manifest import LONGEST_NAME, check_manifest, shown
from productcat.models.model_card import model_card
from productcat.models.plain_files import LARGEST_OF_ALL, UnfitFileError, checksum_of, content_of, size_of

FORMAT = 1
"""Number of the layout on disk. Raise it when a reader of the old number could misread a new bundle. Then keep the old
reader in this module, and freeze a bundle of the old number in `tests/bundles/` with a test that loads it."""

Manifest: TypeAlias = Mapping[str, Any]
"""The content of `manifest.json`. Nobody changes one that is in use."""

CARD = "README.md"
ALL = ""
"""Stands for all files together where files go by their names."""

STRANGERS_NAMED = 5
"""Number of files that the manifest does not name which a message names at most."""

DEFAULT = "fashion"
SHIPPED = Path(__file__).parent.parent / "bundles"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes
    ----------
    path : pathlib.Path
        Its directory, as it was given.
    manifest : mapping
        The content of `manifest.json`. `with_manifest` gives a bundle with other entries.
    """

    path: Path
    manifest: Manifest
    _folder: Path = field(default=Path(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self._folder.is_absolute():  # files are opened later, when another directory may be the current one
            object.__setattr__(self, "_folder", self.path.absolute())

    @classmethod
    def open(cls, bundle: str | os.PathLike[str] | None = None) -> Self:
        """Open a bundle and check it: the format first, then its files, then every checksum.

        Parameters
        ----------
        bundle : str | os.PathLike | None
            A directory, or the name of a shipped bundle; None is the shipped bundle "fashion".

        Raises
        ------
        BundleError
            There is no such bundle or no manifest, the format is another, a file is missing, changed, too large, not a
            regular file, outside the bundle, or not in the manifest. The message names the file.
        """
        opened = cls.of_manifest(bundle)
        opened.check()
        return opened

    @classmethod
    def of_manifest(cls, bundle: str | os.PathLike[str] | None = None) -> Self:
        """Open a bundle as `open` does, but check its manifest only. `check` or `checking` comes next."""
        path = find(bundle)
        return cls(path, read_manifest(path))

    def check(self) -> None:
        """Raise BundleError when a file is not as the manifest says."""
        self._refuse(self.problems())

    @contextmanager
    def checking(self, read_meanwhile: Collection[str]) -> Iterator[None]:
        """Check as `check` does, while the caller reads some of the files by `contents`, which checks what it reads.

        Kinds and sizes of all files are known first. A second thread compares the other checksums. Where both find
        something wrong, this one tells.

        read_meanwhile : names of the files that the caller may read
        """
        self._refuse([*self._unfit().values()])
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(lambda: [*self._changed(read_meanwhile).values(), *self._strangers()])
            try:
                yield
            except BundleError:
                self._refuse(found.result())
                raise
            self._refuse(found.result())

    def _refuse(self, problems: list[str]) -> None:
        if problems:
            raise BundleError(f"bundle {self.path}: {problems[0]}; {AGAIN}")

    def with_manifest(self, **changes: object) -> Self:
        """Return this bundle with other entries in its manifest. An entry that becomes None is left out."""
        entries = {**self.manifest, **changes}
        kept = {name: entry for name, entry in entries.items() if name not in changes or entry is not None}
        return replace(self, manifest=kept)

    def problems(self) -> list[str]:
        """Return one line for each file that is not as the manifest says; none for a sound bundle.

        No file is read before the kinds and sizes of all are known.
        """
        found = self._unfit()
        if ALL in found:
            return [found[ALL]]
        found |= self._changed(found)
        return [*(found[name] for name in sorted(found)), *self._strangers()]

    def _unfit(self) -> dict[str, str]:
        """Return a line for each file that may not be read, by its name. `ALL` stands for all together."""
        found: dict[str, str] = {}
        total = 0
        for name in sorted(self.manifest["sha256"]):
            try:
                total += self._size(name)
            except UnfitFileError as error:
                found[name] = f"{name} {error}"
        if total > LARGEST_OF_ALL:
            return {ALL: f"its files have {total:,} bytes together, more than {LARGEST_OF_ALL:,}"}
        return found

    def _changed(self, but: Collection[str]) -> dict[str, str]:
        """Return a line for each file that does not have its checksum, by its name. but : names that are left out"""
        found: dict[str, str] = {}
        for name in sorted(self.manifest["sha256"].keys() - {*but}):
            try:
                if checksum_of(self.file(name)) != self.manifest["sha256"][name]:
                    found[name] = f"{name} was changed (its sha256 is not the one in {MANIFEST})"
            except UnfitFileError as error:
                found[name] = f"{name} {error}"
        return found

    def _size(self, name: str) -> int:
        """Return the bytes of a file. Raises UnfitFileError where the manifest does not allow it."""
        file, base = self.file(name), self._base(name)
        try:
            # An installer may lay out the package itself as links, so where its files lie is not asked.
            if not base.is_relative_to(SHIPPED) and not file.resolve().is_relative_to(base.resolve()):
                raise UnfitFileError("is a link that leaves the bundle (copy the bundle with what its links lead to)")
        except (OSError, RuntimeError):  # a circle of links
            raise UnfitFileError("is missing") from None
        size = size_of(file)
        noted = self.manifest.get("bytes", {}).get(name, size)
        if size != noted:
            raise UnfitFileError(f"was changed (it has {size:,} bytes, not {noted:,})")
        return size

    def _base(self, name: str) -> Path:
        """Return the directory inside which a file has to be."""
        lender = self._lender(name.partition("/")[0])
        return SHIPPED / lender.partition("/")[0] if lender else self._folder

    def _strangers(self) -> list[str]:
        """Return a line for each of the first files here that the manifest does not name.

        What is hidden, such as a `.DS_Store`, belongs to the system and does not count.
        """
        found: list[str] = []
        for folder, folders, files in os.walk(self._folder):
            within = Path(folder).relative_to(self._folder)
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            links = [each for each in folders if os.path.islink(os.path.join(folder, each))]
            # No manifest names a file below these, and folders can lie in each other without end.
            deep = [each for each in folders if len((within / each).as_posix()) > LONGEST_NAME]
            folders[:] = [each for each in folders if each not in deep]
            for each in sorted({*links, *deep, *(name for name in files if not name.startswith("."))}):
                name = (within / each).as_posix()
                own = name in self.manifest["sha256"] and not self._lender(name.partition("/")[0])
                # A part may be a link to elsewhere in the bundle; then its files are looked at one by one.
                own = own or (each in links and any(known.startswith(f"{name}/") for known in self.manifest["sha256"]))
                if not own and name != MANIFEST:
                    found.append(f"{shown(name)} is not in {MANIFEST}")
                    if len(found) == STRANGERS_NAMED:
                        return found
        return found

    def _lender(self, part: str) -> str:
        """Return the shipped bundle and its part that lend a part, "" where it is the bundle's own."""
        borrowed: Mapping[str, str] = self.manifest.get("borrowed", {})
        return borrowed.get(part, "")

    def file(self, name: str) -> Path:
        """Return where a file of the manifest lies: here, or in the shipped bundle from which its part is borrowed."""
        part, _, rest = name.partition("/")
        lender = self._lender(part)
        return SHIPPED / lender / rest if lender else self._folder / name

    def copy_files(self, folder: Path) -> None:
        """Copy every file that the manifest names into `folder`, and check it again.

        Other files in the bundle's directory, such as a `.DS_Store`, and a read-only mode are not copied.
        """
        for name, checksum in self.manifest["sha256"].items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                size_of(self.file(name))
                shutil.copyfile(self.file(name), target)
                same = checksum_of(target) == checksum
            except UnfitFileError as error:
                raise BundleError(f"bundle {self.path}: {name} {error}; {AGAIN}") from None
            if not same:
                raise BundleError(f"bundle {self.path}: {name} was changed since it was opened; get the bundle again")

    def has(self, name: str) -> bool:
        """Return whether the manifest names files of a part, such as "title"."""
        return bool(self.files(name))

    def files(self, part: str) -> dict[str, str]:
        """Return the files of a part: name within it → checksum."""
        within = f"{part}/"
        known: Mapping[str, str] = self.manifest["sha256"]
        return {name.removeprefix(within): known[name] for name in known if name.startswith(within)}

    def part(self, name: str) -> Path:
        """Return the directory of one part, such as "image". Raises BundleError when the bundle lacks it."""
        if not self.has(name):
            raise BundleError(f"bundle {self.path}: no {name!r} part in it; use a bundle trained with one")
        return self.file(f"{name}/")

    def features_part(self) -> Path:
        """Return the directory of the image model whose features are compared: "features" or, without it, "image"."""
        return self.part(self.features_name())

    def features_name(self) -> str:
        """Return the name of that part."""
        return "features" if self.has("features") else "image"

    def contents(self, part: str = "") -> Contents:
        """Return what reads the files of a part and compares their checksums; "" for the files beside all parts."""
        if not part:
            return Contents(self._folder, f"bundle {self.path}: ", self.manifest["sha256"])
        return Contents(self.part(part), f"bundle {self.path}: {part}/", self.files(part))

    def setting(self, name: str) -> Any:
        """Return an entry of the manifest. Raises BundleError when the bundle lacks it."""
        if name not in self.manifest:
            raise BundleError(f"bundle {self.path}: no {name!r} in its {MANIFEST}; use a bundle made by productcat")
        return self.manifest[name]

    def entries(self, name: str) -> Entries:
        """Return an entry of the manifest that is an object. Raises BundleError when it is missing or another kind."""
        self.setting(name)
        return Entries(f"bundle {self.path}: {MANIFEST}", self.manifest).object(name)

    def read_json(self, name: str) -> Any:
        """Return the content of one JSON file of the bundle, which has its checksum."""
        part, _, rest = name.rpartition("/")
        return self.contents(part).json(rest)


def find(bundle: str | os.PathLike[str] | None) -> Path:
    """Return the directory that a bundle's name or path means. Raises BundleError when there is none."""
    name = DEFAULT if bundle is None else os.fsdecode(bundle)
    # The default is never a directory that happens to lie where the program is run.
    if bundle is not None and os.path.isdir(name):
        return Path(name)
    shipped = SHIPPED / name
    if Path(name).name == name and os.path.isdir(shipped):
        return shipped
    known = ", ".join(sorted(each.name for each in SHIPPED.glob("*/"))) if SHIPPED.is_dir() else ""
    raise BundleError(
        f"bundle {name}: no such directory; give the path of a bundle, or one that is shipped: {known or 'none'}"
    )


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of the bundle at `path`. Check its format, then its seal, then that it names only files inside.

    Raises BundleError when it cannot be used.
    """
    try:
        manifest: Manifest = parsed(content_of(path / MANIFEST))
        number = manifest["format"]
    except UnfitFileError as error:
        if not os.path.lexists(path / MANIFEST):
            raise BundleError(f"bundle {path}: no {MANIFEST} in it; give the path of a bundle") from None
        raise BundleError(f"bundle {path}: {MANIFEST} {error}; check the path") from None
    except (ValueError, KeyError, TypeError):
        raise BundleError(f"bundle {path}: {MANIFEST} is damaged; {AGAIN}") from None
    if type(number) is not int or number != FORMAT:
        raise BundleError(
            f"bundle {path}: its format is {number!s:.40}, this productcat reads format {FORMAT}; "
            + ("update productcat" if isinstance(number, int) and number > FORMAT else "train the bundle again")
        )
    if manifest.get("seal") != seal(manifest):
        raise BundleError(f"bundle {path}: {MANIFEST} was changed (its seal does not fit); {AGAIN}")
    check_manifest(manifest, f"bundle {path}: {MANIFEST}")
    return manifest


def seal(manifest: Manifest) -> str:
    """Return the hexadecimal sha256 of all entries but the seal. Spaces and the order of keys do not matter."""
    said = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def write_bundle(path: str | os.PathLike[str], manifest: Manifest, fill: Callable[[Path], object]) -> None:
    """Write a new bundle, whole or not at all.

    Parameters
    ----------
    path : str | os.PathLike
        A directory that does not exist.
    manifest : mapping
        Its "format", "created", "sha256", "bytes" and "seal" are ignored and set here. "borrowed" names parts that
        `fill` may leave out: part → the shipped bundle and its part that lend the files, such as "general/image".
    fill : callable
        Is called with an empty directory and writes every part into it.

    Raises
    ------
    BundleError
        The directory exists, or cannot be written.
    """
    path = Path(path)
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise BundleError(
            f"{path}: cannot be written ({error.strerror}); choose a directory that you may write to"
        ) from None
    try:
        fill(temporary)
        _seal(temporary, manifest)
        temporary.chmod(0o755)  # mkdtemp made it private
        temporary.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written ({error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise BundleError when something is at `path` already. Call it before long work."""
    if os.path.lexists(path):
        raise BundleError(f"{path}: exists already; a bundle is written to a new directory")


def _seal(folder: Path, manifest: Manifest) -> None:
    """Write the model card, then the manifest with the checksums of all files, and sync."""
    own = {"format": FORMAT, "created": datetime.now(UTC).isoformat(timespec="seconds")}
    # What JSON makes of it, such as text keys and lists, so that the seal fits what is read.
    sealed: dict[str, Any] = json.loads(json.dumps({**own, **manifest, **own}))
    borrowed = {part: each for part, each in sealed.pop("borrowed", {}).items() if not (folder / part).exists()}
    sealed |= {"borrowed": borrowed} if borrowed else {}
    (folder / CARD).write_text(model_card(sealed), "utf-8")
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file != folder / MANIFEST)
    sealed["sha256"] = {file.relative_to(folder).as_posix(): sha256(file) for file in files}
    sealed["bytes"] = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
    for part, lender in borrowed.items():
        place, _, theirs = lender.partition("/")
        lent = Bundle(SHIPPED / place, read_manifest(SHIPPED / place)).files(theirs)
        sealed["sha256"] |= {f"{part}/{name}": checksum for name, checksum in lent.items()}
        sealed["bytes"] |= {f"{part}/{name}": (SHIPPED / lender / name).stat().st_size for name in lent}
    sealed["seal"] = seal(sealed)
    for file in files:
        file.chmod(0o644)  # safetensors writes files that only their owner may read
    (folder / MANIFEST).write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for each in [*files, folder / MANIFEST, *(sub for sub in folder.rglob("*/")), folder]:
        _sync(each)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(file: str | os.PathLike[str]) -> str:
    """Return the hexadecimal sha256 of a file."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
