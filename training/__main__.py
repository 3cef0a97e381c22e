"""`python -m training CONFIG`: make a bundle from labelled listings."""

import csv
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from productcat.models.bundle import refuse_existing
from training.commands import FOLDER_OPTIONS, WEIGHTS_OPTION, command, mistakes_in_one_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training", "Make a bundle from labelled listings.", FOLDER_OPTIONS, WEIGHTS_OPTION)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/fashion.toml")
    parser.add_argument("--to", type=Path, required=True, help="the bundle: a new directory")
    parser.add_argument("--table", type=Path, help="also write the table of the classes, on test, to this CSV file")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        refuse_existing(options.to)
        text = options.config.read_text("utf-8")  # before TensorFlow, which takes seconds to import
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes would drown the progress

    from training.config import Config, load_config
    from training.pipeline import Pipeline

    with mistakes_in_one_line():
        config = load_config(options.config, Config)
        pipeline = Pipeline(config, text, options.data, options.work / config.name, options.weights)
        figures, per_class = pipeline.run(options.to)
    print(json.dumps(figures, indent=1))
    print(f"{options.to}: written", file=sys.stderr)
    if options.table:
        with options.table.open("w", newline="") as file:
            writer = csv.DictWriter(file, per_class[0])
            writer.writeheader()
            writer.writerows(per_class)


if __name__ == "__main__":
    main()
