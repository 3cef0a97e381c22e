"""Keeps weights of Keras models in safetensors files: whole in a work folder, in 8 bits in a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

if TYPE_CHECKING:  # not needed to read and write files, and slow to import
    import keras

WEIGHTS = "weights.safetensors"
"""Name of the file in the "image" part of a bundle."""

SCALE = "/scale"
"""Ending of the name of the steps of a kernel that is kept in 8 bits."""

STEPS = 127
"""Number of steps from 0 to the largest weight of a channel."""


def values_of(variables: Iterable[keras.Variable], prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the values of Keras variables by their paths, or by their numbers after a prefix."""
    return {f"{prefix}{i}" if prefix else each.path: np.asarray(each) for i, each in enumerate(variables)}


def assign(variables: Iterable[keras.Variable], tensors: Mapping[str, NDArray[Any]], prefix: str = "") -> None:
    """Give variables the values that `values_of` returned."""
    for i, variable in enumerate(variables):
        value = tensors[f"{prefix}{i}" if prefix else variable.path]
        # `save_tensors` gives scalars, such as the optimizer's step count, one dimension, which Keras would refuse.
        variable.assign(value.reshape(variable.shape) if value.size == 1 else value)


def save_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> None:
    """Write a file whole or not at all: after a kill the earlier file is still there."""
    temporary = path.with_suffix(".tmp")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary, metadata)
    temporary.replace(path)


def metadata_of(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size))["__metadata__"]


def compact(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return weights as a bundle keeps them, so that training can go on from them: kernels in int8, others in float32.

    Each output channel of a kernel has its own step, as in the int8 graph beside it. The steps are kept under the
    kernel's name and "/scale".
    """
    kept: dict[str, NDArray[Any]] = {}
    for name, value in tensors.items():
        kept[name] = value = np.asarray(value, np.float32)
        if value.ndim > 1:
            # The last axis has the outputs; in kernels of single channels the one before has them.
            axis = -1 if value.shape[-1] > 1 else -2
            others = tuple(each for each in range(value.ndim) if each != axis % value.ndim)
            scale = np.maximum(np.abs(value).max(axis=others, keepdims=True), 1e-12) / STEPS
            kept[name + SCALE] = scale
            kept[name] = np.round(value / scale).astype(np.int8)
    return kept


def load_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a file in float32, whether they are `compact` or not."""
    tensors = load_file(path)
    kept = [name for name in tensors if not name.endswith(SCALE)]
    return {name: tensors[name].astype(np.float32) * tensors.get(name + SCALE, 1) for name in kept}
