"""A bundle: one sealed directory with everything trained. This module knows its files, not its models.

`manifest.json` names the format and the sha256 of every other file, and carries a seal on itself. A bundle is written
to a temporary sibling, synced and renamed, so it is there whole or not at all; it is never changed in place.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from productcat.errors import BundleError
from productcat.models.model_card import model_card

FORMAT = 1
"""The number of the layout on disk. Raise it when a reader of the old number could misread a new bundle; then keep
the old reader in this module, and freeze a bundle of the old number in `tests/bundles/` with a test that loads it."""

MANIFEST, CARD = "manifest.json", "README.md"
DEFAULT = "fashion"
SHIPPED = Path(__file__).parent.parent / "bundles"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle. path: its directory, as it was given. manifest: the dict in `manifest.json`."""

    path: Path
    manifest: dict

    def __post_init__(self):
        # Files are opened later, too, when another directory may be the current one.
        object.__setattr__(self, "_folder", self.path.absolute())

    def with_manifest(self, **changes):
        """A copy whose manifest has other entries; None takes one away."""
        changed = {**self.manifest, **changes}
        return replace(self, manifest={key: each for key, each in changed.items() if each is not None})

    @classmethod
    def open(cls, bundle=None):
        """Open a bundle and check it: the format first, then every checksum.

        Parameters
        ----------
        bundle : str | os.PathLike | None
            A directory, or the name of a shipped bundle; None is the shipped bundle "fashion".

        Raises
        ------
        BundleError
            No such bundle, no manifest, another format, or a file that is missing or changed, which is named.
        """
        path = find(bundle)
        opened = cls(path, read_manifest(path))
        problems = opened.problems()
        if problems:
            raise BundleError(f"bundle {path}: {problems[0]}; get the bundle again or train it anew")
        return opened

    def problems(self):
        """One line for each file that is missing or does not have its checksum; empty for a sound bundle."""
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

    def file(self, name):
        """Where a file of the manifest lies: here, or in the shipped bundle from which its part is borrowed."""
        part, _, rest = name.partition("/")
        borrowed = self.manifest.get("borrowed", {})
        return SHIPPED / borrowed[part] / rest if part in borrowed else self._folder / name

    def copy_files(self, folder):
        """Copy every file that the manifest names into `folder`, checked again. What else lies in the bundle's
        directory, such as a `.DS_Store`, stays behind, and so does a read-only mode."""
        for name, checksum in self.manifest["sha256"].items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.file(name), target)
            if sha256(target) != checksum:
                raise BundleError(f"bundle {self.path}: {name} was changed since it was opened; get the bundle again")

    def has(self, name):
        """Whether there is a part of that name, such as "title"; a directory without a file of the manifest is none."""
        return bool(self.files(name))

    def files(self, part):
        """The files of a part by their names in it. → dict, name → checksum"""
        within = f"{part}/"
        known = self.manifest["sha256"].items()
        return {name.removeprefix(within): checksum for name, checksum in known if name.startswith(within)}

    def part(self, name):
        """The directory of one part, such as "image". Raises BundleError when the bundle lacks it."""
        if not self.has(name):
            raise BundleError(f"bundle {self.path}: no {name!r} part in it; use a bundle trained with one")
        return self.file(f"{name}/")

    def features_part(self):
        """The directory of the image model whose features are compared: the part "features", or else "image"."""
        return self.part("features" if self.has("features") else "image")

    def setting(self, name):
        """An entry of the manifest. Raises BundleError when the bundle lacks it."""
        if name not in self.manifest:
            raise BundleError(f"bundle {self.path}: no {name!r} in its {MANIFEST}; use a bundle made by productcat")
        return self.manifest[name]

    def read_json(self, name):
        """The content of one JSON file of the bundle."""
        return json.loads(self.file(name).read_text("utf-8"))


def find(bundle):
    """The directory that a bundle's name or path means. Raises BundleError when there is none."""
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


def read_manifest(path):
    """The manifest of the bundle at `path`: its format checked, then its seal, then that it names only files inside."""
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        number = manifest["format"]
    except FileNotFoundError:
        raise BundleError(f"bundle {path}: no {MANIFEST} in it; give the path of a bundle") from None
    except OSError as error:
        raise BundleError(f"bundle {path}: {MANIFEST} cannot be read ({error.strerror}); check the path") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BundleError(f"bundle {path}: {MANIFEST} is damaged; get the bundle again or train it anew") from None
    if number != FORMAT:
        raise BundleError(
            f"bundle {path}: its format is {number}, this productcat reads format {FORMAT}; "
            + ("update productcat" if isinstance(number, int) and number > FORMAT else "train the bundle anew")
        )
    if manifest.get("seal") != seal(manifest):
        raise BundleError(
            f"bundle {path}: {MANIFEST} was changed (its seal does not fit); get the bundle again or train it anew"
        )
    if not isinstance(manifest.get("sha256"), dict):
        raise BundleError(f"bundle {path}: {MANIFEST} names no files under 'sha256'; make the bundle anew")
    for name in (*manifest["sha256"], *manifest.get("borrowed", {}).values()):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise BundleError(f"bundle {path}: {MANIFEST} names a file outside it, {name}; do not trust this bundle")
    return manifest


def seal(manifest):
    """Hexadecimal sha256 of what a manifest says, apart from its seal; spaces and the order of keys do not matter."""
    said = {key: value for key, value in manifest.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def write_bundle(path, manifest, fill):
    """Write a new bundle, whole or not at all.

    Parameters
    ----------
    path : str | os.PathLike
        A directory that does not exist.
    manifest : dict
        "format", "created", "sha256" and "seal" are set here, whatever it holds there. "borrowed" names parts that
        `fill` may leave out: part → a shipped bundle and its part, such as "general/image", whose files they are.
    fill : callable
        Called with an empty directory, writes every part into it.

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


def refuse_existing(path):
    """Raise BundleError where something is there already, for those who would know it before long work."""
    if os.path.lexists(path):
        raise BundleError(f"{path}: exists already; a bundle is written to a new directory")


def _seal(folder, manifest):
    """Write the model card, then the manifest with the checksums of all that is there, and sync."""
    own = {"format": FORMAT, "created": datetime.now(UTC).isoformat(timespec="seconds")}
    # As JSON knows it, so that the seal is the same when it is read: text keys, lists.
    sealed = json.loads(json.dumps(own | manifest | own))
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


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(file):
    """Hexadecimal sha256 of a file."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
