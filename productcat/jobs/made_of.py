"""What tells later of which listings a file of predictions was made.

It stands beside the file, which stays plain JSON Lines of which each line is an answer: `predictions.jsonl` has
`predictions.jsonl.resume`. That begins with the fingerprint of the categorizer. Then each listing has a line with its
own, 33 bytes long. It is written after the listing's prediction, so whenever a run is killed, a fingerprint that is
there belongs to the prediction that is there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from productcat.errors import ListingError
from productcat.jobs.outputs import opened, write
from productcat.listings.fingerprint import LENGTH

START = "productcat --resume 1 "
"""Start of the first line. The fingerprint of the categorizer follows."""

RECORD = LENGTH + 1
"""Number of bytes of the line of a listing."""

OTHERS = "{}: made with another bundle, other settings or other photos; start again with another name for --to"


class MadeOf:
    """Reads and writes the file beside `target`. made_with : fingerprint of the categorizer, of `LENGTH` digits"""

    def __init__(self, target: Path, made_with: str) -> None:
        self.target, self.path = target, target.with_name(f"{target.name}.resume")
        self._head = f"{START}{made_with}\n".encode()
        self._count = 0
        self._changes: dict[int, str] = {}
        self._stream: IO[bytes] | None = None

    def refuse_other(self) -> None:
        """Raise ListingError if a file of this name is there that is no such file. One of another run is replaced."""
        if self.path.exists() and not self._is_one():
            raise ListingError(f"{self.path}: exists already, and is not of productcat; give another name for --to")

    def _is_one(self) -> bool:
        if not self.path.is_file():
            return False
        with open(self.path, "rb") as stream:
            return START.encode().startswith(stream.read(len(START)))  # whoever was killed may have written less

    def noted(self) -> Iterator[str]:
        """Yield the fingerprints of the listings in `target`, which has some.

        Raises
        ------
        ListingError
            There is no such file, or `target` was made with another categorizer.
        """
        if not self.path.exists():
            said = "no such file, which tells what has changed since; start again with another name for --to"
            raise ListingError(f"{self.path}: {said}")
        with open(self.path, "rb") as stream:
            if stream.readline() != self._head:
                raise ListingError(OTHERS.format(self.target))
            while len(record := stream.read(RECORD)) == RECORD:
                yield record[:LENGTH].decode("ascii", "replace")

    def keep(self, prints: Sequence[str], changed: bool) -> None:
        """Take the fingerprints of the next listings of which `target` has predictions. changed : some are others"""
        if changed:
            self._changes[self._count] = _records(prints)
        self._count += len(prints)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Write what was kept, and meanwhile be ready to `add` to it."""
        with opened(self.path, resume=True) as self._stream:
            write(self._stream, self._head.decode())
            for number, records in self._changes.items():
                self._stream.seek(len(self._head) + number * RECORD)
                write(self._stream, records)
            self._stream.seek(len(self._head) + self._count * RECORD)
            self._stream.truncate()
            yield

    def add(self, prints: Sequence[str]) -> None:
        """Write the fingerprints of listings whose predictions are written."""
        if self._stream:
            write(self._stream, _records(prints))


def _records(prints: Sequence[str]) -> str:
    return "".join(f"{each}\n" for each in prints)
