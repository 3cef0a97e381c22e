"""Exports Keras models to ONNX, in float32 and int8; measures each against Keras before it goes into a bundle."""

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from productcat.calibration.reliability import top_k
from productcat.models.image_model import DISTRIBUTION, GRAPH, SETTINGS, ImageModel, runtime
from training.images.photos import LabelledPhotos, Photos
from training.images.weights import WEIGHTS, compact, save_tensors, values_of

EMBEDDING = "embedding_"
FLOAT_TOLERANCE = 1e-4
"""Threshold for the difference of a probability between Keras and the exported float graph."""

INT8_TOLERANCE = 0.003
"""Threshold for the loss of validation top-1, up to which the int8 graph is taken instead of the float one."""

PHOTOS_AT_ONCE = 128
"""Number of photos run together."""


def export(
    model: keras.Model,
    folder: Path,
    photo_size: tuple[int, int],
    validation: LabelledPhotos,
    calibration: NDArray[np.uint8],
) -> dict[str, Any]:
    """Write the "image" part of a bundle from any Keras model that gives a distribution.

    Parameters
    ----------
    model : keras.Model
        uint8 photos (n, height, width, 3) → dict with "distribution" of shape (n, n_classes), rows sum to 1, and any
        number of "embedding_<level>" of shape (n, n_features). Preprocessing is inside the model.
    folder : pathlib.Path
    photo_size : (height, width)
    validation : (photos, labels)
        To check the exports: the float graph must give Keras's probabilities, and the int8 graph goes into the bundle
        only if it costs at most `INT8_TOLERANCE` of top-1.
    calibration : ndarray of shape (n, height, width, 3), dtype uint8
        Some hundred training photos, from which int8 ranges are taken.

    Returns
    -------
    dict
        What was measured.

    Raises
    ------
    ValueError
        The model has no such output, or the float graph differs from Keras by `FLOAT_TOLERANCE` or more.
    """
    _levels(model)  # fails before anything is written
    save_tensors(folder / WEIGHTS, compact(values_of(model.weights)))
    photos, labels = validation
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "float.onnx"
        levels = export_float(model, graph, photo_size)
        difference, distributions = compare(model, ImageModel(graph, photo_size, levels), photos)
        quantize(graph, folder / GRAPH, calibration)
        top1 = {"float32": float(top_k(distributions, labels, 1).mean())}
        distributions = run_all(ImageModel(folder / GRAPH, photo_size, levels), photos)
        top1["int8"] = float(top_k(distributions, labels, 1).mean())
        arithmetic = "int8" if top1["float32"] - top1["int8"] <= INT8_TOLERANCE else "float32"
        if arithmetic == "float32":
            shutil.copy(graph, folder / GRAPH)
    settings = {"photo_size": list(photo_size), "levels": levels, "arithmetic": arithmetic}
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1), "utf-8")
    return {"float_max_difference": difference, "validation_top1": top1, "arithmetic": arithmetic}


def compare(model: keras.Model, exported: ImageModel, photos: Photos) -> tuple[float, NDArray[np.float64]]:
    """Run Keras and the exported graph on the same photos.

    Returns
    -------
    difference : float
        The largest difference of a probability.
    distributions : ndarray of shape (n, n_classes)
        Those of the exported graph.

    Raises
    ------
    ValueError
        The difference is `FLOAT_TOLERANCE` or more.
    """
    distributions = run_all(exported, photos)
    worst = 0.0
    for start in range(0, len(photos), PHOTOS_AT_ONCE):
        some = slice(start, start + PHOTOS_AT_ONCE)
        expected = np.asarray(model.predict_on_batch(np.asarray(photos[some]))[DISTRIBUTION])
        worst = max(worst, float(np.abs(expected - distributions[some]).max()))
    if worst >= FLOAT_TOLERANCE:
        raise ValueError(f"the exported graph differs from Keras by {worst:.2g}; allowed is {FLOAT_TOLERANCE}")
    return worst, distributions


def run_all(model: ImageModel, photos: Photos) -> NDArray[np.float64]:
    """Return the distributions of many photos, shape (n, n_classes)."""
    starts = range(0, len(photos), PHOTOS_AT_ONCE)
    return np.concatenate([model.run(np.asarray(photos[start : start + PHOTOS_AT_ONCE]))[0] for start in starts])


def export_float(model: keras.Model, path: Path, photo_size: tuple[int, int]) -> tuple[str, ...]:
    """Write a Keras model as an ONNX graph of float32 arithmetic.

    Parameters
    ----------
    model : keras.Model
        uint8 photos (n, height, width, 3) → dict with "distribution" and any number of "embedding_<level>". Other
        outputs are left out.
    path : pathlib.Path
    photo_size : (height, width)

    Returns
    -------
    tuple of str
        The names of the embeddings.
    """
    import onnx

    keras.mixed_precision.set_global_policy("float32")
    levels = _levels(model)
    names = (DISTRIBUTION, *levels)
    photos = keras.Input((*photo_size, 3), dtype="uint8", name="photos")
    outputs = model(photos)
    exported = keras.Model(photos, [outputs[name] for name in names])
    exported(np.zeros((1, *photo_size, 3), np.uint8))
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.onnx"
        with warnings.catch_warnings():
            # Keras uses a name of NumPy whose meaning will change.
            warnings.filterwarnings("ignore", "In the future `np.object` will be defined", FutureWarning)
            exported.export(raw, format="onnx", verbose=False)
        graph = onnx.load(raw)
    _rename(graph.graph, names)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)
    return levels


def _levels(model: keras.Model) -> tuple[str, ...]:
    """Return the names of a model's embeddings, sorted. Raise ValueError if it gives no distribution."""
    given = list(model.output) if isinstance(model.output, dict) else ["outputs without names"]
    if DISTRIBUTION not in given:
        raise ValueError(f'the model gives {", ".join(given)}: expected an output called "{DISTRIBUTION}"')
    return tuple(sorted(name for name in given if name.startswith(EMBEDDING)))


def _rename(graph: Any, outputs: Sequence[str]) -> None:
    """Give an `onnx.GraphProto` the names that the runtime uses, and number the rest, constants in the order of use.

    tf2onnx and Keras choose other names and another order in every process. The same weights should give the same file.
    """
    new = {graph.input[0].name: "photos"}
    new |= {output.name: name for output, name in zip(graph.output, outputs, strict=True)}
    constants = {constant.name: constant for constant in graph.initializer}
    used = dict.fromkeys(name for node in graph.node for name in node.input if name in constants)
    between = [name for node in graph.node for name in node.output if name and name not in new]
    new |= {name: f"constant_{number}" for number, name in enumerate(used)}
    new |= {name: f"value_{number}" for number, name in enumerate(between)}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    del graph.initializer[:]
    for name in used:
        constants[name].name = new[name]
        graph.initializer.append(constants[name])
    for value in [*graph.input, *graph.output]:
        value.name = new[value.name]
        value.type.tensor_type.shape.dim[0].dim_param = "n"  # the number of photos
    graph.ClearField("doc_string")  # names a function of this process
    graph.ClearField("value_info")  # shapes in between, which can be computed again


def quantize(source: Path, path: Path, photos: NDArray[np.uint8]) -> None:
    """Turn a float32 graph into int8: weights per channel, activations calibrated on photos.

    Quantize-dequantize form after Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference".

    Parameters
    ----------
    source, path : pathlib.Path
    photos : ndarray of shape (n, height, width, 3), dtype uint8
        Some hundred training photos, which give stable ranges.
    """
    runtime()  # sets the environment before ONNX Runtime is imported below
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            _Batches(photos),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # Weights of 7 bits: processors without VNNI add pairs of products in 16 bits, which 8 bits would overflow.
            reduce_range=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Add", "MaxPool", "Relu", "Gemm"],
        )


class _Batches:
    """Photos as onnxruntime's calibration reads them: dicts of inputs, then None."""

    def __init__(self, photos: NDArray[np.uint8], size: int = 32) -> None:
        self.inputs = ({"photos": photos[start : start + size]} for start in range(0, len(photos), size))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self.inputs, None)
