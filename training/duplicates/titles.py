"""Learns what two titles say about whether two listings are the same item, and measures it on items not learnt from.

`pricerunner` has titles that several shops give one product; they are held against the nearest titles of other
products. `fashion` has listings that are posted again with a re-worded title (`training.duplicates.rewording`); they
are held against the nearest titles of articles with another photo. Some of these have the very same title, as in a
real shop. The head is a logistic regression whose weights have the signs of `productcat.duplicates.titles.COLUMNS`.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.bootstrap import draws, interval
from productcat.duplicates.titles import COLUMNS, Rarity, TitleHead, TitleTable, title_evidence
from training.commands import FIGURES_OPTION, command, mistakes_in_one_line, write_figures
from training.duplicates.rewording import reword

PRICERUNNER, FASHION = "pricerunner-titles.csv", "fashion-product-images-small"

NEAREST = 20
"""Number of nearest others, by cosine of TF-IDF vectors, that each title is compared with."""

HELD_OUT = 5
"""One in so many products is kept apart for the test, and again as many for choices."""

SIZES = {"pricerunner": (2000, 600, 200), "fashion": (3000, 800, 250)}
"""Number of items of the catalogues that are learnt from; words are rarer in large ones."""

REPOSTED = 0.3
"""Share of the fashion listings that are posted again."""

L2 = 1e-4
"""This times half the squared weights is added to the mean cross-entropy."""

MOST = 3.5
"""What titles say at most, in nats. Of bounds from 3.5 to none, it gave the least cross-entropy on both `val` parts."""

ROUNDS = 200
"""Number of draws of items behind an interval."""


@dataclass(frozen=True)
class TitleCatalogue:
    """Titles of one catalogue, and the pairs of them that are compared.

    titles : list of str
    items : ndarray of shape (n_titles,), int
    asked : ndarray of shape (n_asked,), int
        Numbers of the titles whose nearest others are looked for.
    """

    titles: list[str]
    items: NDArray[np.intp]
    asked: NDArray[np.intp]

    def nearest(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return each asked title with its nearest others, (n_asked * NEAREST, 2), and their TF-IDF cosines."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectors = TfidfVectorizer().fit_transform(self.titles)
        pairs, cosines = [], []
        for rows in np.array_split(self.asked, len(self.asked) // 500 + 1):
            some = (vectors[rows] @ vectors.T).toarray()
            some[np.arange(len(rows)), rows] = -1
            found = np.argpartition(-some, NEAREST, axis=1)[:, :NEAREST]
            pairs.append(np.stack([np.repeat(rows, NEAREST), found.ravel()], axis=1))
            cosines.append(np.take_along_axis(some, found, axis=1).ravel())
        return np.concatenate(pairs), np.concatenate(cosines)

    def same(self, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell which pairs are of one item."""
        return self.items[pairs[:, 0]] == self.items[pairs[:, 1]]

    def of_one_item(self) -> NDArray[np.intp]:
        """Return all pairs of one item of which one is asked, (n_pairs, 2)."""
        asked = np.zeros(len(self.titles), bool)
        asked[self.asked] = True
        order = np.argsort(self.items, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(self.items[order])) + 1)
        both = [(a, b) for group in groups for i, a in enumerate(group) for b in group[i + 1 :] if asked[a] or asked[b]]
        return np.array(both, np.intp).reshape(-1, 2)

    def evidence(self, pairs: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the evidence of pairs, as `find` has it in this catalogue."""
        table = TitleTable.of(self.titles, Rarity.of(self.titles))
        return title_evidence(table, table, pairs)

    def samples(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the evidence of all pairs of one item and of the nearest others, each once, and which is which."""
        nearest, _ = self.nearest()
        pairs = np.concatenate([self.of_one_item(), nearest[~self.same(nearest)]])
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
        return self.evidence(pairs), self.same(pairs)


def products(path: Path, seed: int = 0) -> dict[str, list[tuple[str, int]]]:
    """Read titles of products, and divide the products.

    Returns
    -------
    dict, "train", "val" or "test" → list of (title, product)
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(row["product_title"], int(row["cluster_id"])) for row in csv.DictReader(file)]
    shuffled = np.random.default_rng(seed).permutation(np.unique([product for _, product in rows]))
    fold = dict(zip(shuffled.tolist(), (np.arange(len(shuffled)) * HELD_OUT // len(shuffled)).tolist(), strict=True))
    names = {0: "test", 1: "val"}
    parts: dict[str, list[tuple[str, int]]] = {"train": [], "val": [], "test": []}
    for title, product in rows:
        parts[names.get(fold[product], "train")].append((title, product))
    return parts


def articles(folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Read titles of articles, and their photos, by split. → dict, split → list of (title, photo)"""
    with (folder / "splits.csv").open(encoding="utf-8", newline="") as file:
        splits = {row["id"]: row["split"] for row in csv.DictReader(file)}
    parts: dict[str, list[tuple[str, Path]]] = {"train": [], "val": [], "test": []}
    with (folder / "styles.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["productDisplayName"] and row["id"] in splits:
                parts[splits[row["id"]]].append((row["productDisplayName"], folder / "images" / f"{row['id']}.jpg"))
    return parts


def product_catalogue(rows: Sequence[tuple[str, int]], size: int | None = None, seed: int = 0) -> TitleCatalogue:
    """Make a catalogue of so many products, by default of all."""
    chosen = np.random.default_rng(seed).permutation(np.unique([product for _, product in rows]))[:size]
    kept = set(chosen.tolist())
    titles, items = zip(*((title, product) for title, product in rows if product in kept), strict=True)
    return TitleCatalogue(list(titles), np.array(items), np.arange(len(titles)))


def article_catalogue(rows: Sequence[tuple[str, Path]], size: int | None = None, seed: int = 0) -> TitleCatalogue:
    """Make a catalogue of so many articles, some of them posted again. Articles with the same photo are one item."""
    rng = np.random.default_rng(seed)
    chosen = [rows[row] for row in rng.permutation(len(rows))[:size]]
    numbers: dict[bytes, int] = {}
    photos = [sha256(photo.read_bytes()).digest() for _, photo in chosen]
    items = [numbers.setdefault(photo, len(numbers)) for photo in photos]
    titles = [title for title, _ in chosen]
    posted = np.flatnonzero(rng.random(len(titles)) < REPOSTED)
    again = [reword(titles[row], rng) for row in posted]
    asked = np.concatenate([posted, len(titles) + np.arange(len(again))])
    return TitleCatalogue(titles + again, np.array(items + [items[row] for row in posted]), asked)


def fit_title_head(
    evidence: NDArray[np.float32],
    same: NDArray[np.bool_],
    domains: NDArray[np.intp],
    l2: float = L2,
    most: float = MOST,
) -> TitleHead:
    """Fit a bounded logistic regression without an intercept, whose weights have the signs of `COLUMNS`.

    In each domain pairs of one item weigh as much together as all others, and domains weigh the same. So the logit is
    the logarithm of a likelihood ratio: it holds no share of pairs of one item, and can be added to another logit.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    cases = domains * 2 + same
    counts = np.bincount(cases)
    weights = 1 / (np.count_nonzero(counts) * counts[cases])
    signs = np.where(same, 1.0, -1.0)
    seen = evidence.astype(float)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        bounded = np.tanh(seen @ values / most)
        margins = signs * most * bounded
        slopes = -weights * signs * expit(-margins) * (1 - bounded**2)
        return float(weights @ np.logaddexp(0, -margins) + l2 * values @ values / 2), slopes @ seen + l2 * values

    bounds = [(0.0, None) if sign > 0 else (None, 0.0) for sign in COLUMNS.values()]
    found = minimize(
        loss, np.array([*COLUMNS.values()]) / 10, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000}
    )
    if not found.success:
        raise ValueError(f"no head fits the {len(signs)} pairs of titles ({found.message})")
    return TitleHead(found.x, most)


def auc(same: NDArray[np.bool_], scores: NDArray[np.floating], weights: NDArray[np.float64]) -> float:
    """Return the probability that a pair of one item scores higher than another pair; ties count half."""
    _, groups = np.unique(scores, return_inverse=True)
    right, wrong = (np.bincount(groups, weights * each) for each in (same, ~same))
    return float(right @ (np.cumsum(wrong) - wrong / 2) / (right.sum() * wrong.sum()))


def figures(catalogue: TitleCatalogue, head: TitleHead, seed: int = 0) -> dict[str, Any]:
    """Measure a head, and TF-IDF cosines, on a catalogue; intervals by drawing items.

    auc, tfidf_auc: of pairs of one item among the nearest others. all_auc: with all pairs of one item, also those that
    are not among the nearest. slope, intercept: of a logistic regression on the logit, 1 and 0 where it is calibrated.
    """
    from sklearn.linear_model import LogisticRegression

    pairs, cosines = catalogue.nearest()
    same, logits = catalogue.same(pairs), head.logits(catalogue.evidence(pairs))
    _, items = np.unique(catalogue.items[pairs[:, 0]], return_inverse=True)
    found: dict[str, Any] = {"titles": len(catalogue.titles), "pairs": len(pairs), "same": int(same.sum())}
    drawn = list(draws(int(items.max()) + 1, seed, ROUNDS))
    for name, scores in (("auc", logits), ("tfidf_auc", cosines)):
        found[name] = auc(same, scores, np.ones(len(pairs)))
        found[f"{name}_interval"] = interval([auc(same, scores, weights[items]) for weights in drawn], found[name])
    evidence, label = catalogue.samples()
    logits = head.logits(evidence)
    found["all_auc"] = auc(label, logits, np.ones(len(label)))
    line = LogisticRegression(C=1e6, class_weight="balanced").fit(logits[:, None], label)
    return found | {"slope": float(line.coef_[0, 0]), "intercept": float(line.intercept_[0])}


def extremes(catalogue: TitleCatalogue, head: TitleHead, n_pairs: int) -> list[str]:
    """Return lines with the pairs that score highest though they are of two items, and lowest though of one."""
    pairs, _ = catalogue.nearest()
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    same, logits = catalogue.same(pairs), head.logits(catalogue.evidence(pairs))
    lines = []
    for what, of_kind, sign in (("two items", ~same, -1), ("one item", same, 1)):
        rows = np.flatnonzero(of_kind)
        for row in rows[np.argsort(sign * logits[rows], kind="stable")][:n_pairs]:
            left, right = pairs[row]
            lines.append(f"{what} {logits[row]:6.2f} | {catalogue.titles[left]} | {catalogue.titles[right]}")
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Learn from `train`, print figures of `val`, or of `test`, and write the head."""
    parser = command("training.duplicates.titles", __doc__, FIGURES_OPTION)
    parser.add_argument("--data", type=Path, default=Path("data"), help=f"the folder with {PRICERUNNER} and {FASHION}/")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="what is measured (default: val)")
    parser.add_argument("--head", type=Path, help="write the weights to this JSON file")
    parser.add_argument("--extremes", type=int, default=0, help="also print so many of the worst pairs of each kind")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        domains: dict[str, dict[str, Any]] = {
            "pricerunner": products(options.data / PRICERUNNER),
            "fashion": articles(options.data / FASHION),
        }
        makers: dict[str, Any] = {"pricerunner": product_catalogue, "fashion": article_catalogue}
        samples = [
            (*makers[name](parts["train"], size, size).samples(), number)
            for number, (name, parts) in enumerate(domains.items())
            for size in SIZES[name]
        ]
        evidence, same = (np.concatenate(each) for each in list(zip(*samples, strict=True))[:2])
        numbers = np.concatenate([np.full(len(label), number) for _, label, number in samples])
        head = fit_title_head(evidence, same, numbers)
        print(json.dumps(head.settings(), indent=1))
        found = {}
        for name, parts in domains.items():
            catalogue = makers[name](parts[options.split])
            found[name] = figures(catalogue, head)
            print(f"{name} {options.split}: {json.dumps(found[name])}")
            for line in extremes(catalogue, head, options.extremes):
                print(line)
        write_figures({"split": options.split, "head": head.settings(), **found}, options.to)
        if options.head:
            options.head.write_text(json.dumps(head.settings(), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
