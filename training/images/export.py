"""Keras → ONNX, float32 and int8, each measured against the Keras model before it may go into a bundle."""

import json
import logging
import shutil
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from productcat.models.image_model import DISTRIBUTION, GRAPH, SETTINGS, ImageModel, runtime
from training.images.weights import WEIGHTS, compact, save_tensors, values_of
from training.metrics import top_k

EMBEDDING = "embedding_"
FLOAT_TOLERANCE = 1e-4
"""Largest difference of a probability between Keras and the exported float graph."""
INT8_TOLERANCE = 0.003
"""Largest loss of validation top-1 at which the int8 graph is taken instead of the float one."""
BATCH = 128


def export(model, folder, photo_size, validation, calibration):
    """Write the "image" part of a bundle from any Keras model that gives a distribution.

    Parameters
    ----------
    model : keras.Model
        uint8 photos (n, height, width, 3) → dict with "distribution" of shape (n, n_classes), rows sum to 1, and any
        number of "embedding_<level>" of shape (n, n_features). Preprocessing is the model's own business.
    folder : pathlib.Path
    photo_size : (height, width)
    validation : (photos, labels)
        Prove the exports: the float graph must give Keras's probabilities, and the int8 graph goes into the bundle
        only if it costs no more than `INT8_TOLERANCE` of top-1.
    calibration : ndarray of shape (n, height, width, 3), dtype uint8
        Training photos from which int8 ranges are taken; some hundred.

    Returns
    -------
    dict
        What was measured.

    Raises
    ------
    ValueError
        The model has no such output, or the float graph differs from Keras by `FLOAT_TOLERANCE` or more.
    """
    _levels(model)  # before anything is written
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


def compare(model, exported, photos):
    """Run Keras and the exported graph on the same photos.

    Returns
    -------
    difference : float
        The largest of a probability.
    distributions : ndarray of shape (n, n_classes)
        What the exported graph gives.
    """
    distributions = run_all(exported, photos)
    worst = 0.0
    for start in range(0, len(photos), BATCH):
        batch = np.asarray(photos[slice(start, start + BATCH)])
        expected = np.asarray(model.predict_on_batch(batch)[DISTRIBUTION])
        worst = max(worst, float(np.abs(expected - distributions[start : start + BATCH]).max()))
    if worst >= FLOAT_TOLERANCE:
        raise ValueError(f"the exported graph differs from Keras by {worst:.2g}; allowed is {FLOAT_TOLERANCE}")
    return worst, distributions


def run_all(model, photos):
    """Distributions of many photos, batch by batch. → ndarray of shape (n, n_classes)"""
    parts = [model.run(np.asarray(photos[slice(i, i + BATCH)]))[0] for i in range(0, len(photos), BATCH)]
    return np.concatenate(parts)


def export_float(model, path, photo_size):
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
            # Keras asks NumPy for a name that NumPy is about to give another meaning.
            warnings.filterwarnings("ignore", "In the future `np.object` will be defined", FutureWarning)
            exported.export(raw, format="onnx", verbose=False)
        graph = onnx.load(raw)
    _rename(graph, names)
    _number(graph.graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)
    return levels


def _levels(model):
    """The names of a model's embeddings, sorted. Raises ValueError where it gives no distribution."""
    given = list(model.output) if isinstance(model.output, dict) else ["outputs without names"]
    if DISTRIBUTION not in given:
        raise ValueError(f'the model gives {", ".join(given)}: expected an output called "{DISTRIBUTION}"')
    return tuple(sorted(name for name in given if name.startswith(EMBEDDING)))


def _rename(graph, names):
    """Give the graph's input and outputs the names that the runtime asks for."""
    new = {graph.graph.input[0].name: "photos"}
    new |= {output.name: name for output, name in zip(graph.graph.output, names, strict=True)}
    for value in [*graph.graph.input, *graph.graph.output]:
        value.name = new[value.name]
    for node in graph.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]


def _number(graph):
    """Name everything inside by number, constants in the order of use, and the number of photos "n".

    tf2onnx and Keras name and order things anew in every process, and the same weights should give the same file.
    """
    constants = {constant.name: constant for constant in graph.initializer}
    used = dict.fromkeys(name for node in graph.node for name in node.input if name in constants)
    kept = {value.name for value in [*graph.input, *graph.output]}
    between = [name for node in graph.node for name in node.output if name and name not in kept]
    new = {name: f"constant_{number}" for number, name in enumerate(used)}
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
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    graph.ClearField("doc_string")  # names a function of this process
    graph.ClearField("value_info")  # shapes in between, which whoever needs them finds out anew


def quantize(source, path, photos):
    """Turn a float32 graph into int8: per-channel weights, activations calibrated on photos.

    Quantize-dequantize form after Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference".

    Parameters
    ----------
    source, path : pathlib.Path
    photos : ndarray of shape (n, height, width, 3), dtype uint8
        Training photos; some hundred give stable ranges.
    """
    runtime()
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
            # 7-bit weights: processors without VNNI add pairs of products in 16 bits, which 8-bit weights overflow.
            reduce_range=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv", "Add", "MaxPool", "Relu", "Gemm"],
        )


class _Batches:
    """What onnxruntime's calibration wants: dicts of inputs, then None."""

    def __init__(self, photos, size=32):
        self.parts = iter(photos[i : i + size] for i in range(0, len(photos), size))

    def get_next(self):
        part = next(self.parts, None)
        return None if part is None else {"photos": part}
