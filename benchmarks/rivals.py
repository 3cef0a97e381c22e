"""productcat against plain rivals on the same held-out listings and pairs of listings: one table of each.

The folder `--work` keeps what an interrupted run has finished; the same command goes on from there.
"""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from timing import machine

PARTS = ("categories", "duplicates")
COLUMNS = {
    "categories": {
        "top1": "top-1",
        "top5": "top-5",
        "macro_f1": "macro-F1",
        "expected_calibration_error": "ECE",
        "coverage_at_99_precision": "cov. 99 %",
        "fit_s": "fit, s",
        "ms": "ms/listing",
        "mb": "MB",
    },
    "duplicates": {
        "auc": "AUC",
        "average_precision": "av. precision",
        "recall_at_1": "recall at 1",
        "photo_ms": "ms/photo",
    },
}


def main() -> None:
    """Measure, print the tables, write JSON."""
    options = arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    from productcat.errors import ProductcatError

    options.work.mkdir(parents=True, exist_ok=True)
    for part in [options.part] if options.part else PARTS:
        try:
            figures = {**measured(part, options), "machine": machine()}
        except (ProductcatError, ValueError, OSError) as error:
            sys.exit(f"error: {error}")
        print(f"\n{table(part, figures)}\n", flush=True)
        if options.to:
            store(part, figures, options.to)


def arguments() -> argparse.Namespace:
    """Read the options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the data sets")
    parser.add_argument("--weights", type=Path, help="ImageNet weights of Keras's ResNet50, for categories")
    parser.add_argument("--work", type=Path, default=Path("work/rivals"), help="where finished steps are kept")
    parser.add_argument("--part", choices=PARTS, help="only these rivals (default: both)")
    parser.add_argument("--bundle", help="another bundle for --part (default: fashion for categories, then general)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each time, after one to warm up")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file; keeps its other part")
    options = parser.parse_args()
    if options.part != "duplicates" and not options.weights:
        parser.error("--weights is needed for the categories")
    if options.bundle and not options.part:
        parser.error("--bundle needs --part: each part has a bundle of its own")
    return options


def measured(part: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one part. → figures"""
    return importlib.import_module(f"rival_{part}").measure(options)


def table(part: str, figures: dict[str, Any]) -> str:
    """Return the rows as text, and below them what productcat gains."""
    columns, rows = COLUMNS[part], figures["rows"]
    width = max(map(len, rows)) + 2
    lines = [" " * width + "".join(f"{title:>14}" for title in columns.values())]
    lines += [f"{name:{width}}" + "".join(f"{cell(row[key]):>14}" for key in columns) for name, row in rows.items()]
    for use, gain in figures.get("top1_gain", {}).items():
        low, high = (f"{100 * end:+.2f}" for end in gain["interval"])
        lines.append(
            f"{use}: productcat has {100 * gain['mean']:+.2f} points more top-1 (95 % interval {low} to {high})"
        )
    return "\n".join(lines)


def cell(value: float | None) -> str:
    """Return a figure of the table as text; shares have three digits."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) and value <= 1 else f"{value:,.6g}"


def store(part: str, figures: dict[str, Any], path: Path) -> None:
    """Write one part into a JSON file and keep the other one."""
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**kept, part: figures}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
