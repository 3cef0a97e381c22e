"""Categories that change: predictions with 10,000 categories against 100, and the time that adding some takes.

    python benchmarks/categories.py [--bundle BUNDLE] [--rounds N] [--to JSON]

The categories are made up, since their cost does not depend on their meaning. The listings are the samples.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from timing import arguments, compare, report, seconds, take_turns

from productcat import Categorizer, Listing, read_listings
from productcat.arithmetic.vectors import unit
from productcat.categories.projections import Category, CategoryProjections
from productcat.categories.prototypes import Prototype

SAMPLES = Path(__file__).parent.parent / "data/samples/styles.csv"
LISTINGS, FEW, MANY, ADDED, EXAMPLES = 128, 100, 10_000, 1_000, 10


def made_up(like: CategoryProjections, n_categories: int) -> dict[str, Category]:
    """Make categories as two photos make them: weight on some classes, and a prototype. → dict, name → Category"""
    rng, width = np.random.default_rng(0), like.prototypes["photos"].vectors.shape[1]
    matrix = rng.dirichlet(np.full(like.matrix.shape[1], 0.05), n_categories)
    photos = (unit(rng.random((2, width), np.float32)) for _ in matrix)
    rows = enumerate(zip(matrix, photos, strict=True))
    return {f"category {i}": Category(row, {"photos": Prototype.of(pair)}) for i, (row, pair) in rows}


def add_one_by_one(categorizer: Categorizer, listing: Listing, count: int) -> None:
    """Add many categories, each from one example."""
    for number in range(count):
        categorizer.add_category(f"new {number}", [listing])


def main() -> None:
    """Measure and report."""
    options = arguments(__doc__, rounds=5).parse_args()
    categorizer, known = Categorizer.load(options.bundle), Categorizer.load(options.bundle)
    listings = list(islice(read_listings(SAMPLES), LISTINGS))

    categories = {n: made_up(known.projections, n) for n in (MANY, FEW)}

    def first(n_categories: int) -> float:
        categorizer.projections = CategoryProjections.of(categories[n_categories], known.projections)
        return seconds(lambda: categorizer.predict(listings[:1]))

    def predict(n_categories: int) -> float:
        first(n_categories)
        return 1000 * seconds(lambda: categorizer.predict(listings)) / len(listings)

    def add(examples: Sequence[Listing]) -> float:
        categorizer.projections = known.projections
        return seconds(lambda: categorizer.add_category("new", examples))

    def grow(count: int) -> float:
        categorizer.projections = known.projections
        return seconds(lambda: add_one_by_one(categorizer, listings[0], count)) / count

    rivals = {f"{n:,} categories": partial(predict, n) for n in categories}
    comparisons = [compare("one prediction", "ms", take_turns(rivals, options.rounds))]
    rivals = {f"{n:,} categories": partial(first, n) for n in categories}
    comparisons.append(compare("the first prediction after a change", "s", take_turns(rivals, options.rounds)))
    rivals = {f"{EXAMPLES} examples": partial(add, listings[:EXAMPLES]), "one example": partial(add, listings[:1])}
    comparisons.append(compare("adding a category", "s", take_turns(rivals, options.rounds)))
    rivals = {f"the mean of {ADDED:,}": partial(grow, ADDED), "the mean of 10": partial(grow, 10)}
    comparisons.append(compare("adding categories one by one", "s", take_turns(rivals, 1)))
    report(comparisons, options.to)


if __name__ == "__main__":
    main()
