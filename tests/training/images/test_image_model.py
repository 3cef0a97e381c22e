"""The settings of the image model, and the precision that it is trained in."""

import pytest


def test_a_first_stage_has_no_start_to_end_half_way_from():
    from training.images.image_model import ImageConfig, Stage

    with pytest.raises(ValueError, match="'all' has average_with_start"):
        ImageConfig(stages=(Stage("all", 4, 0.02, average_with_start=True),))


@pytest.mark.parametrize(("flags", "expected"), [("fma avx2", "float32"), ("avx512f avx512_bf16", "mixed_bfloat16")])
def test_the_precision_is_one_that_the_processor_computes_in(monkeypatch, tmp_path, flags, expected):
    import keras

    from training.images import image_model

    (tmp_path / "cpuinfo").write_text(f"flags : {flags}")
    monkeypatch.setattr(image_model, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"])
    assert image_model.policy("auto") == expected
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["CPU:0", "gpu:0"])
    assert image_model.policy("auto") == "mixed_bfloat16"


def test_an_unknown_precision_is_named():
    from training.images.image_model import ImageConfig

    with pytest.raises(ValueError, match="precision is 'half': expected one of auto, float32, bfloat16"):
        ImageConfig(precision="half")
