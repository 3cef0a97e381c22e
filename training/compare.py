"""`python -m training.compare CONFIG`: train the image model in several ways on the same budget, and table the validation figures.

The configuration is a training configuration with a `[[variants]]` list: each has a `name` and the settings of `[image]` that it
changes. Each variant trains as a step of its own, so an interrupted comparison goes on where it stopped.
"""

import argparse
import dataclasses
import json
import os
import tomllib
from pathlib import Path

COLUMNS = ("validation_top1", "validation_top5", "validation_mean_class_top1")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m training.compare", description="Compare ways to train the image model.")
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/comparison.toml")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder that holds the data (default: data)")
    parser.add_argument("--work", type=Path, default=Path("work"), help="where finished steps are kept (default: work)")
    parser.add_argument("--weights", help="a file of ImageNet weights of the backbone, in place of Keras's download")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    results = compare(options.config, options.data, options.work, options.weights)
    for name, row in results.items():
        print(f"{name:32}" + "".join(f"{row[column]:8.4f}" for column in COLUMNS))
    if options.to:
        options.to.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def compare(path, data, work, weights=None):
    """Train every variant of a configuration. → dict, name → validation figures of its best epoch"""
    from training.config import load_config
    from training.pipeline import Pipeline

    text = path.read_text("utf-8")
    variants = tomllib.loads(text)["variants"]
    base = load_config(path)
    results = {}
    for variant in variants:
        changes = _tupled({key: value for key, value in variant.items() if key != "name"})
        config = dataclasses.replace(base, image=dataclasses.replace(base.image, **changes))
        pipeline = Pipeline(config, text, data, work / base.name, weights)
        folder = pipeline.trained()
        log = [entry for entry in json.loads((folder / "done.json").read_text())["log"] if entry["stage"] == config.image.stages[-1].name]
        best = max(log, key=lambda entry: entry["validation_top1"])
        results[variant["name"]] = {column: best[column] for column in COLUMNS}
    return results


def _tupled(changes):
    from training.image_model import Stage

    if "stages" in changes:
        changes["stages"] = tuple(Stage(**stage) for stage in changes["stages"])
    return changes


if __name__ == "__main__":
    main()
