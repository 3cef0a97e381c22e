"""The report of duplicates: one sound HTML file that loads nothing, escapes everything, and puts the doubts first."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import shop
from html_page import Page
from PIL import Image

from productcat import DuplicateDetector, DuplicatePair, Listing
from productcat.duplicates.groups import DuplicateGroup
from productcat.duplicates.matches import PhotoMatch, ReportedPair
from productcat.duplicates.titles import TitleWord
from productcat.reports.duplicates import Findings, report
from productcat.reports.listing_cards import SIDE, ListingCard, Photo, SharedPicture, draw
from productcat.reports.reported_groups import DOUBT, MEMBERS, PHOTOS, REPORTED, ReportedGroup

NASTY = "<script>alert('x')</script> & \"quotes\" \ud800 👜"


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.fixture(scope="module")
def listings(tmp_path_factory):
    """Two listings with the same 14 photos, in another order, and a third; one photo of the first is unreadable."""
    rng = np.random.default_rng(8)
    folder = tmp_path_factory.mktemp("photos")
    photos = []
    for number in range(14):
        photos.append(folder / f"view {number} & co.jpg")
        photos[-1].write_bytes(shop.encode(shop.photo(shop.CLASSES[number % 3], rng, (640, 480)), "JPEG"))
    return [
        Listing("<b>a</b>", NASTY, (folder / "missing.jpg", *photos)),
        Listing("copy", "The same again", tuple(each.read_bytes() for each in reversed(photos))),
        Listing("third", "", (shop.photo("Belts", rng, (100, 400)),)),
    ]


@pytest.fixture(scope="module")
def judged(detector, listings):
    with pytest.warns(UserWarning, match="missing.jpg: no such file"):
        embeddings = detector.embed(listings)
    pairs = detector.find(embeddings, threshold=0.0)
    known = {each.id: each for each in embeddings}
    reported = [ReportedPair(pair, detector.explain(known[pair.left], known[pair.right])) for pair in pairs]
    return [ReportedGroup.of_pair(each, REPORTED if each.pair.score >= 0.5 else DOUBT) for each in reported]


@pytest.fixture(scope="module")
def shown(judged, listings):
    return dict(draw(judged, listings))


@pytest.fixture(scope="module")
def html(judged, shown):
    findings = Findings(f"{NASTY}.csv", 0.5, 1234, 1, 1, left_out=30, left_out_below=1, note="So <b>chosen</b>.")
    return b"".join(report(judged, shown, findings)).decode()


def seen(groups, cards, **more):
    """The report as a Page."""
    return Page(b"".join(report(groups, cards, Findings("x", 0.5, 3, 1, 1, **more))).decode())


def crowd(n_listings, kind="", copy=1.0, score=0.9):
    """A group of n listings of one photo each, the first one the one to keep."""
    ids = tuple(f"l{number}" for number in range(n_listings))
    pairs = tuple(DuplicatePair(ids[0], id, score, kind) for id in ids[1:])
    matches = {(each.left, each.right): [PhotoMatch(0, 0, {"low": 0.9, "top": 0.9}, copy)] for each in pairs}
    group = DuplicateGroup(ids, ids[0], (score,) * n_listings, pairs)
    return ReportedGroup(group, matches, why_kept="most <photos>")


def one_photo_each(group, title="A title"):
    return {id: ListingCard(title, {0: Photo(1, "front.jpg", b"jpeg")}, 1) for id in group.shown}


def test_the_report_is_sound_html_in_which_nothing_of_the_data_is_a_tag(html):
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert {tag for tag, _ in page.elements}.isdisjoint({"b a", "iframe", "object", "form", "link"})
    assert "alert('x') & \"quotes\" ? 👜" in "".join(page.texts).replace("<script>", "").replace("</script>", "")
    assert "<b>a</b>" in page.text
    assert "So <b>chosen</b>." in page.text
    assert re.search(r"view \d+ & co\.jpg", html.replace("&amp;", "&"))


def test_the_report_loads_nothing_from_anywhere_and_runs_its_own_script_alone(html):
    page = Page(html)
    used = [
        attributes[name] for _, attributes in page.elements for name in ("src", "href", "data") if name in attributes
    ]
    assert used
    assert all(each.startswith("data:image/jpeg;base64,") for each in used)
    without_photos = re.sub(r"base64,[^\"]+", "", html)
    assert not re.search(r"https?:|url\(|@import|\son\w+=", without_photos)
    policy = page.all("meta")[3]["content"]
    assert policy.startswith("default-src 'none'; ")
    script = re.search(r"<script>(.*)</script>\n</body>", html, re.DOTALL)[1]
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{checksum}'")


def test_every_group_is_there_with_its_score_and_whether_it_is_reported(html, judged):
    page = Page(html)
    assert [each["id"] for each in page.all("article")] == [f"group-{number}" for number in range(1, len(judged) + 1)]
    for each in judged:
        assert f"{100 * min(each.group.scores):.1f} %" in page.text
        assert set(each.group.ids) <= {text.strip() for text in page.texts}
    kinds = ["reported" if each.kind == REPORTED else "below" for each in judged]
    assert [each["class"] for each in page.all("article")] == kinds
    assert page.text.count("not reported") == kinds.count("below")


def test_the_ids_reach_the_script_as_they_are(listings):
    ids = ("a\r\nb", '\x00 =1+1,"x"', "</article><script>")
    group = DuplicateGroup(ids, ids[0], (0.9,) * 3, ())
    article = seen([ReportedGroup(group, {})], {}).all("article")[0]
    assert tuple(json.loads(article["data-ids"])) == ids


def test_the_head_tells_what_was_found_and_left_out(html):
    text = Page(html).text
    assert "1 pair of 1,234 listings reach the threshold of 50.0 % and make 1 group" in text
    assert "Left out here: 30 groups further above the threshold and 1 pair further below it." in text


def test_photos_that_match_come_first_in_the_same_order_under_the_same_letters(listings, judged, shown):
    pair = next(each for each in judged if {*each.group.ids} == {"<b>a</b>", "copy"})
    page = seen([pair], shown)
    sources = [image["src"] for image in page.all("img")]
    half = len(sources) // 2
    assert half == PHOTOS // 2
    assert sources[:half] == sources[half:]
    letters = [each.get("data-letter") for each in page.all("figure")]
    assert letters == [*"ABCDEFGHIJKL"] * 2
    assert page.text.count("+ 2 more") == 2
    named = {photo.number: photo.name for photo in shown["<b>a</b>"].photos.values()}
    assert all(listings[0].photos[number - 1].name == name for number, name in named.items())
    assert 1 not in named


def test_twelve_postings_of_an_item_are_one_card_that_marks_the_one_to_keep():
    group = crowd(12, "copy")
    page = seen([group], one_photo_each(group))
    assert len(page.all("article")) == 1
    assert len(page.all("img")) == 12
    assert {each["data-letter"] for each in page.all("figure")} == {"A"}
    assert "12 listings" in page.text
    assert "keep: most <photos>" in page.text
    assert "11 pairs inside" in page.text


def test_the_kind_of_a_verdict_is_told_in_words():
    cards = one_photo_each(crowd(3))
    assert "the same picture" in seen([crowd(3, "copy", copy=0.1)], cards).text
    assert "other photos of it" in seen([crowd(3, "same item", copy=0.1)], cards).text
    assert "the titles alone" in seen([crowd(3, "title", copy=0.1)], cards).text
    assert "nearly the same picture" in seen([crowd(3, "", copy=0.99)], cards).text
    assert "other photos of it" in seen([crowd(3, "", copy=0.5)], cards).text


def test_only_photos_of_a_copy_are_called_the_same_picture():
    def captions(**more):
        page = seen([crowd(2, **more)], one_photo_each(crowd(2)))
        return page.text.count("A the same picture"), page.text.count("A alike")

    assert captions(kind="copy", copy=0.99) == (2, 0)
    assert captions(kind="copy", copy=0.9) == captions(kind="same item", copy=0.99) == captions(copy=0.99) == (0, 2)


def test_what_the_titles_did_and_where_they_differ_is_told():
    group = crowd(3, "copy", score=0.9)
    before = {("l0", "l1"): 0.99, ("l0", "l2"): 0.4}
    cards = one_photo_each(group)
    cards["l2"] = ListingCard("A <i>title</i> 85V", cards["l2"].photos, 1)
    page = seen([ReportedGroup(group.group, group.matches, by_photos=before)], cards)
    assert "The title speaks against it: 99.0 % by the photos alone." in page.text
    assert "The title speaks for it: 40.0 % by the photos alone." in page.text
    assert page.elements.count(("mark", {})) == 3
    assert "85V" in page.texts
    pair = crowd(2)
    page = seen([ReportedGroup(pair.group, pair.matches, by_photos={("l0", "l1"): 0.9})], cards)
    assert page.text.count("The title changes nothing.") == 1


def test_the_words_that_count_are_told_and_marked_words_carry_their_weight():
    pair = crowd(2, "title")
    words = [
        TitleWord("wool", True, True, 1.5),
        TitleWord("85v", True, False, -2.25),
        TitleWord("80v", False, True, -2.0),
        TitleWord("the", True, True, 0.01),
    ]
    cards = one_photo_each(pair, "the Wool 85V")
    cards["l1"] = ListingCard("the Wool 80V, new", cards["l1"].photos, 1)
    page = seen([replace(pair, title_words={("l0", "l1"): words})], cards)
    assert page.text.count("The title counts for “wool”, against “85v” / “80v”.") == 1
    marked = [attributes.get("title") for tag, attributes in page.elements if tag == "mark"]
    assert marked == ["counts against it: -2.2", "counts against it: -2.0", None]
    page = seen([replace(pair, title_words={("l0", "l1"): words}, by_photos={("l0", "l1"): 0.99})], cards)
    assert "99.0 % by the photos alone. The title counts for “wool”" in page.text
    assert "The title" not in seen([replace(pair, title_words={("l0", "l1"): ()})], cards).text


def test_pictures_that_many_listings_share_are_shown_once_and_marked_where_they_lie():
    group = crowd(3)
    shared = SharedPicture([("l1", 0), *((f"far-{number}", 2) for number in range(59))])
    page = seen([group], one_photo_each(group), shared=[shared])
    assert "Left out: 1 picture that many listings share" in page.text
    assert page.text.count("in 60 listings, left out") == 1
    assert "+ 48 more" in page.text
    assert len(page.all("img")) == 1 + 3
    assert [each.get("data-letter") for each in page.all("figure")] == [None, "A", None, "A"]


def test_a_shared_picture_is_drawn_from_the_first_of_its_listings():
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(file, "JPEG")
    listings = [Listing(f"l{number}", photos=(file.getvalue(), file.getvalue())) for number in range(9)]
    drawn = dict(draw([], listings, [SharedPicture([(f"l{number}", 1) for number in range(3, 9)])]))
    assert {id: set(card.photos) for id, card in drawn.items()} == {"l3": {1}}


def test_a_large_group_shows_some_of_its_listings_and_photos_and_says_how_many_it_leaves_out():
    group = crowd(MEMBERS + 10)
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(file, "JPEG")
    listings = [Listing(id, photos=(file.getvalue(),) * 7) for id in group.group.ids]
    cards = dict(draw([group], listings))
    assert len(cards) == MEMBERS
    page = seen([group], cards)
    assert "+ 10 more listings, which a decision here leaves out" in page.text
    assert len(json.loads(page.all("article")[0]["data-ids"])) == MEMBERS
    assert len(page.all("img")) == MEMBERS
    assert page.text.count("+ 6 more") == MEMBERS


def test_a_pair_of_listings_with_many_photos_shows_a_part_of_them():
    pair = DuplicatePair("a", "b", 0.5)
    photos = tuple(shop.photo("Belts", np.random.default_rng(seed), (64, 64)) for seed in range(PHOTOS))
    match = PhotoMatch(PHOTOS - 1, 0, {"low": 0.9, "top": 0.9}, 0.9)
    group = ReportedGroup.of_pair(ReportedPair(pair, [match]))
    page = seen([group], dict(draw([group], [Listing("a", photos=photos), Listing("b", photos=photos[:1])])))
    alts = [image["alt"] for image in page.all("img")]
    assert alts[0] == f"photo {PHOTOS}"
    assert len(alts) == PHOTOS // 2 + 1
    assert f"+ {PHOTOS // 2} more" in page.text


def test_thumbnails_are_small_jpegs_whatever_the_photo(shown):
    for listing in shown.values():
        for photo in listing.photos.values():
            with Image.open(io.BytesIO(photo.jpeg), formats=["JPEG"]) as image:
                assert max(image.size) <= SIDE
            assert len(photo.jpeg) < 40_000


def test_a_listing_that_is_gone_by_now_leaves_a_gap_and_no_error(judged):
    page = seen(judged, {})
    assert "the photo cannot be read any more" in page.text
    assert page.all("img") == []


def test_without_groups_the_report_says_so_and_has_nothing_to_decide():
    page = Page(b"".join(report([], {}, Findings("x", 0.5, 3, 0, 0))).decode())
    assert "0 pairs of 3 listings reach the threshold" in page.text
    assert "Left out" not in page.text
    assert page.all("progress") == []


def test_only_listings_of_groups_are_drawn(judged):
    listings = (Listing(f"other-{number}", photos=(b"never read",)) for number in range(100))
    assert list(draw(judged, listings)) == []


def test_text_from_photos_is_not_carried_into_the_report():
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).convert("RGB").save(
        file, "JPEG", comment=b"the seller's secret", dpi=(72, 72)
    )
    group = ReportedGroup.of_pair(ReportedPair(DuplicatePair("a", "b", 0.5), []))
    drawn = dict(draw([group], [Listing("a", photos=(file.getvalue(),))]))
    assert isinstance(drawn["a"], ListingCard)
    assert b"secret" not in drawn["a"].photos[0].jpeg
    html = b"".join(report([group], drawn, Findings("x", 0.5, 2, 1, 1)))
    assert base64.b64encode(drawn["a"].photos[0].jpeg) in html
