"""Bundles that are sealed rightly and wrong inside, as a careless maker or a hostile one would seal them."""

import json

from safetensors.numpy import load_file, save_file

from productcat.models.bundle import MANIFEST, Bundle, seal, write_bundle


def resealed(bundle, path, changes, manifest=None):
    """Write a sealed copy of a bundle, and return its path.

    changes : dict, name of a file → its new content as bytes, or a function that is given the file and changes it
    manifest : dict, optional
        Entries that take the place of those of the same name; one that is None is left out.
    """
    opened = Bundle.open(bundle)

    def fill(folder):
        opened.copy_files(folder)
        for name, change in changes.items():
            if callable(change):
                change(folder / name)
            else:
                (folder / name).write_bytes(change)

    write_bundle(path, opened.manifest, fill)
    forge(path, **(manifest or {}))
    return path


def forge(path, **changes):
    """Give a bundle another manifest with a seal that fits. Entries that are None are left out."""
    manifest = {**json.loads((path / MANIFEST).read_text("utf-8")), **changes}
    manifest = {name: each for name, each in manifest.items() if each is not None}
    (path / MANIFEST).write_text(json.dumps(manifest | {"seal": seal(manifest)}), "utf-8")


def entries(**changes):
    """A change of a file of JSON: other entries, left out where they are None."""

    def change(file):
        found = {**json.loads(file.read_text("utf-8")), **changes}
        file.write_text(json.dumps({name: each for name, each in found.items() if each is not None}), "utf-8")

    return change


def tensors(**changes):
    """A change of a file of safetensors: a function of each old array, or None for an array that is left out."""

    def change(file):
        found = load_file(file)
        for name, make in changes.items():
            name = name.replace("__", "/")
            old = found.pop(name, None)
            if make is not None:
                found[name] = make(old)
        save_file(found, file)

    return change


def varint(number):
    """A whole number as Protocol Buffers encode it."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def field(number, value):
    """A field of Protocol Buffers: a whole number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def with_graph(*fields):
    """A change of a network: fields that its graph has besides. Where two graphs follow each other they become one."""

    def change(file):
        file.write_bytes(file.read_bytes() + field(7, b"".join(fields)))

    return change


def node(operator, *fields, domain=b""):
    """The field of one node of a graph."""
    return field(1, b"".join([field(2, b"unused"), field(4, operator), field(7, domain), *fields]))


def attribute(name, value):
    """The field of one attribute of a node: a whole number, or a list of them."""
    if isinstance(value, int):
        return field(5, field(1, name) + field(3, value) + field(20, 2))
    return field(5, field(1, name) + b"".join(field(8, each) for each in value) + field(20, 7))


def value(number, name, kind, *shape):
    """The field of an input (11) or an output (12) of a graph. shape : 0 is an open length"""
    axes = b"".join(field(1, field(1, each) if each else field(2, b"n")) for each in shape)
    return field(number, field(1, name) + field(2, field(1, field(1, kind) + field(2, axes))))


def own_network(last=b"Softmax"):
    """A network for photos of the shop, as bytes. `last` makes the distribution of the mean colour, its feature."""
    graph = [
        field(1, field(1, b"photos") + field(2, b"real") + field(4, b"Cast") + attribute(b"to", 1)),
        field(
            1,
            field(1, b"real")
            + field(2, b"colour")
            + field(4, b"ReduceMean")
            + attribute(b"axes", [1, 2])
            + attribute(b"keepdims", 0),
        ),
        field(1, field(1, b"colour") + field(2, b"distribution") + field(4, last)),
        field(1, field(1, b"colour") + field(2, b"embedding_top") + field(4, b"Identity")),
        field(2, b"own"),
        value(11, b"photos", 2, 0, 32, 24, 3),
        value(12, b"distribution", 1, 0, 3),
        value(12, b"embedding_top", 1, 0, 3),
    ]
    return field(1, 8) + field(8, field(2, 13)) + field(7, b"".join(graph))
