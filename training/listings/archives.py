"""Unpacks the tar that data come in, once, whole or not at all."""

import lzma
import shutil
import tarfile
import zlib
from pathlib import Path

from productcat.errors import ListingError
from productcat.models.bundle import sha256


def unpacked(source: Path, work: Path) -> Path:
    """Return the folder that a source means: itself, or the content of a tar.

    Parameters
    ----------
    source, work : pathlib.Path
        A tar is unpacked below `work`, and found there the next time.

    Raises
    ------
    ListingError
        There is no such source, or the tar is damaged.
    """
    if source.is_dir():
        return source
    if not source.is_file():
        raise ListingError(f"{source}: no such data; give the folder that holds it with --data")
    name = source.name.split(".tar")[0]
    folder = work / f"{name}-{sha256(source)[:10]}"  # so that another tar of the same name is unpacked too
    if not folder.is_dir():
        temporary = work / f"{folder.name}.partly"
        shutil.rmtree(temporary, ignore_errors=True)  # left by a run that was killed
        try:
            with tarfile.open(source) as tar:
                tar.extractall(temporary, filter="data")
            inner = temporary / name
            (inner if inner.is_dir() else temporary).rename(folder)
        except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
            reason = str(error).splitlines()[0].rstrip(":")
            raise ListingError(f"{source}: cannot be unpacked ({reason}); get the file again") from None
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder
