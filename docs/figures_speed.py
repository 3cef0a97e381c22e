"""Blocks of figures: time and memory. Each is Markdown made of stored files, and of nothing else."""

import json

from figure_text import ROOT, amount, paragraph, percent, result, share, table

TIMINGS = ("install", "prediction", "throughput", "decoding", "titles")


def timings():
    """All comparisons, with the slowest and the fastest round, and the machine."""
    rows = []
    for each in TIMINGS:
        for found in result(each)["comparisons"]:
            _, rival = found["medians"]
            cells = [
                f"{amount(found['medians'][name])} ({amount(min(rounds))}–{amount(max(rounds))})"
                for name, rounds in found["all"].items()
            ]
            rows.append([f"{found['what']}, {found['unit']}", rival, *cells, amount(found["ratio"])])
    machine = result("throughput")["machine"]
    versions = ", ".join(
        f"{name} {machine[name]}" for name in ("python", "numpy", "onnxruntime", "keras", "tensorflow")
    )
    return f"""\
{table(["what", "the plain way is", "productcat", "the plain way", "ratio"], rows, words=2)}

Measured with {machine["cores"]} cores of {machine["processor"]}, {machine["system"]}; {versions}."""


def catalogue():
    """`find` on a whole catalogue."""
    found = result("catalogue")
    words = {found["pairs"][0]["score"]: "`threshold`, "}

    def cells(row):
        score = f"{words.get(row['score'], '')}{row['score']:.5g}"
        return [score, f"{row['pairs']:,}", percent(row["same_file"]), percent(row["same_title"])]

    rows = [[*cells(row), f"{row['identical_groups_missed']:,}"] for row in found["pairs"]]
    return f"""\
| | |
|---|---:|
| listings | {found["listings"]:,} |
| looking at the photos | {amount(found["embed_seconds"])} s |
| adapting, proposing and scoring pairs | {amount(found["find_seconds"])} s |
| peak memory | {found["peak_memory_mb"]:,} MB |
| groups of byte-identical photos | {found["identical_groups"]:,} |

{table(["pairs from a score of", "pairs", "of the same file", "of the same title", "groups missed"], rows)}"""


def index():
    """An index of a million photos, and usearch with the same vectors."""
    found = result("index")
    ours, theirs = found["productcat"], found["usearch"]

    def both(words, read, unit=""):
        return [words, *(f"{read(each)}{unit}" for each in (ours, theirs))]

    def times(figures, name):
        return f"{amount(figures[name]['p50_ms'])} / {amount(figures[name]['p99_ms'])}" if name in figures else "–"

    rows = [
        both("building", lambda each: amount(each["build_s"]), " s"),
        both("on disk, a photo", lambda each: amount(each["bytes_a_photo"]), " B"),
        both("recall at 10, against exact search", lambda each: share(each["recall_at_10"])),
        both("the nearest photos of one, p50 / p99", lambda each: times(each, "nearest_photos"), " ms"),
        both("`search`, a listing of one photo, p50 / p99, ms", lambda each: times(each, "search_1_photo")),
        both("`search`, a listing of four photos, p50 / p99, ms", lambda each: times(each, "search_4_photos")),
        both("one more listing added and found, median", lambda each: amount(each["add_and_find_s"]["median"]), " s"),
    ]
    return table([f"{ours['photos']:,} photos", "productcat", "usearch, in memory"], rows)


def index_kill():
    """What killing the process did to the index."""
    found = result("index_kill")
    return paragraph(f"""A process that adds listings was killed {found["kills"]} times in {found["steps"]} steps, while
    another one read {found["readings"]:,} times. No listing was lost or half there.""")


def start():
    """What one prediction from a cold start costs."""
    spent, held = (each["medians"]["productcat"] for each in result("prediction")["comparisons"][:2])
    return paragraph(f"""`benchmarks/prediction.py` measured {amount(spent)} s for one prediction of the default bundle
    from a cold start, process and all, and {amount(held)} MB at most.""")


def bundles():
    """The shipped bundles: how large they are and what they see."""
    rows = []
    for manifest in sorted((ROOT / "productcat/bundles").glob("*/manifest.json")):
        folder = manifest.parent
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        borrowed = json.loads(manifest.read_text("utf-8")).get("borrowed", {})
        settings = json.loads((folder / "image/settings.json").read_text("utf-8"))
        n_classes = len(json.loads((folder / "classes.json").read_text("utf-8")))
        height, width = settings["photo_size"]
        parts = ", ".join(sorted(each.name for each in folder.iterdir() if each.is_dir()))
        parts += "".join(f"; {part}: `{lender}`" for part, lender in borrowed.items())
        size = f"{size / 1e6:.1f} MB"
        arithmetic = f"{settings['arithmetic']}, {against_float(json.loads(manifest.read_text('utf-8'))['export'])}"
        rows.append([f"`{folder.name}`", parts, f"{n_classes:,}", f"{height}×{width}", arithmetic, size])
    return table(["bundle", "parts", "classes", "photos, pixels", "arithmetic", "size"], rows, words=2)


def against_float(export):
    """What was measured of int8 beside float32."""
    if top1 := export.get("validation_top1"):
        return f"validation top-1 {share(top1['int8'])} against {share(top1['float32'])} of float32"
    return f"the class of float32 for {percent(export['int8_agrees_with_float_top1'])} of the photos"
