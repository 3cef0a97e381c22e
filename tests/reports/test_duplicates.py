"""The report of duplicates: one sound HTML file that loads nothing, escapes everything, and puts the doubts first."""

import base64
import io
import re

import numpy as np
import pytest
import shop
from html_page import Page
from PIL import Image

from productcat import DuplicateDetector, DuplicatePair, Listing
from productcat.duplicates.matches import ReportedPair
from productcat.reports.duplicates import MATCHES, OTHERS, SIDE, Findings, ListingCard, draw, report

NASTY = "<script>alert('x')</script> & \"quotes\" \ud800 👜"


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.fixture(scope="module")
def listings(tmp_path_factory):
    """Two listings with the same eight photos, in another order, and a third; one photo of the first is unreadable."""
    rng = np.random.default_rng(8)
    folder = tmp_path_factory.mktemp("photos")
    photos = []
    for number in range(8):
        photos.append(folder / f"view {number} & co.jpg")
        photos[-1].write_bytes(shop.encode(shop.photo(shop.CLASSES[number % 3], rng, (640, 480)), "JPEG"))
    return [
        Listing("<b>a</b>", NASTY, (folder / "missing.jpg", *photos)),
        Listing("copy", "The same again", tuple(each.read_bytes() for each in reversed(photos))),
        Listing("third", "", (shop.photo("Belts", rng, (50, 900)),)),
    ]


@pytest.fixture(scope="module")
def judged(detector, listings):
    with pytest.warns(UserWarning, match="missing.jpg: no such file"):
        embeddings = detector.embed(listings)
    pairs = detector.find(embeddings, threshold=0.0)
    known = {each.id: each for each in embeddings}
    return [ReportedPair(pair, detector.explain(known[pair.left], known[pair.right])) for pair in pairs]


@pytest.fixture(scope="module")
def shown(judged, listings):
    return dict(draw(judged, listings))


@pytest.fixture(scope="module")
def html(judged, shown):
    findings = Findings(f"{NASTY}.csv", 0.5, 1234, 1, left_out=30, left_out_below=1)
    return b"".join(report(judged, shown, findings)).decode()


def test_the_report_is_sound_html_in_which_nothing_of_the_data_is_a_tag(html):
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "b a", "iframe", "object", "form", "link"})
    assert "<script>alert('x')</script> & \"quotes\" ? 👜" in page.text
    assert "<b>a</b>" in page.text
    assert re.search(r"view \d & co\.jpg", page.text)


def test_the_report_loads_nothing_from_anywhere(html):
    page = Page(html)
    used = [
        attributes[name] for _, attributes in page.elements for name in ("src", "href", "data") if name in attributes
    ]
    assert used
    assert all(each.startswith("data:image/jpeg;base64,") for each in used)
    assert not re.search(r"https?:|url\(|@import|\son\w+=", re.sub(r"base64,[^\"]+", "", html))
    assert "default-src 'none'" in page.all("meta")[3]["content"]


def test_every_pair_is_there_with_its_score_and_whether_it_is_reported(html, judged):
    page = Page(html)
    assert [each["id"] for each in page.all("article")] == [f"pair-{number}" for number in range(1, len(judged) + 1)]
    for each in judged:
        assert f"{100 * each.pair.score:.1f} %" in page.text
        assert {each.pair.left, each.pair.right} <= {text.strip() for text in page.texts}
    kinds = ["reported" if each.pair.score >= 0.5 else "below" for each in judged]
    assert [each["class"] for each in page.all("article")] == kinds
    assert page.text.count("not reported") == kinds.count("below")


def test_the_head_tells_what_was_found_and_left_out(html):
    text = Page(html).text
    assert "1 pair of 1,234 listings reach the threshold of 50.0 %" in text
    assert "Left out here: 30 reported pairs further above the threshold and 1 pair further below it." in text


def test_photos_that_match_stand_side_by_side_under_their_own_names(detector, listings, judged, shown):
    pair = next(each for each in judged if {each.pair.left, each.pair.right} == {"<b>a</b>", "copy"})
    page = Page(b"".join(report([pair], shown, Findings("x", 0.5, 3, 1))).decode())
    sources = [image["src"] for image in page.all("img")]
    large = sources[: 2 * MATCHES]
    assert large[::2] == large[1::2]
    named = {photo.number: photo.name for photo in shown["<b>a</b>"].photos.values()}
    assert all(listings[0].photos[number - 1].name == name for number, name in named.items())
    assert 1 not in named
    assert len(sources) == 2 * (MATCHES + OTHERS)
    assert page.text.count("+ 1 more") == 2


def test_thumbnails_are_small_jpegs_whatever_the_photo(shown):
    for listing in shown.values():
        for photo in listing.photos.values():
            with Image.open(io.BytesIO(photo.jpeg), formats=["JPEG"]) as image:
                assert max(image.size) <= SIDE
            assert len(photo.jpeg) < 20_000


def test_a_listing_that_is_gone_by_now_leaves_a_gap_and_no_error(judged):
    page = Page(b"".join(report(judged, {}, Findings("x", 0.5, 3, 1))).decode())
    assert "the photo cannot be read any more" in page.text
    assert page.all("img") == []


def test_without_pairs_the_report_says_so():
    page = Page(b"".join(report([], {}, Findings("x", 0.5, 3, 0))).decode())
    assert "0 pairs of 3 listings reach the threshold" in page.text
    assert "Left out" not in page.text


def test_only_listings_of_pairs_are_drawn(judged):
    listings = (Listing(f"other-{number}", photos=(b"never read",)) for number in range(100))
    assert list(draw(judged, listings)) == []


def test_text_from_photos_is_not_carried_into_the_report():
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG", comment=b"the seller's secret", dpi=(72, 72))
    pair = DuplicatePair("a", "b", 0.5)
    drawn = dict(draw([ReportedPair(pair, [])], [Listing("a", photos=(file.getvalue(),))]))
    assert isinstance(drawn["a"], ListingCard)
    assert b"secret" not in drawn["a"].photos[0].jpeg
    html = b"".join(report([ReportedPair(pair, [])], drawn, Findings("x", 0.5, 2, 1)))
    assert base64.b64encode(drawn["a"].photos[0].jpeg) in html
