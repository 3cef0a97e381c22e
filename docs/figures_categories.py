"""Blocks of figures: categories. Each is Markdown made of stored files, and of nothing else."""

import csv

from figure_text import NO_RUN, ROOT, amount, paragraph, percent, rivals_of, share, stored, table

FASHION = "productcat/bundles/fashion/manifest.json"
FEW_SHOT = {name: f"training/results/few_shot_{name}.json" for name in ("fashion", "general")}
ADDED_CLASSES = "training/results/added_classes.json"
CALIBRATION = "training/results/calibration.json"
PER_CLASS = "training/results/fashion_per_class.csv"
KINDS = {"photos": "photos only", "title": "title only", "both": "both"}
SETS = {"clothing, test": "used clothes, 10 labels", "olx-five": "cars, bikes, mobiles, books, furniture"}
RIGHT = "precision_of_assigned"
FEWEST = 10
"""Test listings that a class must have to be named among the hardest."""


def fashion_splits():
    """All figures of the default bundle, on both splits that no model learnt from."""
    measures = {
        "top1": "top-1",
        "top5": "top-5",
        "macro_f1": "macro-F1",
        "expected_calibration_error": "calibration error",
        "coverage_at_99_precision": "assigned at 99 % precision",
    }
    found = stored(FASHION)["metrics"]
    rows = [
        [f"{split}, {words}", *(share(found[split][kind][each]) for each in measures)]
        for split in ("validation", "test")
        for kind, words in KINDS.items()
    ]
    n_classes = len(stored("productcat/bundles/fashion/classes.json"))
    said = f"The test split has {found['test']['listings']:,} listings. {n_classes} classes compete."
    return f"{table(['', *measures.values()], rows)}\n\n{said}"


def fashion_decisions():
    """What the shipped rule does on the test split, and what the title is worth where the photo is unsure."""
    manifest = stored(FASHION)
    found, rule = manifest["metrics"]["test"], manifest["decision_rule"]
    decisions, rescue = found["decisions"], found["title_rescue"]
    rows = [[each, percent(decisions[each])] for each in ("assign", "shortlist", "abstain")]
    rows.append(["right among the assigned", percent(decisions["precision_of_assigned"])])
    unsure = [[words, percent(rescue["top1_of_unsure"][kind])] for kind, words in KINDS.items()]
    settings = (
        f"With the shipped rule, `assign_at={rule['assign_at']:.3f}` and `shortlist_at={rule['shortlist_at']:g}`:"
    )
    rules, done = {"both": rule, **manifest["decision_rules_alone"]}, {"both": decisions, **found["decisions_alone"]}
    kinds = [
        [words, f"{rules[kind]['assign_at']:.3f}", *(percent(done[kind][each]) for each in ("assign", RIGHT))]
        for kind, words in KINDS.items()
    ]
    said = f"""The photo alone is unsure (confidence below 0.5) of {percent(rescue["photos_unsure"])} of the test
    listings. There the most probable class is the right one in:"""
    return "\n\n".join(
        [
            settings,
            table(["decision", "share of the test listings"], rows),
            "The rule of each modality:",
            table(["modality", "assigned from", "assigned", "right among them"], kinds),
            paragraph(said),
            table(["modality", "right"], unsure),
        ]
    )


def fashion_groups():
    """Means over classes, of photos alone: the most frequent classes, the others, and what they roll up to."""
    found = stored(FASHION)["metrics"]["test"]
    rows = [
        [name, each.get("classes", ""), share(each["mean_class_top1"]), share(each["mean_class_top5"])]
        for name, each in found["photos_per_class"].items()
    ]
    parents = [[name, share(value)] for name, value in found["parents"].items()]
    return f"""\
{table(["photos only, classes", "number", "mean top-1", "mean top-5"], rows)}

Rolled up to the parents of the classes (`Categorizer.roll_up`), photos and title together:

{table(["parent", "top-1"], parents)}"""


def fashion_hardest():
    """The classes that are most often mistaken."""
    with open(ROOT / PER_CLASS, encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if int(row["support"]) >= FEWEST]
    hardest = sorted(found, key=lambda row: (float(row["both_top1"]), -int(row["support"])))[:10]
    kinds = ("photos_top1", "title_top1", "both_top1", "both_top5")
    rows = [[row["class"], row["support"], *(share(float(row[kind])) for kind in kinds)] for row in hardest]
    header = ["class", "test listings", *(kind.replace("_top", ", top-") for kind in kinds)]
    return f"""\
The ten hardest of the {len(found)} classes with {FEWEST} test listings or more:

{table(header, rows)}"""


def fashion_parts():
    """What the title model and the int8 network are worth beside the plain way, on the validation split."""
    manifest = stored(FASHION)
    titles, top1 = manifest["title_comparison"], manifest["export"]["validation_top1"]
    names = {
        "validation": "title model of the bundle",
        "validation_tfidf_logistic_regression": "TF-IDF, logistic regression",
    }
    rows = [[words, share(titles[key]["top1"]), share(titles[key]["macro_f1"])] for key, words in names.items()]
    arithmetic = [[name, share(value)] for name, value in top1.items()]
    losses = [[name, share(value)] for name, value in manifest["average_losses"].items()]
    return f"""\
{table(["validation, title only", "top-1", "macro-F1"], rows)}

{table(["validation, photos only, arithmetic of the network", "top-1"], arithmetic)}

{table(["average of photos and title", "negative log-likelihood on validation, nats"], losses)}"""


def few_shot():
    """Categories from examples: top-1 with its standard error over the draws, calibration error."""
    rows = []
    for bundle, path in FEW_SHOT.items():
        found = stored(path)
        for name, words in SETS.items():
            for shots, each in found[name].items():
                plain = with_error(each, "nearest_mean_top1") if "nearest_mean_top1" in each else "–"
                kinds = [with_error(each, kind) for kind in ("top1", "calibration_error")]
                rows.append([f"{bundle}, {words}: {examples(shots)}", kinds[0], plain, kinds[1]])
    return table(["", "top-1", "nearest class mean, top-1", "calibration error"], rows)


def added_classes():
    """A model of the most frequent classes, to which the others are added."""
    found = stored(ADDED_CLASSES)
    rows = [
        [f"{examples(shots)} each", *(with_error(each, kind) for kind in ("added", "nearest_mean_added", "known"))]
        for shots, each in found.items()
        if shots.isdigit()
    ]
    many = [f"trained on all, {found['known'] + found['added']} classes", share(found["trained_on_all"]), "–", "–"]
    kinds = [f"the {found['added']} added", "nearest class mean", f"the {found['known']} known"]
    return table(["mean top-1 over classes", *kinds], [*rows, many])


def calibration_gain():
    """Confidences before and after a calibration."""
    kinds = ["calibration_error_before", "calibration_error_after", "of_chance", "top1_before", "top1_after"]
    rows = []
    for bundle, found in stored(CALIBRATION).items():
        for name, words in (("clothing", SETS["clothing, test"]), ("olx-five", SETS["olx-five"])):
            for shots, each in found[name].items():
                values = [share(each[kind]) if kind == "of_chance" else with_error(each, kind) for kind in kinds]
                rows.append([f"{bundle}, {words}: {examples(shots)}", *values])
    return table(["", "calibration error before", "after", "by chance", "top-1 before", "after"], rows)


def examples(shots):
    """A number of examples in words."""
    return "name only" if shots == "0" else "1 example" if shots == "1" else f"{shots} examples"


def with_error(figures, kind):
    """A mean of draws and its standard error, where it was drawn."""
    error = figures.get(f"{kind}_error")
    return share(figures[kind]) + (f" ± {error:.3f}" if error else "")


def rivals():
    """Plain rivals on the same listings."""
    found = rivals_of("categories")
    if not found:
        return NO_RUN
    shares = {
        "top1": "top-1",
        "top5": "top-5",
        "macro_f1": "macro-F1",
        "expected_calibration_error": "calibration error",
        "coverage_at_99_precision": "assigned at 99 % precision",
    }
    costs = {"ms": "ms a listing", "mb": "MB"}
    rows = [
        [name, *(share(row.get(each), 4) for each in shares), *(amount(row[each]) for each in costs)]
        for name, row in found["rows"].items()
    ]
    said = []
    for use, gain in found["top1_gain"].items():
        low, high = (f"{100 * end:+.2f}" for end in gain["interval"])
        said.append(f"- {KINDS[use]}: {100 * gain['mean']:+.2f} ({low} to {high})")
    return "\n\n".join(
        [
            table(["", *shares.values(), *costs.values()], rows),
            "What productcat has more in top-1, in points (95 % interval):",
            "\n".join(said),
        ]
    )
