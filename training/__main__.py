"""`python -m training CONFIG`: raw listings → bundle, in one command."""

import argparse
import csv
import json
import os
import sys
from pathlib import Path


def main(arguments=None):
    """The command. A user's mistake is one line on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Make a bundle from labelled listings.")
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/fashion.toml")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder with the data (default: data)")
    parser.add_argument("--to", type=Path, required=True, help="the bundle: a new directory")
    parser.add_argument("--work", type=Path, default=Path("work"), help="where finished steps are kept (default: work)")
    parser.add_argument("--weights", help="a file of ImageNet weights of the backbone, in place of Keras's download")
    parser.add_argument("--table", type=Path, help="also write the table of the classes, on test, to this CSV file")
    options = parser.parse_args(arguments)
    if os.path.lexists(options.to):
        sys.exit(f"error: {options.to}: exists already; a bundle is written to a new directory")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up notes would drown the progress

    from productcat.errors import ProductcatError
    from training.config import load_config
    from training.pipeline import Pipeline

    try:
        config = load_config(options.config)
        text, work = options.config.read_text("utf-8"), options.work / config.name
        pipeline = Pipeline(config, text, options.data, work, options.weights)
        figures, per_class = pipeline.run(options.to)
    except (ProductcatError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(figures, indent=1))
    if options.table:
        with options.table.open("w", newline="") as file:
            writer = csv.DictWriter(file, per_class[0])
            writer.writeheader()
            writer.writerows(per_class)


if __name__ == "__main__":
    main()
