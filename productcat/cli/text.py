"""What the command line shows, as lines of text. Prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from productcat.categories.ensemble import MODALITY_NAMES, Modality
from productcat.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from productcat.calibration.calibrate import Calibration
    from productcat.categories.decision import DecisionRule, Prediction
    from productcat.duplicates.matches import PhotoMatch

SHOWN, LEAST_SHOWN, BAR_WIDTH = 5, 0.0005, 24


def prediction_lines(
    categories: Sequence[str], confidences: NDArray[np.floating], prediction: Prediction, encoding: str = "utf-8"
) -> list[str]:
    """Show the decision in words, then the best categories with bars; * marks those of the shortlist.

    There are five of them, or as many as the shortlist has. Except the best one, those whose confidence would read
    0.0 % are left out.

    Parameters
    ----------
    categories : sequence of str, length n_categories
    confidences : ndarray of shape (n_categories,)
    prediction : Prediction
    encoding : str
        What the terminal can show; without block characters the bars are made of minus signs.
    """
    if not prediction.candidates:
        return ["Abstain: no evidence, neither a photo nor a word that is known"]
    shortlist = [each.category for each in prediction.candidates] if prediction.decision == "shortlist" else []
    said = {
        "assign": f"Assign: {prediction.category}",
        "shortlist": "Shortlist: let the seller choose among the categories marked *",
        "abstain": "Abstain: no category is likely enough, ask the seller",
    }
    lines = [said[prediction.decision], ""]
    best = (-confidences).argsort(kind="stable")[: max(SHOWN, len(shortlist))]
    shown = max(len(shortlist), 1, int((confidences[best] >= LEAST_SHOWN).sum()))
    for number in best[:shown]:
        category, confidence = categories[number], confidences[number]
        mark = "*" if category in shortlist else " "
        lines.append(f"{mark} {_bar(confidence, encoding)} {100 * confidence:5.1f} %  {category}")
    if shown < len(best):
        lines.append(f"  {'':{BAR_WIDTH}} < 0.1 %  {counted(len(categories) - shown, 'other')}")
    return lines


def _bar(share: float, encoding: str) -> str:
    """Draw a bar BAR_WIDTH characters long when full, exact to an eighth of a character."""
    eighths = " ▏▎▍▌▋▊▉█"
    try:
        eighths.encode(encoding or "ascii")
    except UnicodeEncodeError:
        eighths = "    -----"
    whole, rest = divmod(round(share * BAR_WIDTH * 8), 8)
    return (eighths[8] * whole + eighths[rest].strip()).ljust(BAR_WIDTH)


def match_lines(
    score: float, threshold: float, matches: Sequence[PhotoMatch], left: Sequence[str], right: Sequence[str]
) -> list[str]:
    """Say whether two sets of photos show the same item, with a table of the photos that match, best first.

    left, right : names of the photos that can be read
    """
    from productcat.duplicates.matches import level_names  # what the other screens do not need

    said = "Duplicates: the same item" if score >= threshold else "No duplicates: the same item"
    where = "reaches" if score >= threshold else "is below"
    lines = [f"{said} with {100 * score:.1f} %, which {where} the threshold of {100 * threshold:.1f} %", ""]
    rows = [["photo", "photo", *level_names(list(matches[0].levels)), "copy"]]
    for match in matches:
        numbers = [f"{value:.2f}" for value in (*match.levels.values(), match.copy)]
        rows.append([left[match.left], right[match.right], *numbers])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(cells))
    return lines


def calibration_lines(calibration: Calibration, rules: Mapping[Modality, DecisionRule]) -> list[str]:
    """Show figures before and after a calibration, and from which confidence each modality assigns.

    rules : modality → DecisionRule
    """
    names = {
        "top1": ("right category first", True),
        "expected_calibration_error": ("expected calibration error", False),
        "negative_log_likelihood": ("negative log-likelihood, nats", False),
        "coverage": ("assigned", True),
        "precision": ("right among the assigned", True),
    }
    lines = [f"{'':30}{'before':>9}{'after':>9}"]
    for key, (name, is_share) in names.items():
        before, after = (figure(getattr(each, key), is_share) for each in (calibration.before, calibration.after))
        lines.append(f"{name:30}{before:>9}{after:>9}")
    lines += ["", "After: each listing is judged by what was fitted on others.", ""]
    for kind, name in MODALITY_NAMES.items():
        if calibration.kinds[kind]:
            threshold = figure(rules[kind].assign_at, True)
            lines.append(f"{name:17} assigned from {threshold:>7} on, {calibration.kinds[kind]} listings")
    return lines + ["", *calibration.notes] * bool(calibration.notes)


def evaluation_lines(figures: Mapping[str, Any]) -> list[str]:
    """Show the figures of an evaluation that matter most, with a column for each modality.

    figures : as `productcat.evaluation.figures.measure` gives them
    """
    names = {
        "top1": ("right category first", True),
        "top5": ("among the first five", True),
        "assigned": ("assigned", True),
        "precision": ("right among the assigned", True),
        "expected_calibration_error": ("expected calibration error", False),
    }
    overall, evidence = figures["overall"], figures["evidence"]

    def row(name: str, cells: Sequence[str]) -> str:
        return f"{name:28}" + "".join(f"{each:>18}" for each in cells)

    lines = [row("", [MODALITY_NAMES[use] for use in overall])]
    if min(evidence.values()) < 1:  # what lacks it counts as wrong below
        lines.append(row("listings with an answer", [figure(evidence[use], True) for use in overall]))
    for key, (name, is_share) in names.items():
        lines.append(row(name, [figure(each[key]["value"], is_share) for each in overall.values()]))
    return lines


def pair_evaluation_lines(figures: Mapping[str, Any]) -> list[str]:
    """Show the figures of labelled pairs, with their intervals.

    figures : as `productcat.evaluation.evaluate_pairs.measure_pairs` gives them
    """
    threshold = f"at {100 * figures['threshold']:.1f} %"
    names = {
        "average_precision": ("average precision", False),
        "auc": ("area under the ROC curve", False),
        "precision": (f"right among the found, {threshold}", True),
        "recall": (f"found of the same items, {threshold}", True),
    }
    lines = []
    for key, (name, is_share) in names.items():
        value, low, high = (figure(figures["figures"][key][part], is_share) for part in ("value", "low", "high"))
        lines.append(f"{name:36}{value:>9}" + (f"  ({low} to {high})" if value != "–" else ""))
    return lines


def figure(value: float | None, is_share: bool) -> str:
    """Return a figure as text; "–" where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %" if is_share else f"{value:.3f}"
