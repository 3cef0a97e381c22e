"""Duplicates through the public face: sets of photos in, probabilities, pairs and groups out."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat import BundleError, DuplicateDetector, DuplicatePair, Listing, ListingError
from productcat.duplicates.evidence import names
from productcat.duplicates.matches import level_names
from productcat.duplicates.metric import Experts, Head, SetMetric, Weights
from productcat.duplicates.pictures import compared
from productcat.duplicates.thumbnails import thumbnails
from productcat.duplicates.whitening import known_share
from productcat.listings.photos import read_photo


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.fixture(scope="module")
def listings():
    """24 listings of one to three photos; listing i + 12 has the photos of listing i, mirrored and once more saved."""
    rng = np.random.default_rng(5)
    photos = [[shop.photo(shop.CLASSES[i % 3], rng) for _ in range(1 + i % 3)] for i in range(12)]
    copies = [[shop.encode(photo[:, ::-1], "JPEG") for photo in each] for each in photos]
    return [Listing(f"item-{i}", photos=tuple(each)) for i, each in enumerate(photos + copies)]


@pytest.fixture(scope="module")
def embeddings(detector, listings):
    return detector.embed(listings)


def test_the_same_photos_score_near_1_and_other_photos_lower(detector, listings):
    same = detector.score(listings[:12], listings[:12])
    other = detector.score(listings[:11], listings[1:12])
    assert same.min() > 0.9
    assert other.max() < same.min()


def test_scores_are_symmetric_to_the_bit(detector, embeddings):
    assert (detector.score(embeddings[:12], embeddings[12:]) == detector.score(embeddings[12:], embeddings[:12])).all()


def test_a_score_matrix_holds_the_scores_of_all_pairs(detector, embeddings):
    left, right = embeddings[:3], embeddings[10:14]
    matrix = detector.score_matrix(left, right)
    each = [[detector.score([one], [other])[0] for other in right] for one in left]
    assert matrix.shape == (3, 4)
    np.testing.assert_allclose(matrix, each, atol=1e-6)


@settings(max_examples=20)
@given(order=st.permutations(range(3)), size=st.integers(1, 12))
def test_neither_the_order_of_photos_nor_the_size_of_a_batch_matters(detector, listings, embeddings, order, size):
    turned = Listing("turned", photos=tuple(listings[2].photos[i] for i in order))
    expected = detector.score_matrix(embeddings[2:3], embeddings[:12])
    np.testing.assert_allclose(detector.score_matrix([turned], embeddings[:12]), expected, atol=1e-5)
    np.testing.assert_allclose(detector.score_matrix(embeddings[2:3], listings[:size]), expected[:, :size], atol=1e-5)


def test_find_returns_every_pair_once_best_first(detector, listings):
    pairs = detector.find(listings, threshold=0.0)
    keys = [frozenset((pair.left, pair.right)) for pair in pairs]
    assert all(isinstance(pair, DuplicatePair) for pair in pairs)
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 2 for key in keys)
    assert [pair.score for pair in pairs] == sorted((pair.score for pair in pairs), reverse=True)


def test_find_proposes_the_mirrored_copies(detector, listings):
    found = {frozenset((pair.left, pair.right)) for pair in detector.find(listings, threshold=0.0)}
    assert {frozenset((f"item-{i}", f"item-{i + 12}")) for i in range(12)} <= found


def test_pairs_below_the_threshold_are_left_out(detector, embeddings):
    scores = [pair.score for pair in detector.find(embeddings, threshold=0.0)]
    middle = float(np.median(scores))
    assert len(detector.find(embeddings, threshold=middle)) == sum(score >= middle for score in scores)


def test_clusters_are_the_listings_of_the_groups_and_each_has_pairs_that_are_found(detector, embeddings):
    pairs = detector.find(embeddings, threshold=0.8)
    groups = detector.groups(embeddings, threshold=0.8)
    assert sorted(sorted(group.ids) for group in groups) == sorted(detector.cluster(embeddings, threshold=0.8))
    assert sum(map(len, groups)) == len({each for group in groups for each in group.ids})
    for group in groups:
        found = {id for pair in pairs for id in (pair.left, pair.right) if {pair.left, pair.right} <= {*group.ids}}
        assert found == {*group.ids}


def lots(rng, n_lots):
    """Listings of two photos each, of which each shares one with the one before."""
    items = [textured(rng) for _ in range(n_lots + 1)]
    return [Listing(f"lot-{i}", photos=(items[i], items[i + 1])) for i in range(n_lots)]


def test_a_chain_of_lots_is_no_group(detector):
    chain = lots(np.random.default_rng(12), 8)
    assert all(detector.score(chain[:-1], chain[1:]) > 0.5)
    assert {len(group) for group in detector.groups(chain, 0.5, adapt=False)} == {2}


def test_many_postings_of_one_photo_are_one_group_with_a_score_for_each_pair(detector, listings):
    rng = np.random.default_rng(4)
    photo = np.kron(textured(rng), np.ones((3, 3, 1), np.uint8))
    copies = [np.clip(photo * rng.uniform(0.9, 1.1), 0, 255).astype(np.uint8) for _ in range(15)]
    posted = [Listing(f"copy-{number}", photos=(copy,)) for number, copy in enumerate(copies)]
    group = detector.groups([*posted, *listings[:4]], 0.9, adapt=False)[0]
    assert {*group.ids} == {each.id for each in posted}
    assert group.keep == group.ids[0] == "copy-0"
    assert len(group.pairs) == 15 * 14 // 2
    assert min(group.scores) > 0.9


def test_the_listing_to_keep_is_chosen_by_photos_title_and_price(detector, listings):
    photos = listings[2].photos
    same = [
        Listing("a", "boots", photos[:2], price=5),
        Listing("b", "red boots", (*photos, b"no photo", b"none"), price=9),
        Listing("c", "very good boots", photos, price=7),
    ]
    together = dict.fromkeys("abc", "one item")

    def kept(**settings):
        with warnings.catch_warnings(action="ignore"):
            return detector.groups(same, together=together, **settings)[0].keep

    assert kept() == "c"  # photos that cannot be read do not count
    assert kept(keep="price:lowest") == "a"
    assert kept(keep="id:newest") == "c"
    with pytest.raises(ValueError, match="'colour'"):
        detector.groups(same, keep="colour")


def test_what_was_decided_is_found_or_not_whatever_the_scores(detector, embeddings):
    best = detector.find(embeddings, 0.0)[0]
    decided = [(best.left, best.right, False), ("item-0", "item-4", True), ("item-4", "item-5", True)]
    pairs = detector.find(embeddings, 0.9, decided=decided)
    found = {frozenset((pair.left, pair.right)): pair.score for pair in pairs}
    assert frozenset((best.left, best.right)) not in found
    same = [("item-0", "item-4"), ("item-4", "item-5"), ("item-0", "item-5")]
    assert {found[frozenset(each)] for each in same} == {1}
    groups = detector.groups(embeddings, 0.9, decided=decided)
    assert not any({best.left, best.right} <= {*group.ids} for group in groups)
    assert any({"item-0", "item-4", "item-5"} <= {*group.ids} for group in groups)


def test_values_keep_listings_apart_or_together(detector, embeddings):
    ids = [each.id for each in embeddings]
    apart = {id: str(number % 12 == 3 and number) for number, id in enumerate(ids)}  # all but the two copies of one
    pairs = detector.find(embeddings, 0.0, apart=apart, together={"item-0": "x", "item-1": "x"})
    found = {frozenset((pair.left, pair.right)): pair.score for pair in pairs}
    assert frozenset(("item-3", "item-15")) not in found
    assert frozenset(("item-2", "item-14")) in found
    assert found[frozenset(("item-0", "item-1"))] == 1


def test_a_contradiction_of_decisions_is_refused(detector, embeddings):
    with pytest.raises(ListingError, match="'item-0' and 'item-1' are decided to be different"):
        detector.find(embeddings, decided=[("item-0", "item-1", True), ("item-0", "item-1", False)])


def test_listings_of_one_id_are_told_and_join_no_groups(detector, listings):
    same = [Listing("", photos=listings[row].photos) for row in (0, 1)]
    catalogue = [replace(listings[0], id="a"), *same, replace(listings[1], id="b")]
    with pytest.warns(
        UserWarning, match=r"2 listings have the id '', so pairs do not tell which of them is meant; give"
    ):
        groups = detector.cluster(catalogue, threshold=0.9, adapt=False)
    assert groups == [["", "a"], ["", "b"]]


def test_a_listing_without_photos_is_never_a_duplicate_and_says_so(detector, listings):
    with pytest.warns(UserWarning, match=r"listing 'empty': no photo; it is never a duplicate"):
        empty = detector.embed([Listing("empty", "a title")])[0]
    assert len(empty) == 0
    assert detector.score([empty], [empty]).tolist() == [0.0]
    assert detector.score_matrix([empty, listings[0]], [listings[0]])[0, 0] == 0.0
    assert all("empty" not in (pair.left, pair.right) for pair in detector.find([empty, *listings[:4]], 0.0))


def test_an_unreadable_photo_is_named_and_the_other_photos_count(detector, listings):
    broken = Listing("broken", photos=(b"no photo", *listings[0].photos))
    with pytest.warns(UserWarning, match=r"listing 'broken': photo of 8 bytes: not a JPEG"):
        found = detector.embed([broken])[0]
    assert detector.score([found], [listings[0]])[0] > 0.9


def test_nothing_goes_in_and_nothing_comes_out(detector):
    assert detector.embed([]) == []
    assert detector.score([], []).shape == (0,)
    assert detector.score_matrix([], []).shape == (0, 0)
    assert detector.find([]) == []
    assert detector.cluster([]) == []
    assert detector.groups([]) == []


def test_one_listing_alone_has_no_duplicate(detector, embeddings):
    assert detector.find(embeddings[:1], threshold=0.0) == []


def test_sides_of_different_length_are_refused(detector, embeddings):
    with pytest.raises(ValueError, match="2 listings on the left, 1 on the right"):
        detector.score(embeddings[:2], embeddings[:1])


def test_an_adapted_detector_takes_the_same_embeddings_and_what_all_share_counts_less(detector, embeddings):
    alike = [each for number, each in enumerate(embeddings[:12]) if number % 3 == 0]
    adapted = detector.adapt(alike * 20)
    before, after = (each.score_matrix(alike, alike)[~np.eye(4, dtype=bool)].mean() for each in (detector, adapted))
    assert after < before


def test_the_head_is_told_how_well_an_adapted_detector_knows_the_catalogue(detector, embeddings):
    nothing = np.zeros(len(names(detector.metric.levels)))
    head = Head(Experts.one(Weights(nothing, 3.0)), Experts.one(Weights(nothing, 0.0)))  # looks at nothing else
    told = DuplicateDetector(detector.image_model, replace(detector.metric, head=head, compared=None), 0.5)
    adapted = told.adapt(embeddings[:12])
    n_pictures = len(adapted.metric.surroundings.shares)
    assert adapted.metric.share == pytest.approx(known_share(n_pictures))
    scores = [each.score(embeddings[:1], embeddings[1:2])[0] for each in (told, adapted)]
    np.testing.assert_allclose(scores, [0.5, 1 / (1 + np.exp(-3.0 * known_share(n_pictures)))], rtol=1e-6)
    share = adapted.adapt(embeddings[:12]).metric.share
    np.testing.assert_allclose(share, 1 - (1 - known_share(n_pictures)) ** 2)


@given(compared=st.floats(1, 1000), n=st.integers(0, 10**7))
def test_the_odds_of_a_pair_fall_with_the_listings_and_never_rise(detector, embeddings, compared, n):
    shifted = DuplicateDetector(detector.image_model, replace(detector.metric, compared=compared), 0.5)
    before, after = (each.score(embeddings[:1], embeddings[12:13])[0] for each in (shifted, shifted.among(n)))
    odds = [score / (1 - score) for score in (before, after)]
    assert odds[1] == pytest.approx(odds[0] / max((n - 1) / compared, 1), rel=1e-4)


def test_find_scores_pairs_for_the_number_of_listings_searched(detector, embeddings):
    known = detector.adapt(embeddings).among(len(embeddings))
    by_id = {each.id: each for each in embeddings}
    pairs = detector.find(embeddings, 0.5)
    alone = known.score([by_id[pair.left] for pair in pairs], [by_id[pair.right] for pair in pairs])
    raised = np.array([pair.score for pair in pairs]) - alone
    assert (raised >= -1e-6).all()  # others of its group may speak for a pair, too
    assert (raised < 1e-4).mean() > 0.5


def test_a_bundle_that_does_not_tell_its_catalogues_scores_alike_in_all(detector, embeddings, tmp_path):
    silent = replace(detector.metric, compared=None)
    alone = DuplicateDetector(detector.image_model, silent, 0.5)
    assert (
        alone.among(10**6).score(embeddings[:3], embeddings[3:6]) == alone.score(embeddings[:3], embeddings[3:6])
    ).all()
    for number, metric in enumerate((silent, detector.metric)):
        metric.save(tmp_path / str(number))
        assert SetMetric.load(tmp_path / str(number)).compared == metric.compared


def test_the_threshold_for_a_precision_is_the_lowest_from_which_so_many_are_expected_to_be_right(detector, embeddings):
    scores = np.array([pair.score for pair in detector.find(embeddings, 0.5)])
    precision = (scores.mean() + scores.max()) / 2
    found = detector.search(embeddings, precision=precision)
    assert found.expected >= precision
    assert len(found.pairs) < len(scores)
    # about: pairs of a group are raised by others, which threshold by threshold differ
    assert scores[: len(found.pairs) + 1].mean() < precision + 0.001
    assert found.threshold <= found.pairs[-1].score


def test_adapting_to_nothing_changes_nothing(detector):
    assert detector.adapt([]) is detector


def test_embeddings_take_less_than_2_kilobytes_a_photo(embeddings):
    size = sum(part.nbytes for part in embeddings[2].features.values()) + embeddings[2].thumbnails.nbytes
    assert size / len(embeddings[2]) < 2_048


def textured(rng):
    """A photo of patches of many colours. → ndarray of shape (32, 24, 3), uint8"""
    return np.kron(rng.integers(0, 256, (8, 6, 3)), np.ones((4, 4, 1))).astype(np.uint8)


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_a_frame_and_a_turn_make_no_other_thumbnail(colour):
    photo, other = (np.kron(textured(np.random.default_rng(seed)), np.ones((3, 3, 1), np.uint8)) for seed in (7, 8))
    framed = np.full((120, 96, 3), colour, np.uint8)
    framed[12:108, 12:84] = photo
    for copy in (framed, np.rot90(framed), framed[:, ::-1]):
        same, apart, copied = (thumbnails(read_photo(each, (96, 96))[None]) for each in (photo, other, copy))
        assert compared(same, copied)[0, 0] > 0.9 > 0.8 > compared(apart, copied)[0, 0]


@pytest.mark.parametrize("value", [0, 200, 255])
def test_a_photo_of_one_colour_is_left_out_and_said_to_be(detector, listings, value):
    flat = np.full((32, 24, 3), value, np.uint8)
    with pytest.warns(UserWarning, match="listing 'flat': .*: shows nothing but one colour"):
        (found,) = detector.embed([Listing("flat", photos=(flat, *listings[0].photos))])
    assert len(found) == len(listings[0].photos)


def test_the_explanation_pairs_each_photo_with_its_copy(detector):
    rng = np.random.default_rng(6)
    photos = [textured(rng) for _ in range(3)]
    copies = [shop.encode(photo, "JPEG") for photo in reversed(photos)]
    matches = detector.explain(Listing("one", photos=tuple(photos)), Listing("backwards", photos=tuple(copies)))
    assert {(match.left, match.right) for match in matches} == {(0, 2), (1, 1), (2, 0)}
    assert all(match.copy > 0.95 and set(match.levels) == {"embedding_top"} for match in matches)


def test_a_bundle_without_the_part_is_refused_by_name(tiny_bundle):
    with pytest.raises(BundleError, match="no 'duplicates' part in it"):
        DuplicateDetector.load(tiny_bundle)


def test_saving_a_categorizer_keeps_the_duplicates_part(duplicates_bundle, embeddings, detector, tmp_path):
    from productcat import Categorizer

    categorizer = Categorizer.load(duplicates_bundle)
    categorizer.remove_category("Belts")
    categorizer.save(tmp_path / "other")
    again = DuplicateDetector.load(tmp_path / "other")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            again.score(embeddings[:12], embeddings[12:]), detector.score(embeddings[:12], embeddings[12:])
        )


@pytest.mark.parametrize("listings", ["photo.jpg", Listing("a"), ["photo.jpg"], [b"a photo"]])
def test_what_is_no_listing_is_refused_by_name(detector, listings):
    for ask in (detector.embed, detector.find, lambda each: detector.score(each, each)):
        with pytest.raises(ListingError, match=r"is not a sequence of listings|expected Listing; write Listing\("):
            ask(listings)


def test_two_levels_are_called_background_and_object_and_others_by_their_layers():
    assert level_names(["embedding_conv4_block6_out", "embedding_conv5_block3_out"]) == ["background", "object"]
    assert level_names(["embedding_conv4_block6_out"]) == ["conv4 block6 out"]
