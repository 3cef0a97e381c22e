"""Where data come from: a tar is unpacked once, whole or not at all; data that have changed are noticed."""

import hashlib
import json
import lzma
import os
import shutil
import tarfile
import zlib

from productcat.errors import ListingError
from productcat.models.bundle import sha256


def unpacked(source, work):
    """The folder that a source means: itself, or its content where it is a tar.

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
    folder = work / f"{name}-{sha256(source)[:10]}"  # another tar of the same name must not find the content of this
    if not folder.is_dir():
        temporary = work / f"{folder.name}.partly"
        shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
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


def checksum(config, data, listings=()):
    """sha256 of the data that a configuration names, so that changed data is noticed. → hexadecimal str

    A table, its splits and a tar count with their content; of a folder's other files the names and sizes count.

    listings : iterable of Listing
        What was read. Of a table by itself, the names and sizes of the photos that it names count, too.
    """
    source = data / config.source
    digest = hashlib.sha256()
    if source.is_dir():
        files = (file for file in source.rglob("*") if file.is_file())
        digest.update(
            json.dumps(sorted((str(file.relative_to(source)), file.stat().st_size) for file in files)).encode()
        )
        tables = [source / name for name in (config.table, config.splits) if name]
    else:
        tables = [source, *([source.parent / config.splits] if config.splits else [])]
        photos = (photo for each in listings for photo in each.photos) if ".tar" not in source.name else ()
        sizes = [(os.path.relpath(photo, data), os.path.getsize(photo)) for photo in photos if os.path.isfile(photo)]
        digest.update(json.dumps(sizes).encode() if sizes else b"")
    for table in tables:
        digest.update(sha256(table).encode() if table.is_file() else b"none")
    return digest.hexdigest()
