"""The block of figures that README.md and the first page of the site begin with. It is made of stored files alone."""

from figure_text import amount, paragraph, percent, result, stored
from figures_categories import FASHION
from figures_duplicates import DUPLICATES


def claims():
    """Three figures: right categories, duplicates found, the cost of one prediction."""
    return "\n".join(["- " + paragraph(said).replace("\n", "\n  ") for said in (categories(), duplicates(), cost())])


def categories():
    """Return what the default bundle reaches on test listings."""
    found = stored(FASHION)["metrics"]["test"]
    n_classes = len(stored("productcat/bundles/fashion/classes.json"))
    top1, decisions = percent(found["both"]["top1"]), found["decisions"]
    return f"""**{top1} right**: of {found["listings"]:,} test listings, photo and title, among {n_classes} categories.
    {percent(decisions["assign"])} are assigned without a question, and {percent(decisions["precision_of_assigned"])} of
    these are right."""


def duplicates():
    """Return how often the other photos of an item come first, and how often with plain features."""
    methods = stored(DUPLICATES)["unseen items"]
    ours, plain = (
        methods[name]["figures"]["mean"]["recall_at_1"]
        for name in ("Siamese network, known catalogue", "embedding_conv4_block6_out, best photos")
    )
    n_domains = len(methods["Siamese network, known catalogue"]["figures"]) - 1  # one is their mean
    return f"""**{percent(ours)} found**, by the detector of 0.1: half of an item's photos finds the other half first,
    in {n_domains} kinds of goods. The best pair of plain ResNet50 features finds {percent(plain)}."""


def cost():
    """Return time and memory of one prediction, beside the plain way."""
    spent, held = (each["medians"] for each in result("prediction")["comparisons"][:2])
    (ours, theirs), (our_memory, their_memory) = spent.values(), held.values()
    return f"""**{amount(ours)} s** for one prediction from a cold start on a CPU, in {amount(our_memory)} MB. Keras and
    gensim take {amount(theirs)} s and {amount(their_memory)} MB."""
