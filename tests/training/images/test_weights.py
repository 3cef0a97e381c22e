"""Weights in files: whole, or in 8 bits as in a bundle."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.numpy import load_file

from training.images.weights import compact, load_weights, save_tensors


@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=4, max_side=5), elements=st.floats(-1e9, 1e9, width=32)))
def test_compact_weights_come_back_within_half_a_step_of_their_channel(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    kept = compact({"w": values})
    save_tensors(path, kept)
    step = kept["w/scale"] if values.ndim > 1 else 0.0
    back = load_weights(path)["w"]
    assert back.dtype == np.float32
    assert back.shape == values.shape
    assert (np.abs(back - values) <= 0.5 * step * (1 + 1e-3)).all()


def test_a_bundle_keeps_kernels_in_8_bits_and_vectors_in_float32(made_bundle):
    tensors = load_file(made_bundle / "image/weights.safetensors")
    kernels = {name for name in tensors if f"{name}/scale" in tensors}
    assert {name.rpartition("/")[2] for name in kernels} == {"kernel"}
    assert {tensor.dtype.name for name, tensor in tensors.items() if name in kernels} == {"int8"}
    assert {tensor.dtype.name for name, tensor in tensors.items() if name not in kernels} == {"float32"}
    kept = load_weights(made_bundle / "image/weights.safetensors")
    assert kept.keys() == {name for name in tensors if not name.endswith("/scale")}
