"""Weights of Keras models as safetensors files: whole in a work folder, in 8 bits in a bundle."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

WEIGHTS = "weights.safetensors"
"""The file in the "image" part of a bundle."""

SCALE = "/scale"
"""Ends the name of the steps of a kernel that is kept in 8 bits."""

STEPS = 127


def values_of(variables, prefix=""):
    """The values of Keras variables, by path, or by number after a prefix. → dict, name → ndarray"""
    return {prefix + str(i) if prefix else v.path: np.asarray(v) for i, v in enumerate(variables)}


def assign(variables, tensors, prefix=""):
    """Give variables the values that `values_of` took."""
    for i, variable in enumerate(variables):
        value = tensors[prefix + str(i) if prefix else variable.path]
        # `save_tensors` gives scalars, such as the optimizer's step count, one dimension, which Keras would refuse.
        variable.assign(value.reshape(variable.shape) if value.size == 1 else value)


def save_tensors(path, tensors, metadata=None):
    """Write whole or not at all: a kill while saving leaves the file before."""
    temporary = path.with_suffix(".tmp")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary, metadata)
    temporary.replace(path)


def metadata_of(path):
    """The metadata of a safetensors file. → dict"""
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size))["__metadata__"]


def compact(tensors):
    """float32 weights as a bundle keeps them, to go on training from: kernels in 8 bits, all else as it is.

    A kernel becomes int8 in steps of its own for each output channel, as in the int8 graph beside it; the steps are
    kept under its name and "/scale". Biases and batch normalization stay in float32.
    """
    kept = {}
    for name, value in tensors.items():
        value = np.asarray(value, np.float32)
        if value.ndim > 1:
            # the last axis has the outputs, but for kernels of single channels, where the one before has them
            axis = -1 if value.shape[-1] > 1 else -2
            others = tuple(each for each in range(value.ndim) if each != axis % value.ndim)
            scale = np.maximum(np.abs(value).max(axis=others, keepdims=True), 1e-12) / STEPS
            value, kept[name + SCALE] = np.round(value / scale).astype(np.int8), scale
        kept[name] = value
    return kept


def load_weights(path):
    """The float32 tensors in a file, `compact` ones or others. → dict, name → ndarray"""
    tensors = load_file(path)
    scales = {name.removesuffix(SCALE): tensors.pop(name) for name in list(tensors) if name.endswith(SCALE)}
    return {name: value.astype(np.float32) * scales.get(name, 1) for name, value in tensors.items()}
