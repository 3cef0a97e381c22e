"""The rows of a Parquet file, some hundred at a time. However little the file is, they take bounded memory.

What many rows share is read once, as a dictionary, and each of its values becomes one object of Python.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import islice, repeat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from productcat.errors import ListingError
from productcat.listings.columns import BadRow, OnRemark, Row, TableColumns, Unfit, refuse_columns
from productcat.listings.parquet_pages import Cost, UnfitPagesError, cost_of, rows_at_once
from productcat.listings.photo_limits import MAX_FILE
from productcat.wording import shortened

ROWS_AT_ONCE, MORE_ROWS = 256, 4096
"""Number of rows that are read together, at most; the second where reading each time handles a dictionary."""

BYTES_AT_ONCE = 4 << 20
"""Number of bytes of rows that are read together, as far as the file says how long they are."""

REPEATED = 128 << 20
"""Number of bytes that the values of dictionaries may take together where each is read as often as it occurs."""

BUFFER = 1 << 20
"""Number of bytes of a column that are read from the file at once."""

MOST_TEXT = 1 << 19
"""Number of bytes of a text above which it is not even decoded."""

MOST_ENTRIES = 1_001
"""Number of entries of a list that are read: one more than a listing may have photos."""


def parquet_file(path: Path, dictionaries: Sequence[str] = ()) -> Any:
    """Open a pyarrow.parquet.ParquetFile. Raise ListingError without pyarrow, and for a damaged file.

    dictionaries : columns that are read as dictionaries, by their paths
    """
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ListingError(f"{path}: reading Parquet needs pyarrow; run pip install pyarrow") from None
    try:
        return ParquetFile(path, read_dictionary=[*dictionaries], pre_buffer=False, buffer_size=BUFFER)
    except (OSError, ValueError, NotImplementedError) as error:
        raise ListingError(f"{path}: not sound Parquet ({_said(error)}); get the file again") from None


def parquet_rows(path: Path, columns: TableColumns, on_remark: OnRemark) -> Iterator[Row | BadRow]:
    """Read the rows of a Parquet file. What is wrong with a row group costs its rows from there on."""
    with parquet_file(path) as file, open(path, "rb") as stream, ExitStack() as opened:
        refuse_columns(file.schema_arrow.names, path)
        found = columns.find(file.schema_arrow.names, path, on_remark)
        wanted = _Wanted(file, [*dict.fromkeys(found.values())], stream)
        as_dictionaries = lru_cache(lambda paths: opened.enter_context(parquet_file(path, paths)))
        number = 0
        for group in range(file.metadata.num_row_groups):
            end = number + file.metadata.row_group(group).num_rows
            try:
                n_rows, paths = wanted.plan(group)
                reader = as_dictionaries(paths)
                for batch in reader.iter_batches(n_rows, row_groups=[group], columns=wanted.names):
                    for values in _rows(batch, found):
                        number += 1
                        yield Row(number, values, _text(values.get("title")))
            except Exception as error:  # PyArrow reports damage in many ways
                if isinstance(error, OSError) and error.errno:
                    raise
                why = str(error) if isinstance(error, UnfitPagesError) else f"not sound Parquet ({_said(error)})"
                out = f"row {end:,}" if end == number + 1 else f"rows {number + 1:,} to {end:,}"
                yield BadRow(number + 1, f"{why}; {out} left out")
            number = max(number, end)


class _Wanted:
    """The columns that are read, and what reading them costs.

    names : of the columns, as the table has them
    """

    def __init__(self, file: Any, names: Sequence[str], stream: BinaryIO) -> None:
        self.names, self.stream, self.metadata = [*names], stream, file.metadata
        within = tuple(f"{name}." for name in names)
        columns = [(place, file.schema.column(place)) for place in range(len(file.schema))]
        self.leaves = [(place, each) for place, each in columns if f"{each.path}.".startswith(within)]

    def plan(self, group: int) -> tuple[int, tuple[str, ...]]:
        """Look into a row group. → number of rows to read together, columns to read as dictionaries, by their paths"""
        chunks = self.metadata.row_group(group)
        n_bytes = sum(chunks.column(place).total_uncompressed_size for place, _ in self.leaves)
        usual = max(1, BYTES_AT_ONCE * chunks.num_rows // max(n_bytes, 1))
        costs: list[Cost] = []
        dictionaries: list[str] = []
        repeated = 0
        for place, leaf in self.leaves:
            length = leaf.length if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else 0
            costs.append(cost := cost_of(self.stream, chunks.column(place), length, leaf.max_repetition_level > 0))
            if leaf.physical_type == "BYTE_ARRAY" and not cost.sharing:
                taken = cost.shared * max(min(usual, ROWS_AT_ONCE), cost.n_values)
                if repeated + taken > REPEATED:
                    dictionaries.append(leaf.path)
                else:
                    repeated += taken
        most = MORE_ROWS if dictionaries else ROWS_AT_ONCE
        return rows_at_once(costs, min(usual, most)), tuple(dictionaries)


def _said(error: Exception) -> str:
    return shortened((str(error).splitlines() or [type(error).__name__])[0], 200)


def _text(title: Any) -> str:
    return title if isinstance(title, str) else ""


def _rows(batch: Any, found: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a pyarrow.RecordBatch. found : role → column"""
    places = {name: batch.schema.get_all_field_indices(name)[0] for name in found.values()}
    cells = {name: _values(batch.column(place)) for name, place in places.items()}
    for row in zip(*(cells[name] for name in found.values()), strict=True):
        yield dict(zip(found, row, strict=True))


def _values(array: Any) -> list[Any]:
    """Return what a pyarrow.Array holds as objects of Python. Unfit stands for what is too long or cannot be read."""
    import pyarrow as pa

    kind, types = array.type, pa.types
    if isinstance(array, pa.ExtensionArray):
        return _values(array.storage)
    if types.is_dictionary(kind):
        return _of_dictionary(array)
    if types.is_struct(kind):
        names = [field.name for field in kind]
        parts = [_values(array.field(place)) for place in range(len(names))]
        values = zip(*parts, strict=True) if parts else repeat((), len(array))
        there = array.is_valid().to_pylist()
        return [
            dict(zip(names, each, strict=True)) if valid else None for valid, each in zip(there, values, strict=True)
        ]
    if types.is_map(kind):
        return [Unfit("is a map, expected text or a list") if valid else None for valid in array.is_valid().to_pylist()]
    if types.is_nested(kind):
        return _of_lists(array)
    return _plain(array)


def _of_dictionary(array: Any) -> list[Any]:
    """Return the values of a DictionaryArray. Each is made once, and rows share it."""
    import pyarrow as pa

    used, places = np.unique(array.indices.fill_null(-1).to_numpy(zero_copy_only=False), return_inverse=True)
    missing = [None] if len(used) and used[0] < 0 else []
    dictionary, used = array.dictionary, used[len(missing) :]
    values = missing + _values(dictionary if len(used) == len(dictionary) else dictionary.take(pa.array(used)))
    return [values[place] for place in places.tolist()]


def _of_lists(array: Any) -> list[Any]:
    """Return the lists of an array, of a long one its beginning."""
    import pyarrow.compute as pc

    lengths = pc.list_value_length(array).to_pylist()
    if max((length or 0 for length in lengths), default=0) >= MOST_ENTRIES:
        there = array.is_valid().to_pylist()
        return [
            _values(each.values[:MOST_ENTRIES]) if valid else None for valid, each in zip(there, array, strict=True)
        ]
    values = iter(_values(array.flatten()))
    return [None if length is None else [*islice(values, length)] for length in lengths]


def _plain(array: Any) -> list[Any]:
    """Return numbers, texts, bytes, dates and the like."""
    import pyarrow as pa

    is_bytes = pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type)
    most = MAX_FILE if is_bytes else MOST_TEXT
    try:
        if array.nbytes <= MOST_TEXT:
            return list(array.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        pass  # some value is to blame
    return [_one(each, most) for each in array]


def _one(scalar: Any, most: int) -> Any:
    import pyarrow as pa

    try:
        size = scalar.as_buffer() if hasattr(scalar, "as_buffer") else None
        if size is not None and size.size > most:
            return Unfit(f"has {size.size:,} bytes, {most:,} at most; shorten it")
        return scalar.as_py()
    except UnicodeDecodeError:
        return Unfit("is not UTF-8 text; encode it again")
    except (ValueError, OverflowError, pa.ArrowException) as error:
        return Unfit(f"cannot be read ({_said(error)}); write it as text")
