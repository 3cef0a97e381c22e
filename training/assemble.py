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


def assemble(path, manifest, classes, image, title, projections=None):
    """Write a bundle.

    Parameters
    ----------
    path : pathlib.Path
        A new directory.
    manifest : dict
        name, description, ensemble, decision_rule, trained_from, metrics, ...
    classes : list of dict
        name and parents, in the order of the models' outputs.
    image, title : pathlib.Path
        Folders with the finished parts.
    projections : CategoryProjections, optional
        Without, the categories are the classes.
    """
    names = [each["name"] for each in classes]

    def fill(folder):
        (folder / "classes.json").write_text(json.dumps(classes, ensure_ascii=False, indent=1), "utf-8")
        for source, part in ((image, "image"), (title, "title")):
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("done.json"))
        (projections or CategoryProjections.of_classes(names)).save(folder / "projections")

    write_bundle(path, {**manifest, "versions": versions()}, fill)
