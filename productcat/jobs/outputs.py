"""Files that a run writes: whole or not at all, or line by line so that a run can go on. And the file of bad rows."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, Self, TypeAlias

from productcat.errors import ListingError
from productcat.listings.columns import BadRow
from productcat.wording import visible

if TYPE_CHECKING:
    from typing_extensions import Buffer

PathLike: TypeAlias = str | os.PathLike[str]

PIECE = 2**20
"""Number of bytes that are copied at once."""


def refuse_existing(target: PathLike, way_out: str = "") -> None:
    """Raise ListingError if there is a file or a folder already."""
    target = Path(target)
    if target.is_dir() and not way_out:
        raise ListingError(f"{target}: a folder; give the name of a file")
    if target.is_file() or target.is_dir():
        raise ListingError(f"{target}: exists already; {way_out or 'go on with it (--resume), or give another name'}")


def refuse_bundle(target: PathLike) -> None:
    """Raise ListingError if a bundle cannot be written. Writing one makes the folders above it, too."""
    refuse_existing(target, "a bundle is written to a new directory")
    _refuse_closed(target, next(each for each in Path(target).absolute().parents if each.exists()))


def refuse_unwritable(target: PathLike) -> None:
    """Raise ListingError if no file can be made in the folder of `target`, so that this is known before the work."""
    folder = Path(target).parent
    if not folder.is_dir():
        raise ListingError(f"{target}: no such folder; check the path")
    _refuse_closed(target, folder)


def _refuse_closed(target: PathLike, folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ListingError(f"{target}: cannot be written; choose a folder that you may write to")


def opened(target: Path, resume: bool) -> IO[bytes]:
    """Open a new file, or when resuming the one that is there, as an unbuffered binary stream."""
    try:
        # Devices and pipes exist already and are simply written to.
        mode = "wb" if not target.is_file() else "r+b" if resume else "xb"
        return open(target, mode, buffering=0)
    except OSError as error:
        raise _unwritable(target, error) from None


def encoded(text: str) -> bytes:
    """Encode JSON as UTF-8. Half a surrogate pair, as in the name of a file that is not UTF-8, is escaped."""
    return text.encode("utf-8", "backslashreplace")


@contextmanager
def standard_output(buffering: int = -1) -> Iterator[IO[bytes]]:
    """Open standard output for bytes of text in UTF-8, such as CSV or JSON Lines.

    They are written as they are, except that a terminal shows what it would otherwise obey.

    buffering : as for `open`
    """
    descriptor = sys.stdout.fileno()
    if os.isatty(descriptor):
        with _Shown(io.FileIO(descriptor, "wb", closefd=False)) as shown:
            yield shown
    else:
        with open(descriptor, "wb", buffering=buffering, closefd=False) as stream:
            yield stream


class _Shown(io.BufferedWriter):
    """Writes whole characters to a terminal, at once."""

    def write(self, text: "Buffer", /) -> int:
        super().write(visible(bytes(text).decode("utf-8", "replace")).encode())
        self.flush()
        return memoryview(text).nbytes


def write(stream: IO[bytes], text: str) -> None:
    """Write all of a text to an unbuffered binary stream. Raise ListingError if it cannot be written."""
    rest = memoryview(encoded(text))
    try:
        while rest:
            rest = rest[stream.write(rest) :]
    except BrokenPipeError:
        raise  # the reader has had enough, which is not a mistake
    except OSError as error:
        name, way_out = "standard output", "fix that and start again"
        if isinstance(stream.name, str):
            name, way_out = stream.name, "fix that, then go on (--resume)"
        raise ListingError(f"{name}: cannot be written ({error.strerror}); {way_out}") from None


def write_whole(target: PathLike, chunks: Iterable[bytes]) -> None:
    """Write a new file so that it is there whole or not at all, even after a kill.

    Parameters
    ----------
    target : str | os.PathLike
        A file of this name is replaced. A device or a pipe is simply written to.
    chunks : iterable of bytes

    Raises
    ------
    ListingError
        It cannot be written.
    """
    target = Path(target)
    if target.exists() and not target.is_file():
        _fill(target, target, chunks)
        return
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        _fill(temporary, target, chunks)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_folder(target: PathLike, files: Mapping[str, Iterable[bytes]]) -> None:
    """Write a new folder so that it is there whole or not at all, even after a kill.

    Parameters
    ----------
    target : str | os.PathLike
        A folder that does not exist.
    files : mapping, name → iterable of bytes

    Raises
    ------
    ListingError
        It cannot be written.
    """
    target = Path(target)
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        temporary.mkdir()
        for name, chunks in files.items():
            _fill(temporary / name, target / name, chunks)
        os.rename(temporary, target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class Replacement:
    """The beginning of a file, with other lines where some have changed. Use it as a context manager.

    Nothing is written before the first line that is another. The new file takes the place of the old one when it is
    done, whole or not at all.
    """

    def __init__(self, target: Path) -> None:
        self.target, self._size = target, 0
        self._temporary = target.with_name(f".{target.name}-{os.getpid()}")
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._stream:
            self._stream.close()
            with suppress(OSError):
                self._temporary.unlink()

    def add(self, lines: Sequence[bytes], changed: str | None) -> None:
        """Take the next lines of the old file, or those that stand there now."""
        try:
            if changed is not None and not self._stream:
                self._begin()
            new = b"".join(lines) if changed is None else encoded(changed)
            if self._stream:
                self._stream.write(new)
        except OSError as error:
            raise _unwritable(self.target, error) from None
        self._size += len(new)

    def _begin(self) -> None:
        """Copy what stays as it is before the first change."""
        self._stream = open(self._temporary, "wb")  # noqa: SIM115, `__exit__` closes it
        with open(self.target, "rb") as old:
            rest = self._size
            while rest and (piece := old.read(min(rest, PIECE))):
                rest -= self._stream.write(piece)

    def done(self) -> int:
        """Put the new file in the place of the old one if something is another. → number of bytes"""
        if self._stream:
            try:
                self._stream.flush()
                os.fsync(self._stream.fileno())
                os.replace(self._temporary, self.target)
            except OSError as error:
                raise _unwritable(self.target, error) from None
        return self._size


def _fill(path: Path, target: Path, chunks: Iterable[bytes]) -> None:
    """Write to `path` what is to be called `target`."""
    try:
        with open(path, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
            if path != target:
                stream.flush()
                os.fsync(stream.fileno())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(target, error) from None


def _unwritable(target: Path, error: OSError) -> ListingError:
    return ListingError(f"{target}: cannot be written ({error.strerror}); choose a folder that you may write to")


class Side(Protocol):
    """Takes what cannot be used.

    count : number of bad rows so far
    problems : what was wrong with the photos of listings so far
    place : where the user finds it
    """

    count: int
    problems: list[str]
    place: str

    def add(self, bad: BadRow) -> None:
        """Take a bad row."""

    def add_problem(self, problem: object) -> None:
        """Take what is wrong with the photos of a listing."""

    def close(self) -> None:
        """Close what was opened."""


class SideFile:
    """Writes bad rows as JSON Lines: {"row": 7, "reason": "...", "text": "..."}.

    The file is made with the first bad row. When resuming, rows that are already in it are not written again.
    """

    def __init__(self, path: PathLike, resume: bool = False) -> None:
        self.path = Path(path)
        self.place = f"see {path}"
        self.resume = resume
        self.count = 0
        self.problems: list[str] = []
        self.stream: IO[bytes] | None = None
        if not resume:
            refuse_existing(self.path, "it is of another run; remove it, or give another name with --bad")

    def add(self, bad: BadRow) -> None:
        """Write one bad row."""
        self.count += 1
        self._add({"row": bad.number, "reason": bad.reason, "text": bad.text})

    def add_problem(self, problem: object) -> None:
        """Write what is wrong with the photos of a listing: {"reason": "..."}. It does not count as a row."""
        self.problems.append(str(problem))
        self._add({"reason": str(problem)})

    def _add(self, found: Mapping[str, object]) -> None:
        line = json.dumps(found, ensure_ascii=False) + "\n"
        if self.stream is None:
            self.resume = self.resume and self.path.is_file()
            self.stream = opened(self.path, self.resume)
        if not self._has(self.stream, encoded(line)):
            write(self.stream, line)

    def _has(self, stream: IO[bytes], line: bytes) -> bool:
        """Tell whether an earlier run wrote this line. From a torn or missing line on, all lines are new."""
        if not self.resume:
            return False
        start = stream.tell()
        found = stream.readline()
        if found == line:
            return True
        if found.endswith(b"\n"):
            raise ListingError(f"{self.path}: made from other rows; give the same input, or --to another name")
        stream.seek(start)
        stream.truncate()
        self.resume = False
        return False

    def close(self) -> None:
        """Close the file, if there is one."""
        if self.stream is not None:
            self.stream.close()
