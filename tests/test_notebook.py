"""What notebooks show of listings, predictions, pairs, matches: sound HTML that raises nothing and escapes all text."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import shop
from PIL import Image

from productcat import Candidate, DecisionRule, DuplicateDetector, DuplicatePair, Listing, Prediction
from productcat.duplicates.matches import PhotoMatch, PhotoMatches
from productcat.listings.listing import SHOWN
from productcat.notebook import SIDE

NASTY = "<script>alert('x')</script> & \"quotes\" </style>"


class Reader(HTMLParser):
    """Takes a piece of HTML apart; every element must be closed in its order."""

    def __init__(self, shown):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(shown._repr_html_())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.text += data + "\n"

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def widths(self):
        """Of the bars, in percent."""
        return [float(re.fullmatch(r"width:([\d.]+)%", bar["style"])[1]) for bar in self.all("i") if "style" in bar]


@pytest.fixture(scope="module")
def pixels():
    return shop.photo("Handbags", np.random.default_rng(3), (640, 480))


def images(page):
    """The photos in a page, decoded. → list of PIL.Image.Image"""
    files = [base64.b64decode(each["src"].removeprefix("data:image/jpeg;base64,")) for each in page.all("img")]
    return [Image.open(io.BytesIO(each), formats=["JPEG"]) for each in files]


@pytest.mark.parametrize(
    "shown",
    [
        Listing(NASTY, NASTY, (f"{NASTY}.jpg",)),
        Prediction("assign", NASTY, (Candidate(NASTY, 0.99),), NASTY, (NASTY,)),
        DuplicatePair(NASTY, NASTY, 0.5),
        PhotoMatches([PhotoMatch(0, 0, {NASTY: 0.5}, 0.5)], (f"{NASTY}.jpg",), ()),
    ],
    ids=lambda shown: type(shown).__name__,
)
def test_nothing_of_the_data_is_a_tag(shown):
    page = Reader(shown)
    assert NASTY in page.text
    assert {tag for tag, _ in page.elements} <= {*("div", "style", "p", "b", "i", "span", "figure", "figcaption")} | {
        *("dl", "dt", "dd", "img")
    }


def test_titles_of_all_scripts_are_shown_as_they_are():
    for title in ("👜👠 bag", "حقيبة جلد", "पर्स", "$20 or $30"):
        assert title in Reader(Listing(title=title)).text


def test_half_a_surrogate_pair_can_be_written_to_a_file():
    assert "\ud800" not in Listing("\ud800", "bag \ud800")._repr_html_()
    Listing("\ud800", "bag \ud800")._repr_html_().encode("utf-8")


def test_dollars_in_titles_are_no_formulas():
    assert "tex2jax_ignore mathjax_ignore" in Reader(Listing(title="$20 or $30")).all("div")[0]["class"]


def test_paths_bytes_and_arrays_are_shown_as_small_jpegs(pixels, tmp_path):
    path = tmp_path / "view 1 & co.png"
    path.write_bytes(shop.encode(pixels))
    page = Reader(Listing("a", "bag", (path, str(path), shop.encode(pixels, "JPEG"), pixels)))
    assert [max(image.size) for image in images(page)] == [SIDE] * 4
    assert [each["alt"] for each in page.all("img")] == ["view 1 & co.png"] * 2 + ["photo 3", "photo 4"]
    assert len(Listing(photos=(pixels,))._repr_html_()) < 20_000


@pytest.mark.parametrize(
    "photo",
    ["missing.jpg", b"no photo", b"", np.zeros((1, 4000), np.uint8), "a\0b.jpg", "."],
    ids=repr,
)
def test_a_photo_that_cannot_be_read_is_shown_as_such_beside_the_others(photo, pixels):
    page = Reader(Listing("a", "bag", (photo, pixels)))
    assert "cannot be read" in page.text
    assert len(images(page)) == 1
    assert all(each["title"] for each in page.all("div") if each["class"] == "gone")


def test_a_photo_that_is_cut_short_is_shown_as_such(pixels):
    assert "cannot be read" in Reader(Listing(photos=(shop.encode(pixels, "JPEG")[:400],))).text


def test_photos_are_not_opened_before_a_notebook_asks(tmp_path):
    path = tmp_path / "late.jpg"
    listing = Listing("a", "bag", (path,))
    path.write_bytes(shop.encode(shop.photo("Belts", np.random.default_rng(1)), "JPEG"))
    assert len(images(Reader(listing))) == 1


def test_of_many_photos_the_first_are_shown_and_the_others_counted(pixels):
    page = Reader(Listing("a", "bag", [pixels] * (SHOWN + 3)))
    assert len(images(page)) == SHOWN
    assert "+ 3 more" in page.text


def test_a_listing_of_nothing_says_so():
    text = Reader(Listing()).text
    assert "no title" in text
    assert "no photo" in text


def test_a_prediction_has_a_bar_for_each_candidate():
    confidences = np.array([0.25, 0.7, 0.05])
    page = Reader(DecisionRule(0.6, 0.5, 3).decide(["Belts", "Bags", "Shoes"], confidences, "17", ["gone.jpg: no"]))
    assert page.widths == [70.0, 25.0, 5.0]
    assert re.search(r"assign\s+Bags\s+17\s+Bags\s+70\.0 %\s+Belts\s+25\.0 %", page.text)
    assert "gone.jpg: no" in page.text


@pytest.mark.parametrize(
    ("confidences", "said"),
    [
        ([0.6, 0.4], "shortlist\n \nlet the seller choose"),
        ([0.4, 0.3], "abstain\n \nask the seller"),
        ([np.nan, np.nan], "no evidence, neither a photo nor a word that is known"),
    ],
)
def test_a_prediction_says_what_to_do(confidences, said):
    assert said in Reader(DecisionRule().decide(["Belts", "Bags"], np.array(confidences))).text


def test_a_pair_shows_both_ids_and_the_score():
    page = Reader(DuplicatePair("left-1", "right-2", 0.934))
    assert "left-1 and right-2" in page.text
    assert "93.4 %" in page.text
    assert page.widths == [93.4]


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


def test_evidence_shows_the_photos_that_match(detector, pixels):
    other = shop.photo("Tshirts", np.random.default_rng(4), (640, 480))
    left = Listing("a", "", ("missing.jpg", other, pixels))
    right = Listing("b", "", (shop.encode(pixels),))
    with pytest.warns(UserWarning, match="missing.jpg: no such file"):
        matches = detector.explain(left, right)
    assert isinstance(matches, list)
    page = Reader(matches)
    assert [each["alt"] for each in page.all("img")] == ["photo 3", "photo 1"]
    assert np.abs(np.subtract(*(np.asarray(image, int) for image in images(page)))).mean() < 3
    assert len(page.widths) == len(matches[0].levels) + 1


def test_evidence_from_embeddings_names_photos_that_it_cannot_show(detector, pixels):
    embeddings = detector.embed([Listing("a", "", (pixels,)), Listing("b", "", (pixels,))])
    page = Reader(detector.explain(*embeddings))
    assert page.text.count("photo 1") == 2
    assert page.all("img") == []


def test_evidence_without_photos_says_so(detector, pixels):
    with pytest.warns(UserWarning, match="'b': no photo"):
        matches = detector.explain(Listing("a", "", (pixels,)), Listing("b"))
    assert "no photos to compare" in Reader(matches).text


def test_a_bar_never_leaves_its_track():
    matches = PhotoMatches([PhotoMatch(0, 0, {"embedding_top": -0.2}, 1.0000001)])
    assert Reader(matches).widths == [0.0, 100.0]
    assert "-0.20" in Reader(matches).text


def test_matches_are_plain_data_too():
    matches = PhotoMatches([PhotoMatch(0, 1, {"embedding_top": 0.5}, 0.25)])
    assert matches == [PhotoMatch(0, 1, {"embedding_top": 0.5}, 0.25)]
    assert json.dumps([each.levels for each in matches]) == '[{"embedding_top": 0.5}]'
