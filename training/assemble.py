"""Puts trained parts together: folders of the image and the title model, categories and manifest → one bundle."""

import importlib.metadata
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from productcat.categories.projections import CategoryProjections
from productcat.duplicates.metric import SetMetric
from productcat.models.bundle import write_bundle
from training.images.weights import WEIGHTS

PACKAGES = ("tensorflow", "keras", "gensim", "onnx", "onnxruntime", "numpy")

LEARNT = {"image", "title"}
"""Parts that know the classes."""


def versions() -> dict[str, str]:
    """Return the versions of the packages that a bundle's content depends on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def assemble(
    path: Path,
    manifest: dict[str, Any],
    classes: Sequence[dict[str, Any]],
    parts: Mapping[str, Path | None],
    projections: CategoryProjections | None = None,
    duplicates: SetMetric | None = None,
) -> None:
    """Write a bundle.

    Parameters
    ----------
    path : pathlib.Path
        A new directory.
    manifest : dict
        name, description, ensemble, decision_rule, trained_from, metrics, ...
    classes : list of dict
        name and parents, in the order of the models' outputs.
    parts : dict, "image" | "title" | "features" → pathlib.Path or None
        Folders with the finished parts; the bundle lacks those that are missing. "features": an image model for
        prototypes, instead of the one that knows the classes.
    projections : CategoryProjections, optional
        Without them, the categories are the classes.
    duplicates : SetMetric, optional
        Without it, the bundle detects no duplicates.

    Raises
    ------
    ValueError
        Both "image" and "title" are missing.
    """
    given = {name: source for name, source in parts.items() if source is not None}
    if not LEARNT & set(given):
        raise ValueError(f"{path}: neither an image nor a title part; a bundle needs at least one of them")
    names = [each["name"] for each in classes]

    def fill(folder: Path) -> None:
        (folder / "classes.json").write_text(json.dumps(classes, ensure_ascii=False, indent=1), "utf-8")
        for part, source in given.items():
            left_out = ("done.json",) if part in LEARNT else ("done.json", WEIGHTS)
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(*left_out))
        (projections or CategoryProjections.of_classes(names)).save(folder / "projections")
        if duplicates:
            duplicates.save(folder / "duplicates")

    write_bundle(path, {**manifest, "versions": versions()}, fill)
