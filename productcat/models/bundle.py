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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeAlias

from productcat.errors import BundleError
from productcat.models.model_card import model_card

FORMAT = 1
"""Number of the layout on disk. Raise it when a reader of the old number could misread a new bundle. Then keep the old
reader in this module, and freeze a bundle of the old number in `tests/bundles/` with a test that loads it."""

Manifest: TypeAlias = Mapping[str, Any]
"""The content of `manifest.json`. Nobody changes one that is in use."""

MANIFEST, CARD = "manifest.json", "README.md"
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
        """Open a bundle and check it: the format first, then every checksum.

        Parameters
        ----------
        bundle : str | os.PathLike | None
            A directory, or the name of a shipped bundle; None is the shipped bundle "fashion".

        Raises
        ------
        BundleError
            There is no such bundle or no manifest, the format is another, or a file is missing or changed. The message
            names the file.
        """
        path = find(bundle)
        opened = cls(path, read_manifest(path))
        problems = opened.problems()
        if problems:
            raise BundleError(f"bundle {path}: {problems[0]}; get the bundle again or train it again")
        return opened

    def with_manifest(self, **changes: object) -> Self:
        """Return this bundle with other entries in its manifest. An entry that becomes None is left out."""
        entries = {**self.manifest, **changes}
        kept = {name: entry for name, entry in entries.items() if name not in changes or entry is not None}
        return replace(self, manifest=kept)

    def problems(self) -> list[str]:
        """Return one line for each file that is missing or does not have its checksum; none for a sound bundle."""
        found = []
        for name, checksum in sorted(self.manifest["sha256"].items()):
            file = self.file(name)
            try:
                if not file.is_file():
                    found.append(f"{name} is missing")
                elif sha256(file) != checksum:
                    found.append(f"{name} was changed (its sha256 is not the one in {MANIFEST})")
            except OSError as error:
                found.append(f"{name} cannot be read ({error.strerror})")
        return found

    def file(self, name: str) -> Path:
        """Return where a file of the manifest lies: here, or in the shipped bundle from which its part is borrowed."""
        part, _, rest = name.partition("/")
        borrowed: Mapping[str, str] = self.manifest.get("borrowed", {})
        return SHIPPED / borrowed[part] / rest if part in borrowed else self._folder / name

    def copy_files(self, folder: Path) -> None:
        """Copy every file that the manifest names into `folder`, and check it again.

        Other files in the bundle's directory, such as a `.DS_Store`, and a read-only mode are not copied.
        """
        for name, checksum in self.manifest["sha256"].items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.file(name), target)
            if sha256(target) != checksum:
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
        return self.part("features" if self.has("features") else "image")

    def setting(self, name: str) -> Any:
        """Return an entry of the manifest. Raises BundleError when the bundle lacks it."""
        if name not in self.manifest:
            raise BundleError(f"bundle {self.path}: no {name!r} in its {MANIFEST}; use a bundle made by productcat")
        return self.manifest[name]

    def read_json(self, name: str) -> Any:
        """Return the content of one JSON file of the bundle."""
        return json.loads(self.file(name).read_text("utf-8"))


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
        manifest: Manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        number = manifest["format"]
    except FileNotFoundError:
        raise BundleError(f"bundle {path}: no {MANIFEST} in it; give the path of a bundle") from None
    except OSError as error:
        raise BundleError(f"bundle {path}: {MANIFEST} cannot be read ({error.strerror}); check the path") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BundleError(f"bundle {path}: {MANIFEST} is damaged; get the bundle again or train it again") from None
    if number != FORMAT:
        raise BundleError(
            f"bundle {path}: its format is {number}, this productcat reads format {FORMAT}; "
            + ("update productcat" if isinstance(number, int) and number > FORMAT else "train the bundle again")
        )
    if manifest.get("seal") != seal(manifest):
        raise BundleError(
            f"bundle {path}: {MANIFEST} was changed (its seal does not fit); get the bundle again or train it again"
        )
    if not isinstance(manifest.get("sha256"), dict):
        raise BundleError(f"bundle {path}: {MANIFEST} names no files under 'sha256'; make the bundle again")
    for name in (*manifest["sha256"], *manifest.get("borrowed", {}).values()):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BundleError(f"bundle {path}: {MANIFEST} names a file outside it, {name}; do not trust this bundle")
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
        Its "format", "created", "sha256" and "seal" are ignored and set here. "borrowed" names parts that `fill` may
        leave out: part → the shipped bundle and its part that lend the files, such as "general/image".
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
    for part, lender in borrowed.items():
        place, _, theirs = lender.partition("/")
        lent = Bundle(SHIPPED / place, read_manifest(SHIPPED / place)).files(theirs)
        sealed["sha256"] |= {f"{part}/{name}": checksum for name, checksum in lent.items()}
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
