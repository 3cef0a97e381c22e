"""Read files that anybody may have made: regular ones only, of limited size.

A pipe would never end, a device has no size, and a sparse file of terabytes takes no room on disk. So the kind and the
size of a file are known before its first byte is read.
"""

import hashlib
import mmap
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

LARGEST = {".onnx": 2**31 - 1, ".safetensors": 2**31 - 1, ".json": 32 * 2**20, ".md": 4 * 2**20}
"""Number of bytes that a file of a bundle may have, by its ending. More than 2 GB of ONNX cannot be read at once."""

LARGEST_OF_ALL = 4 * 2**30
"""Number of bytes that all files of a bundle may have together, and any file with another ending."""

PIECE = 2**18
"""Number of bytes read at once where a file is not kept."""

Result = TypeVar("Result")


class UnfitFileError(Exception):
    """A file cannot be used. The message says why, without the file's name, such as "is missing"."""


def size_of(file: str | os.PathLike[str]) -> int:
    """Return the bytes of a regular file of allowed size. Raises UnfitFileError when it is another, or missing."""
    try:
        return _allowed_size(os.stat(file), file)
    except FileNotFoundError:
        raise UnfitFileError("is missing") from None
    except (OSError, ValueError) as error:
        raise UnfitFileError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None


def content_of(file: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file of allowed size. Raises UnfitFileError."""
    with _opened(file) as (stream, size):
        content = stream.read(size + 1)
        if len(content) != size:
            raise UnfitFileError("is being changed")
        return content


@contextmanager
def mapped(file: str | os.PathLike[str]) -> Iterator[mmap.mmap]:
    """Give the content of a regular file of allowed size without copying it into memory. Raises UnfitFileError."""
    with _opened(file) as (stream, size):
        if not size:
            raise UnfitFileError("is empty")
        with mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ) as content:
            yield content


def unchanged(read: Callable[[Path], Result], file: Path) -> Result:
    """Return what `read` makes of a file. Raises UnfitFileError where the file becomes another meanwhile."""
    before = _identity(file)
    found = read(file)
    if _identity(file) != before:
        raise UnfitFileError("is being changed")
    return found


def _identity(file: Path) -> tuple[int, ...]:
    """Return what becomes another whenever a file is written to, or another file takes its place."""
    try:
        status = os.stat(file)
    except FileNotFoundError:
        raise UnfitFileError("is missing") from None
    except OSError as error:
        raise UnfitFileError(f"cannot be read ({error.strerror})") from None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def checksum_of(file: str | os.PathLike[str]) -> str:
    """Return the hexadecimal sha256 of a regular file of allowed size, without keeping it. Raises UnfitFileError."""
    found, piece = hashlib.sha256(), memoryview(bytearray(PIECE))
    with _opened(file) as (stream, size):
        while size >= 0 and (length := stream.readinto(piece)):
            size -= length
            found.update(piece[:length])
    if size:
        raise UnfitFileError("is being changed")
    return found.hexdigest()


@contextmanager
def _opened(file: str | os.PathLike[str]) -> Iterator[tuple[BufferedReader, int]]:
    """Open a file that `size_of` allows, and give it with its size."""
    size_of(file)  # some devices do something when they are opened
    try:
        # Without waiting: the file may have become a pipe meanwhile.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        with open(os.open(file, flags), "rb") as stream:
            yield stream, _allowed_size(os.fstat(stream.fileno()), file)
    except OSError as error:
        raise UnfitFileError(f"cannot be read ({error.strerror})") from None


def _allowed_size(status: os.stat_result, file: str | os.PathLike[str]) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError("is not a regular file")
    most = LARGEST.get(Path(file).suffix, LARGEST_OF_ALL)
    if status.st_size > most:
        raise UnfitFileError(f"has {status.st_size:,} bytes, more than {most:,}")
    return status.st_size
