"""Puts trained parts together: the folders of the image and the title model, categories, manifest → one bundle."""

import importlib.metadata
import json
import shutil

from productcat.categories.projections import CategoryProjections
from productcat.models.bundle import write_bundle
from training.images.weights import WEIGHTS

PACKAGES = ("tensorflow", "keras", "gensim", "onnx", "onnxruntime", "numpy")

LEARNT = {"image", "title"}
"""Parts that know the classes."""


def versions():
    """The versions of the packages that a bundle's content depends on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def assemble(path, manifest, classes, parts, projections=None, duplicates=None):
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
        prototypes, in the place of the one that knows the classes.
    projections : CategoryProjections, optional
        Without, the categories are the classes.
    duplicates : SetMetric, optional
        Without, the bundle detects no duplicates.

    Raises
    ------
    ValueError
        Both "image" and "title" are missing.
    """
    parts = {name: source for name, source in parts.items() if source is not None}
    if not LEARNT & set(parts):
        raise ValueError(f"{path}: neither an image nor a title part; a bundle needs at least one of them")
    names = [each["name"] for each in classes]

    def fill(folder):
        (folder / "classes.json").write_text(json.dumps(classes, ensure_ascii=False, indent=1), "utf-8")
        for part, source in parts.items():
            left_out = ("done.json",) if part in LEARNT else ("done.json", WEIGHTS)
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns(*left_out))
        (projections or CategoryProjections.of_classes(names)).save(folder / "projections")
        if duplicates:
            duplicates.save(folder / "duplicates")

    write_bundle(path, {**manifest, "versions": versions()}, fill)
