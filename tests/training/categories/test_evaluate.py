"""The figures of a bundle, measured on labelled listings."""

from dataclasses import replace

import numpy as np
import pytest
import shop

from productcat import Categorizer, DecisionRule, Listing
from training.categories.evaluate import evaluate

ALWAYS, NEVER = DecisionRule(0.0, 0.0), DecisionRule(1.0, 1.0)


@pytest.fixture
def measured(tiny_bundle, shop_listings):
    """A function from changed listings and the rules to figures and table."""

    def measure(change=lambda each: each, **rules):
        listings, names = shop_listings
        categorizer = Categorizer.load(tiny_bundle)
        categorizer.rules = {**categorizer.rules, **rules}
        labels = np.array([shop.CLASSES.index(name) for name in names])
        return evaluate(categorizer, [change(each) for each in listings], labels, labels)

    return measure


def test_each_kind_of_evidence_is_decided_by_its_own_rule(measured):
    figures, _ = measured(photos=ALWAYS, title=NEVER, both=ALWAYS)
    assert set(figures["decisions_alone"]) == {"photos", "title"}
    assert figures["decisions"]["assign"] == figures["decisions_alone"]["photos"]["assign"] == 1.0
    assert figures["decisions"]["precision_of_assigned"] == pytest.approx(figures["both"]["top1"])
    assert figures["decisions_alone"]["photos"]["precision_of_assigned"] == pytest.approx(figures["photos"]["top1"])
    assert figures["decisions_alone"]["title"]["assign"] == 0.0
    assert figures["decisions_alone"]["title"]["precision_of_assigned"] is None
    assert all(1 / 3 < figures["mean_confidence"][use] <= 1 for use in ("photos", "title", "both"))


def test_a_listing_that_lacks_a_title_is_decided_by_the_rule_of_photos(measured):
    def without_some_titles(listing):
        return replace(listing, title="") if listing.id in ("new-0", "new-1", "new-2") else listing

    figures, _ = measured(without_some_titles, photos=NEVER, title=NEVER, both=ALWAYS)
    assert figures["decisions"]["assign"] == pytest.approx(9 / 12)
    assert figures["decisions_alone"]["photos"]["assign"] == 0.0


def test_listings_of_one_kind_of_evidence_have_figures_of_that_kind_alone(measured):
    figures, table = measured(lambda each: replace(each, photos=()))
    assert not {"photos", "both", "photos_per_class", "decisions_alone", "title_rescue"} & set(figures)
    assert {"title", "decisions", "parents", "listings"} <= set(figures)
    assert list(table[0]) == ["class", "support", "title_top1", "title_top5"]


def test_listings_without_any_evidence_cannot_be_measured(measured):
    with pytest.raises(ValueError, match="none of 12 listings has a photo or a title that the bundle knows"):
        measured(lambda each: Listing(each.id))
