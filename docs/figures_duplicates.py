"""Blocks of figures: duplicates. Each is Markdown made of stored files, and of nothing else."""

from functools import partial

from figure_text import NO_RUN, amount, between, paragraph, percent, result, rivals_of, share, stored, table

DUPLICATES = "training/results/duplicates.json"
CATALOGUES = {"fashion": "fashion", "clothing": "used clothes"}
PARTS = ("unseen items", "unseen domains")
MEASURES = {"auc": "AUC", "average_precision": "average precision", "recall_at_1": "recall at 1"}
METHODS = {
    "Siamese network, known catalogue": "productcat, known catalogue",
    "Siamese network, nothing known": "productcat, nothing known",
    "whitened means, known catalogue": "its simplest part (whitened means), known catalogue",
    "embedding_conv4_block6_out, best photos": "ResNet50 (conv4), best pair of photos",
    "embedding_conv5_block3_out, means": "ResNet50 (conv5), mean of the photos",
}
"""Methods of the protocol that are compared domain by domain, and what the table calls them."""


def duplicates_methods(part):
    """All methods of the protocol, means over the domains with intervals."""
    rows = []
    for method, found in stored(DUPLICATES)[part].items():
        means, intervals = found["figures"]["mean"], found["intervals"]["mean"]
        rows.append([readable(method), *(between(means[each], intervals[each]) for each in MEASURES)])
    return table([part, *MEASURES.values()], rows)


def duplicates_domains():
    """Average precision in each domain."""
    found = stored(DUPLICATES)["unseen domains"]
    domains = [name for name in next(iter(found.values()))["figures"] if name != "mean"]

    def cell(method, domain):
        each = found[method]
        return between(each["figures"][domain]["average_precision"], each["intervals"][domain]["average_precision"])

    rows = [[domain, *(cell(method, domain) for method in METHODS)] for domain in domains]
    return table(["average precision, unseen domains", *METHODS.values()], rows)


def duplicates_catalogues():
    """What both thresholds find in catalogues of held-out items."""
    found = stored(DUPLICATES)["catalogues"]
    rows = [
        [
            kind,
            figures["catalogues"],
            amount(figures["listings"]),
            *(percent(found[which][kind][name]) for which in found for name in ("precision", "recall")),
        ]
        for kind, figures in found["threshold"].items()
    ]
    names = [f"`{which}`: {words}" for which in found for words in ("right among the found", "found")]
    return table(["held-out items", "catalogues", "listings in each", *names], rows)


def readable(method):
    """A method's name for people: levels of the network without their layers."""
    for layer, level in {"embedding_conv4_block6_out": "conv4", "embedding_conv5_block3_out": "conv5"}.items():
        method = method.replace(layer, f"ResNet50 ({level})")
    return method


def copies():
    """Copies that each rival finds."""
    stored_run = result("copies")
    found, parts = stored_run["recall"], [f"{stored_run['photos']} photos of each catalogue:"]
    for name, words in CATALOGUES.items():
        rivals = list(next(iter(found[name].values())))
        rows = [[way, *(share(figures[rival]) for rival in rivals)] for way, figures in found[name].items()]
        parts.append(table([f"{words}, way to copy", *rivals], rows))
    least = min(each for ways in stored_run["precision"].values() for each in ways.values())
    right = "all are copies" if least == 1 else f"at least {percent(least)} are copies"
    said = f"""The bundle's threshold is {amount(stored_run["threshold"])}; of the pairs that it finds, whatever the way
    to copy, {right}."""
    parts.append(paragraph(said))
    return "\n\n".join(parts)


def whole_catalogues():
    """What `find` reports in whole catalogues, as shipped."""
    found = result("whole_catalogues")
    edits, plain, shared, reposts = (found[name] for name in ("edits", "shipped", "shared", "reposts"))
    rows = [
        ["pairs reported in the listings as they are", amount(plain["pairs"])],
        ["of these, of two brands or two article types", percent(plain["two brands or types"])],
        ["pairs of byte-identical photos that are reported", percent(plain["byte-identical pairs found"])],
        ["pairs that change with a size chart in every tenth listing", percent(shared["changed"])],
        ["reposts with a cropped photo and a re-worded title that are found", percent(reposts["found"])],
        *([f"pairs of edited copies, {name}", percent(each["found"])] for name, each in edits.items()),
        *(
            [f"the same, {name.split(',')[0]}, at the threshold", percent(each["shipped, found"])]
            for name, each in edits.items()
        ),
    ]
    return table([f"fashion, {found['split']} split, {amount(plain['listings'])} listings", "figure"], rows)


unseen_items, unseen_domains = (partial(duplicates_methods, part) for part in PARTS)


def rivals():
    """Plain rivals on the same pairs of listings."""
    found = rivals_of("duplicates")
    if not found:
        return NO_RUN
    rows = [
        [name, *(share(row.get(each)) for each in MEASURES), amount(row["photo_ms"])]
        for name, row in found["rows"].items()
    ]
    left_out = f"\n\nLeft out: {found['skipped']}." if "skipped" in found else ""
    return table(["", *MEASURES.values(), "ms a photo"], rows) + left_out
