"""Strategies of hypothesis: files as they are, with something in them that nobody sensible would write."""

import json
import os
import resource
import struct
import time
from contextlib import contextmanager
from copy import deepcopy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""Number of times that more is tried than in the normal tests. With 50 it takes some ten minutes."""


def tried(examples):
    """Settings for so many examples. The same ones are tried each time, unless it is a long run."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


MOST_SECONDS, MOST_BYTES = 5, 500 * 2**20
"""What one input may cost in a long run: time of the processors, and memory beyond what was used before."""


@contextmanager
def bounded():
    """In a long run, what happens meanwhile may not cost more. Normal tests measure neither time nor memory."""
    seconds, peak = time.process_time(), _peak()
    yield
    if TIMES > 1:
        assert time.process_time() - seconds < MOST_SECONDS
        assert _peak() - peak < MOST_BYTES


def _peak():
    """The most memory that this process has used, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


NUMBERS = st.sampled_from([0, 1, -1, 2, 3, 16, 255, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.5, -0.5, 1e-320, 1e308])
ODD = st.sampled_from([float("nan"), float("inf"), -float("inf"), None, True, False])
TEXTS = st.sampled_from(
    ["", "a", "Belts", "\0", "\ud800", "../..", "/etc/hostname", "x" * 300, "embedding_top", "%s{0}"]
)
LEAVES = NUMBERS | ODD | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
"""What may stand in a file of JSON."""


def places(found, path=()):
    """Yield the path of each value in JSON, that of the whole first."""
    yield path
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, each in list(inner)[:50]:
        yield from places(each, (*path, key))


@st.composite
def changed_json(draw, found):
    """JSON with one to three changes: another value, one that is gone, one that is there twice, one more key."""
    found = deepcopy(found)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(found))))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                return draw(VALUES)
            continue
        holder = found
        for key in path[:-1]:
            holder = holder[key]
        kind = draw(st.sampled_from(["value", "value", "value", "gone", "twice", "more"]))
        if kind == "value":
            holder[path[-1]] = draw(VALUES)
        elif kind == "gone":
            del holder[path[-1]]
        elif isinstance(holder, list):
            holder.append(holder[path[-1]] if kind == "twice" else draw(VALUES))
        else:
            holder[draw(TEXTS)] = holder[path[-1]] if kind == "twice" else draw(VALUES)
    return found


@st.composite
def changed_bytes(draw, content):
    """Bytes with one to four changes: flipped bits, a piece gone, there twice, or another; or the end cut off."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        place, length = draw(st.integers(0, len(content) - 1)), draw(st.sampled_from([1, 2, 4, 8, 64]))
        kind = draw(st.sampled_from(["bit", "bit", "gone", "twice", "other", "cut"]))
        if kind == "bit":
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "gone":
            del content[place : place + length]
        elif kind == "twice":
            content[place:place] = content[place : place + length]
        elif kind == "other":
            content[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        else:
            del content[place:]
    return bytes(content)


KINDS = ["F16", "F32", "F64", "I8", "I64", "BOOL", "BF16", "F8_E4M3", "C64", "", "x"]
"""Kinds of numbers, some of which NumPy lacks, and some that nobody has."""


@st.composite
def changed_safetensors(draw, content):
    """A file of safetensors with another header, with another length of it, or with other bytes anywhere."""
    (length,) = struct.unpack("<Q", content[:8])
    header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    kind = draw(st.sampled_from(["header", "header", "header", "length", "numbers", "bytes"]))
    if kind == "bytes":
        return draw(changed_bytes(content))
    if kind == "length":
        return (
            struct.pack("<Q", draw(st.sampled_from([0, 1, length - 1, length + 8, 2**31, 2**63 - 1, 2**64 - 1])))
            + content[8:]
        )
    if kind == "numbers":  # whole numbers of the arrays, such as those of NaN and infinities
        size = draw(st.sampled_from([2, 4, 8]))
        place = draw(st.integers(0, max(len(rest) // size - 1, 0))) * size
        number = draw(st.sampled_from([b"\xff" * size, b"\0" * (size - 2) + b"\x80\x7f", b"\0" * (size - 1) + b"\x7c"]))
        return content[: 8 + length] + rest[:place] + number + rest[place + size :]
    name = draw(st.sampled_from([each for each in header if each != "__metadata__"]))
    about = header[name]
    change = draw(st.sampled_from(["dtype", "shape", "offsets", "name", "any"]))
    if change == "dtype":
        about["dtype"] = draw(
            st.sampled_from(["F16", "F32", "F64", "I8", "I64", "BOOL", "BF16", "F8_E4M3", "C64", "", "x"])
        )
    elif change == "shape":
        about["shape"] = draw(
            st.permutations(about["shape"]) | st.lists(st.sampled_from([0, 1, 2, 3, 2**40, 2**64]), max_size=4)
        )
    elif change == "offsets":
        about["data_offsets"] = draw(st.lists(st.sampled_from([0, 1, 8, len(rest), 2**63]), min_size=1, max_size=3))
    elif change == "name":
        header[draw(TEXTS)] = header.pop(name)
    else:
        header = draw(changed_json(header))
    try:
        said = json.dumps(header).encode()
    except ValueError:
        said = b"{}"
    return struct.pack("<Q", len(said)) + said + rest
