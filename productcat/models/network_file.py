"""Look into a network in ONNX form without running it, and refuse what a photo's network does not need.

ONNX Runtime runs whatever a graph says. A loop need not end, an operator of another maker may be code, and weights may
lie in any file of the machine, which no checksum covers. So a graph is read here first, field by field, as Protocol
Buffers encode it. Only fields that matter are followed. A field that is there twice is looked at twice.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

OWN_DOMAINS = {b"", b"ai.onnx"}
"""Names of the set of operators that ONNX itself defines."""

CONTROL = {b"If", b"Loop", b"Scan", b"SequenceMap"}
"""Operators that run other graphs."""

LARGEST_SIDE = 1_024
"""Number of pixels that a side of a photo may have. Networks take a few hundred."""

LONGEST_AXIS = 2**20
"""Number of classes or features above which an output is not meant seriously."""

SHORT = 64
"""Number of bytes up to which an attribute is often there again."""

VALUES_PER_BYTE = 8
"""Number of stored values that one byte may hold at most."""

UINT8, FLOAT = 2, 1
"""Numbers of the kinds of values that photos and outputs have."""

OTHER_FORMAT = b"ORTM"
"""Bytes 4 to 8 of a network in ONNX Runtime's own form, which is not read here."""

LARGEST_TAG = 2**32 - 1
"""Greatest tag of a field. The runtime drops the bits above, so a greater one is another field to it than here."""

# Numbers of the fields in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto that are followed in each message.
MODEL = GRAPH, TRAINING, FUNCTIONS = 7, 20, 25
IN_GRAPH = NODE, WEIGHTS, INPUT, OUTPUT, SPARSE_WEIGHTS = 1, 5, 11, 12, 15
IN_NODE = OPERATOR, ATTRIBUTE, DOMAIN = 4, 5, 7
IN_ATTRIBUTE = TENSOR, SUBGRAPH, TENSORS, SUBGRAPHS, SPARSE, SPARSES = 5, 6, 10, 11, 22, 23
IN_TENSOR = LENGTHS, EXTERNAL, LOCATION = 1, 13, 14
IN_VALUE = NAME, TYPE = 1, 2
OF_TENSORS = (1,)
IN_TENSOR_TYPE = KIND, SHAPE = 1, 2
IN_SHAPE = IN_AXIS = (1,)

Shape: TypeAlias = tuple[int | None, ...]
"""Lengths of axes, None where the length is open."""

Span: TypeAlias = tuple[int, int]
"""Where the bytes of a message, a text or packed numbers begin and end in the content of a file."""


Content: TypeAlias = bytes | mmap.mmap
"""The content of a file, in memory or not."""


class UnfitNetworkError(Exception):
    """A network cannot be used. The message says why, without the file's name, such as "has a loop"."""


@dataclass(frozen=True)
class Axes:
    """What a graph declares of an input or an output. kind : the number of its kind of values"""

    kind: int
    shape: Shape


@dataclass(frozen=True)
class NetworkFile:
    """What goes into a network and what comes out, by names."""

    inputs: dict[str, Axes] = field(default_factory=dict)
    outputs: dict[str, Axes] = field(default_factory=dict)

    @classmethod
    def read(cls, content: Content) -> "NetworkFile":
        """Read a network. Raises UnfitNetworkError where it is not ONNX, or can do more than compute once."""
        if content[4:8] == OTHER_FORMAT:
            raise UnfitNetworkError("is not ONNX")
        found = cls()
        graphs = [value for number, value in _fields(content, (0, len(content)), MODEL) if number == GRAPH]
        if not graphs:
            raise UnfitNetworkError("is not ONNX")
        if any(number != GRAPH for number, _ in _fields(content, (0, len(content)), MODEL)):
            raise UnfitNetworkError("has functions of its own")
        for graph in graphs:
            _look_at_graph(content, _span(graph), found, set())
        return found

    def check(self, size: tuple[int, int], outputs: list[str]) -> None:
        """Raise UnfitNetworkError unless photos of a size go in, and these outputs, one row for each, come out."""
        photos = self.inputs.get("photos")
        if photos is None or len(self.inputs) > 1:
            raise UnfitNetworkError(f"has the inputs {_listed(self.inputs)}, expected 'photos' alone")
        if photos.kind != UINT8 or not _fits(photos.shape, (None, *size, 3)):
            raise UnfitNetworkError(f"does not take photos of {size[0]} × {size[1]} pixels, uint8")
        for name in outputs:
            if name not in self.outputs:
                raise UnfitNetworkError(f"has the outputs {_listed(self.outputs)}, expected {name!r} among them")
            axes, width = self.outputs[name], self.width(name)
            if axes.kind != FLOAT or not _fits(axes.shape, (None, None)):
                raise UnfitNetworkError(f"does not give {name!r} as rows of float32")
            if width is None or not 0 < width <= LONGEST_AXIS:
                said = "an open number of" if width is None else f"{width:,}"
                raise UnfitNetworkError(f"gives {said} values as {name!r}, expected from 1 to {LONGEST_AXIS:,}")

    def width(self, output: str) -> int | None:
        """Return how many numbers an output has for each photo; None where the graph leaves it open."""
        shape = self.outputs[output].shape
        return shape[1] if len(shape) == 2 else None


def _listed(names: dict[str, Axes]) -> str:
    return ", ".join(f"{each!a:.40}" for each in list(names)[:5]) or "none"


def _fits(shape: Shape, expected: Shape) -> bool:
    """Tell whether lengths can be the expected ones. A graph may leave open even how many axes there are."""
    return not shape or (
        len(shape) == len(expected)
        and all(None in (each, wanted) or each == wanted for each, wanted in zip(shape, expected, strict=True))
    )


def _look_at_graph(content: Content, graph: Span, found: NetworkFile, known: set[bytes]) -> None:
    """Look at all that is in a graph. known : attributes that were looked at, of which many are the same"""
    for number, value in _fields(content, graph, IN_GRAPH):
        if number == NODE:
            _look_at_node(content, _span(value), known)
        elif number == WEIGHTS:
            _look_at_tensor(content, _span(value))
        elif number == SPARSE_WEIGHTS:
            raise UnfitNetworkError("has sparse weights")
        else:
            (found.inputs if number == INPUT else found.outputs).update(_axes(content, _span(value)))


def _look_at_node(content: Content, node: Span, known: set[bytes]) -> None:
    for number, value in _fields(content, node, IN_NODE):
        start, end = _span(value)
        if number == ATTRIBUTE:
            if end - start > SHORT:
                _look_at_attribute(content, (start, end))
            elif (attribute := content[start:end]) not in known:
                _look_at_attribute(content, (start, end))
                known.add(attribute)
        elif number == OPERATOR and content[start:end] in CONTROL:
            raise UnfitNetworkError(f"has the operator {content[start:end].decode()}, which runs another graph")
        elif number == DOMAIN and content[start:end] not in OWN_DOMAINS:
            raise UnfitNetworkError(f"has an operator of {content[start:end]!r:.60}, expected only those of ONNX")


def _look_at_attribute(content: Content, attribute: Span) -> None:
    for number, value in _fields(content, attribute, IN_ATTRIBUTE):
        if number in (SUBGRAPH, SUBGRAPHS):
            raise UnfitNetworkError("has an operator that runs another graph")
        if number in (SPARSE, SPARSES):
            raise UnfitNetworkError("has sparse weights")
        _look_at_tensor(content, _span(value))


def _look_at_tensor(content: Content, tensor: Span) -> None:
    n_values = 1
    for number, value in _fields(content, tensor, IN_TENSOR):
        if number == EXTERNAL or (number == LOCATION and value != 0):
            raise UnfitNetworkError("has weights in another file, which no checksum covers")
        for length in _whole_numbers(content, value) if number == LENGTHS else ():
            n_values = min(n_values * length, 2**63)
    if n_values > VALUES_PER_BYTE * (tensor[1] - tensor[0]):
        raise UnfitNetworkError("has weights of more values than it holds")


def _axes(content: Content, value_info: Span) -> dict[str, Axes]:
    """Return what an input or an output declares: name → axes."""
    name, kind = "", 0
    shape: list[int | None] = []
    for number, value in _fields(content, value_info, IN_VALUE):
        start, end = _span(value)
        if number == NAME:
            name = content[start:end].decode("utf-8", "backslashreplace")
            continue
        for _, of_tensor in _fields(content, (start, end), OF_TENSORS):
            for inner_number, inner in _fields(content, _span(of_tensor), IN_TENSOR_TYPE):
                if inner_number == SHAPE:
                    shape += [_length(content, _span(axis)) for _, axis in _fields(content, _span(inner), IN_SHAPE)]
                else:
                    kind = inner if isinstance(inner, int) else 0
    return {name: Axes(kind, tuple(shape))}


def _length(content: Content, axis: Span) -> int | None:
    """Return the length of an axis; None where it is open: it then has a name, or nothing."""
    lengths = [value for _, value in _fields(content, axis, IN_AXIS) if isinstance(value, int)]
    return lengths[-1] if lengths else None


def _whole_numbers(content: Content, value: int | Span) -> Iterator[int]:
    """Yield the numbers of a repeated field: one, or many packed."""
    if isinstance(value, int):
        yield value
        return
    place, end = value
    while place < end:
        number, place = _varint(content, place, end)
        yield number


def _span(value: int | Span) -> Span:
    """Return where the bytes of a text or of a message lie."""
    if isinstance(value, int):
        raise UnfitNetworkError("is not ONNX")
    return value


def _fields(content: Content, message: Span, wanted: tuple[int, ...]) -> Iterator[tuple[int, int | Span]]:
    """Yield the number of each wanted field of a message, and what it holds: a whole number, or where its bytes lie."""
    place, end = message
    while place < end:
        # A network has thousands of tags and lengths, nearly all of one byte. It would take longer to call a function.
        tag = content[place]
        if tag < 128:
            place += 1
        else:
            tag, place = _varint(content, place, end)
            if tag > LARGEST_TAG:
                raise UnfitNetworkError("is not ONNX")
        kind, value = tag & 7, 0
        if kind in (0, 2):
            if place < end and (value := content[place]) < 128:
                place += 1
            else:
                value, place = _varint(content, place, end)
        elif kind in (1, 5):
            value = 8 if kind == 1 else 4
        else:
            raise UnfitNetworkError("is not ONNX")  # groups, which nobody writes
        start = place
        if kind != 0:
            place += value
            if place > end:
                raise UnfitNetworkError("is not ONNX")
        if tag >> 3 in wanted:
            yield tag >> 3, value if kind == 0 else (start, place)


def _varint(content: Content, place: int, end: int) -> tuple[int, int]:
    """Return the whole number that begins at a place, and the place after it."""
    found = 0
    for shift, byte in enumerate(content[place : min(place + 10, end)]):
        found |= (byte & 127) << (7 * shift)
        if byte < 128:
            return found & (2**64 - 1), place + shift + 1
    raise UnfitNetworkError("is not ONNX")
