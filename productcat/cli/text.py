"""What the command line shows, as lines of text. Prints nothing."""

from productcat.categories.ensemble import MODALITY_NAMES
from productcat.duplicates.matches import level_names
from productcat.wording import counted

SHOWN, LEAST_SHOWN, BAR_WIDTH = 5, 0.0005, 24


def prediction_lines(categories, confidences, prediction, encoding="utf-8"):
    """The decision in words, then the best categories with bars, whatever it is; * marks those of the shortlist.

    Five of them, or as many as the shortlist has; but for the best, none whose confidence would read 0.0 %.

    Parameters
    ----------
    categories : sequence of str, length n_categories
    confidences : ndarray of shape (n_categories,)
    prediction : Prediction
    encoding : str
        What the terminal can show; without block characters the bars are of minus signs.
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


def _bar(share, encoding):
    """A bar BAR_WIDTH characters long when full, exact to an eighth of a character."""
    eighths = " ▏▎▍▌▋▊▉█"
    try:
        eighths.encode(encoding or "ascii")
    except UnicodeEncodeError:
        eighths = "    -----"
    whole, rest = divmod(round(share * BAR_WIDTH * 8), 8)
    return (eighths[8] * whole + eighths[rest].strip()).ljust(BAR_WIDTH)


def match_lines(score, threshold, matches, left, right):
    """Whether two sets of photos show the same item, and a table of the photos that match, the best first.

    Parameters
    ----------
    score, threshold : float
    matches : list of PhotoMatch
    left, right : list of str
        Names of the photos that can be read.
    """
    said = "Duplicates: the same item" if score >= threshold else "No duplicates: the same item"
    where = "reaches" if score >= threshold else "is below"
    lines = [f"{said} with {100 * score:.1f} %, which {where} the threshold of {100 * threshold:.1f} %", ""]
    levels = list(matches[0].levels)
    rows = [["photo", "photo", *level_names(levels), "copy"]]
    for match in matches:
        numbers = [f"{value:.2f}" for value in (*match.levels.values(), match.copy)]
        rows.append([left[match.left], right[match.right], *numbers])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        names = [name.ljust(width) for name, width in zip(row[:2], widths, strict=False)]
        lines.append("  ".join(names + [each.rjust(width) for each, width in zip(row[2:], widths[2:], strict=True)]))
    return lines


def calibration_lines(calibration, rules):
    """What a calibration changed, before and after side by side, then from where each kind of evidence assigns.

    Parameters
    ----------
    calibration : Calibration
    rules : dict, kind of evidence → DecisionRule
    """
    names = {
        "top1": "right category first",
        "expected_calibration_error": "expected calibration error",
        "negative_log_likelihood": "negative log-likelihood, nats",
        "coverage": "assigned",
        "precision": "right among the assigned",
    }
    shares = ("top1", "coverage", "precision")
    lines = [f"{'':30}{'before':>9}{'after':>9}"]
    for key, name in names.items():
        figures = [getattr(each, key) for each in (calibration.before, calibration.after)]
        lines.append(f"{name:30}" + "".join(f"{figure(each, key in shares):>9}" for each in figures))
    lines += ["", "After: each listing is judged by what was fitted on others.", ""]
    for kind, name in MODALITY_NAMES.items():
        if calibration.kinds[kind]:
            threshold = figure(rules[kind].assign_at, True)
            lines.append(f"{name:17} assigned from {threshold:>7} on, {calibration.kinds[kind]} listings")
    return lines + ["", *calibration.notes] * bool(calibration.notes)


def evaluation_lines(figures):
    """The figures of an evaluation that matter most, each kind of evidence in a column.

    Parameters
    ----------
    figures : dict
        As `productcat.evaluation.figures.measure` gives them.
    """
    names = {
        "top1": "right category first",
        "top5": "among the first five",
        "assigned": "assigned",
        "precision": "right among the assigned",
        "expected_calibration_error": "expected calibration error",
    }
    overall = figures["overall"]
    lines = [f"{'':28}" + "".join(f"{MODALITY_NAMES[use]:>18}" for use in overall)]
    if min(figures["evidence"].values()) < 1:  # what lacks it counts as wrong below
        shares = (figure(figures["evidence"][use], True) for use in overall)
        lines.append(f"{'listings with an answer':28}" + "".join(f"{each:>18}" for each in shares))
    for key, name in names.items():
        values = (figure(each[key]["value"], key != "expected_calibration_error") for each in overall.values())
        lines.append(f"{name:28}" + "".join(f"{each:>18}" for each in values))
    return lines


def pair_evaluation_lines(figures):
    """The figures of labelled pairs, with their intervals.

    Parameters
    ----------
    figures : dict
        As `productcat.evaluation.evaluate_pairs.measure_pairs` gives them.
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


def figure(value, is_share):
    """A figure as text; "–" where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %" if is_share else f"{value:.3f}"
