"""Puts trained parts together: the folders of the image and the title model, categories, manifest → one bundle."""

import importlib.metadata
import json
import shutil

from productcat.bundle import write_bundle
from productcat.projections import CategoryProjections

PACKAGES = ("tensorflow", "keras", "gensim", "onnx", "onnxruntime", "numpy")


def versions():
    """The versions of the packages that a bundle's content depends on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def assemble(path, manifest, classes, image, title, projections=None, duplicates=None):
    """Write a bundle.

    Parameters
    ----------
    path : pathlib.Path
        A new directory.
    manifest : dict
        name, description, ensemble, decision_rule, trained_from, metrics, ...
    classes : list of dict
        name and parents, in the order of the models' outputs.
    image, title : pathlib.Path, or None
        Folders with the finished parts. One of them may be missing: then the bundle has no such part.
    projections : CategoryProjections, optional
        Without, the categories are the classes.
    duplicates : SetMetric, optional
        Without, the bundle detects no duplicates.

    Raises
    ------
    ValueError
        Both parts are missing.
    """
    parts = {name: source for name, source in (("image", image), ("title", title)) if source is not None}
    if not parts:
        raise ValueError(f"{path}: neither an image nor a title part; a bundle needs at least one of them")
    names = [each["name"] for each in classes]

    def fill(folder):
        (folder / "classes.json").write_text(json.dumps(classes, ensure_ascii=False, indent=1), "utf-8")
        for part, source in parts.items():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("done.json"))
        (projections or CategoryProjections.of_classes(names)).save(folder / "projections")
        if duplicates:
            duplicates.save(folder / "duplicates")

    write_bundle(path, {**manifest, "versions": versions()}, fill)
