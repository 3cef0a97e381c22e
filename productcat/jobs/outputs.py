"""Files that a run writes: whole or not at all, or line by line and gone on with. And the side file of bad rows."""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from productcat.errors import ListingError


def refuse_existing(target, way_out=None):
    """Raise ListingError when there is a file or a folder already."""
    target = Path(target)
    if target.is_dir() and not way_out:
        raise ListingError(f"{target}: a folder; give the name of a file")
    if target.is_file() or target.is_dir():
        raise ListingError(f"{target}: exists already; {way_out or 'go on with it (--resume), or give another name'}")


def refuse_bundle(target):
    """Raise ListingError when no bundle can be written, which makes folders above it, too."""
    refuse_existing(target, "a bundle is written to a new directory")
    _refuse_closed(target, next(each for each in Path(target).absolute().parents if each.exists()))


def refuse_unwritable(target):
    """Raise ListingError when no file can be made in the folder of `target`, so that this is known before the work."""
    folder = Path(target).parent
    if not folder.is_dir():
        raise ListingError(f"{target}: no such folder; check the path")
    _refuse_closed(target, folder)


def _refuse_closed(target, folder):
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ListingError(f"{target}: cannot be written; choose a folder that you may write to")


def opened(target, resume):
    """A new file, or when resuming the one that is there, as an unbuffered binary stream."""
    try:
        # Devices and pipes exist already and are simply written to.
        mode = "wb" if not target.is_file() else "r+b" if resume else "xb"
        return open(target, mode, buffering=0)
    except OSError as error:
        raise _unwritable(target, error) from None


def encoded(text):
    """A text of JSON as UTF-8. Half a surrogate pair, as in the name of a file that is not UTF-8, is escaped."""
    return text.encode("utf-8", "backslashreplace")


def write(stream, text):
    """Write all of a text to an unbuffered binary stream. Raises ListingError when it cannot be written."""
    rest = memoryview(encoded(text))
    try:
        while rest:
            rest = rest[stream.write(rest) :]
    except BrokenPipeError:
        raise  # the reader has had enough, which is no mistake
    except OSError as error:
        name, way_out = "standard output", "mend that and begin anew"
        if isinstance(stream.name, str):
            name, way_out = stream.name, "mend that, then go on (--resume)"
        raise ListingError(f"{name}: cannot be written ({error.strerror}); {way_out}") from None


def write_whole(target, chunks):
    """Write a new file so that it is there whole or not at all, even after a kill.

    Parameters
    ----------
    target : str | os.PathLike
        What exists under this name is replaced; to a device or a pipe it is simply written.
    chunks : iterable of bytes

    Raises
    ------
    ListingError
        It cannot be written.
    """
    target = Path(target)
    if target.exists() and not target.is_file():
        return _fill(target, target, chunks)
    temporary = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        _fill(temporary, target, chunks)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_folder(target, files):
    """Write a new folder so that it is there whole or not at all, even after a kill.

    Parameters
    ----------
    target : str | os.PathLike
        A folder that does not exist.
    files : dict, name → iterable of bytes

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


def _fill(path, target, chunks):
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


def _unwritable(target, error):
    return ListingError(f"{target}: cannot be written ({error.strerror}); choose a folder that you may write to")


class SideFile:
    """Takes bad rows and writes them as JSON Lines: {"row": 7, "reason": "...", "text": "..."}.

    The file is made with the first bad row. When resuming, rows that are in it already are not written again.
    """

    def __init__(self, path, resume=False):
        self.path = Path(path)
        self.place = f"see {path}"
        self.resume = resume
        self.count = 0
        self.problems = []
        self.stream = None
        if not resume:
            refuse_existing(self.path, "it is of another run; remove it, or give another name with --bad")

    def add(self, bad):
        """Write one BadRow."""
        self.count += 1
        self._add({"row": bad.number, "reason": bad.reason, "text": bad.text})

    def add_problem(self, problem):
        """Write what is wrong with the photos of a listing: {"reason": "..."}. It is not counted as a row."""
        self.problems.append(str(problem))
        self._add({"reason": str(problem)})

    def _add(self, found):
        line = json.dumps(found, ensure_ascii=False) + "\n"
        if self.stream is None:
            self.resume = self.resume and self.path.is_file()
            self.stream = opened(self.path, self.resume)
        if not self._has(encoded(line)):
            write(self.stream, line)

    def _has(self, line):
        if not self.resume:
            return False
        start = self.stream.tell()
        found = self.stream.readline()
        if found == line:
            return True
        if found.endswith(b"\n"):
            raise ListingError(f"{self.path}: made from other rows; give the same input, or --to another name")
        self.stream.seek(start)
        self.stream.truncate()
        self.resume = False
        return False

    def close(self):
        """Close the file, if there is one."""
        if self.stream is not None:
            self.stream.close()
