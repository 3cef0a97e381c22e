"""`python -m training.compare CONFIG`: train the image model in several ways on one budget, and table the figures.

The configuration is a training configuration with a `[[variants]]` list: each has a `name` and the settings of
`[image]` that it changes. Each variant trains as a step of its own, so an interrupted comparison goes on where it
stopped. The figures are those of the best epoch of the last stage, on the validation listings.
"""

import dataclasses
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from training.commands import (
    FIGURES_OPTION,
    FOLDER_OPTIONS,
    WEIGHTS_OPTION,
    command,
    mistakes_in_one_line,
    write_figures,
)

COLUMNS = ("validation_top1", "validation_top5", "validation_mean_class_top1")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.compare", __doc__, FOLDER_OPTIONS, WEIGHTS_OPTION, FIGURES_OPTION)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/comparison.toml")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes would drown the progress

    with mistakes_in_one_line():
        results = compare(options.config, options.data, options.work, options.weights)
        write_figures(results, options.to)
    for name, row in results.items():
        print(f"{name:32}" + "".join(f"{row[column]:8.4f}" for column in COLUMNS))


def compare(path: Path, data: Path, work: Path, weights: str | None = None) -> dict[str, dict[str, float]]:
    """Train every variant of a configuration. → dict, name → validation figures of its best epoch

    Raises
    ------
    ValueError
        There are no variants, one of them has an unknown setting, or no training listing has a photo.
    """
    from training.config import Config, change, load_config
    from training.pipeline import Pipeline

    base, text = load_config(path, Config), path.read_text("utf-8")
    variants = tomllib.loads(text).get("variants", [])
    if not variants:
        raise ValueError(f"{path}: no [[variants]] in it; give each a name and the settings of [image] that it changes")
    configs = {}
    for number, variant in enumerate(variants, start=1):
        name = variant.pop("name", f"variant {number}")
        try:
            image = change(base.image, variant, f"variant {name!r}")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        configs[name] = dataclasses.replace(base, image=image)
    results = {}
    for name, config in configs.items():
        pipeline = Pipeline(config, text, data, work / base.name, weights)
        if "photos" not in pipeline.evidence:
            raise ValueError(f"{path}: no training listing has a photo, so there is nothing to compare; check [data]")
        log = pipeline.steps.result(pipeline.trained())["log"]
        last = [entry for entry in log if entry["stage"] == config.image.stages[-1].name]
        mean = [entry for entry in last if entry["epoch"] == "mean"]  # the stage ends with this one, if there is one
        best = max(mean or last, key=lambda entry: entry["validation_top1"])
        results[name] = {column: best[column] for column in COLUMNS}
    return results


if __name__ == "__main__":
    main()
