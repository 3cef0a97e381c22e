"""A catalogue on disk: what is put in is found, is replaced, is removed, and outlives a kill."""

import pkgutil
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lancedb
import numpy as np
import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat import BundleError, DuplicateDetector, Listing, ListingError, ListingIndex, ProductcatError
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.metric import Level
from productcat.duplicates.thumbnails import LENGTH, as_format_2, of_format_2
from productcat.duplicates.whitening import Background
from productcat.index import listing_index as index
from productcat.index import store as photo_store
from productcat.index.search_vectors import BYTES_BESIDE_ARRAYS, BYTES_PER_PHOTO, SearchSpace

ROOT = Path(__file__).parents[2]

OLD = Path(__file__).parent / "index-of-0.1.0"
"""Listings old-0, old-1 and old-2 of one, two and three photos. Of old-2, two photos were put again by a process that
was killed. Made by 0.1.0 with the bundle `tests/bundles/shop`."""


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.fixture(scope="module")
def listings():
    """24 listings of one to three photos; listing i + 12 has the photos of listing i, mirrored and once more saved."""
    rng = np.random.default_rng(5)
    photos = [[printed(shop.photo(shop.CLASSES[i % 3], rng), rng) for _ in range(1 + i % 3)] for i in range(12)]
    copies = [[shop.encode(photo[:, ::-1], "JPEG") for photo in each] for each in photos]
    return [Listing(f"item-{i}", photos=tuple(each)) for i, each in enumerate(photos + copies)]


def printed(photo, rng):
    """A photo of goods with a print of their own, without which two belts differ in their noise only."""
    photo[8:24, 6:18] = rng.integers(0, 256, (4, 3, 3)).repeat(4, axis=0).repeat(4, axis=1)
    return photo


@pytest.fixture(scope="module")
def embeddings(detector, listings):
    return detector.embed(listings)


@pytest.fixture
def empty(detector, tmp_path):
    return ListingIndex.open(tmp_path / "index", detector)


@pytest.fixture
def full(empty, embeddings):
    empty.add(embeddings)
    return empty


def assert_holds(index, expected):
    """An index holds exactly these embeddings, bit by bit."""
    found = {each.id: each for each in index.sample()}
    assert sorted(found) == sorted(each.id for each in expected)
    assert len(index) == len(found)
    assert index.ids() == set(found)
    for each in expected:
        assert each.id in index
        assert (found[each.id].title, found[each.id].price) == (each.title, each.price)
        np.testing.assert_array_equal(found[each.id].thumbnails, each.thumbnails)
        for name, part in each.features.items():
            np.testing.assert_array_equal(found[each.id].features[name], part)


def made_up(detector, n_listings, seed=0):
    """Embeddings of one photo each, in dense groups of ten."""
    rng = np.random.default_rng(seed)
    features = {}
    for name, level in detector.metric.levels.items():
        centres = rng.normal(size=(-(-n_listings // 10), len(level.background.mean))).repeat(10, axis=0)[:n_listings]
        near = np.abs(centres + rng.normal(scale=0.1, size=centres.shape))
        features[name] = np.round(near * 127 / near.max(axis=1, keepdims=True)).astype(np.int8)
    thumbnails = rng.integers(-127, 128, (n_listings, LENGTH)).astype(np.int8)
    return [
        Embedding(f"made-{seed}-{i}", {name: each[i : i + 1] for name, each in features.items()}, thumbnails[i : i + 1])
        for i in range(n_listings)
    ]


def test_what_is_put_in_is_there_bit_by_bit_also_when_opened_again(detector, full, embeddings):
    assert_holds(full, embeddings)
    assert_holds(ListingIndex.open(full.path, detector), embeddings)


@pytest.mark.parametrize("moment", ["productcat.index.listing_index._make", "productcat.index.store.PhotoStore.create"])
@pytest.mark.parametrize("there", [True, False])
def test_an_index_that_another_process_makes_at_the_same_time_is_opened(
    detector, embeddings, tmp_path, monkeypatch, moment, there
):
    if there:
        (tmp_path / "index").mkdir()
    alone = pkgutil.resolve_name(moment)

    def late_by_one_process(*arguments):
        monkeypatch.undo()
        ListingIndex.open(tmp_path / "index", detector).add(embeddings[:2])
        alone(*arguments)

    monkeypatch.setattr(moment, late_by_one_process)
    late = ListingIndex.open(tmp_path / "index", detector)
    assert late.add(embeddings[2:4]) == 2
    assert_holds(late, embeddings[:4])


def test_listings_and_their_embeddings_are_put_in_alike(empty, listings, embeddings):
    assert empty.add(iter(listings[:4])) == 4
    assert_holds(empty, embeddings[:4])


@pytest.mark.parametrize("adapt", [True, False])
def test_a_search_gives_the_exact_scores_best_first(detector, full, embeddings, adapt):
    judge = (detector.adapt(full.sample()) if adapt else detector).among(len(full))
    matrix = judge.score_matrix(embeddings, embeddings)
    np.fill_diagonal(matrix, -1.0)
    for row, pairs in enumerate(full.search(embeddings, k=5, adapt=adapt)):
        assert [pair.left for pair in pairs] == [f"item-{row}"] * 5
        expected = {each.id: score for each, score in zip(embeddings, matrix[row], strict=True)}
        assert [pair.score for pair in pairs] == pytest.approx(sorted(expected.values(), reverse=True)[:5], abs=1e-5)
        assert [expected[pair.right] for pair in pairs] == pytest.approx([pair.score for pair in pairs], abs=1e-5)


def test_a_listing_is_not_its_own_duplicate(full, listings):
    ids = {each.id for each in listings}
    for listing, pairs in zip(listings, full.search(listings, k=30), strict=True):
        assert {pair.left for pair in pairs} == {listing.id}
        assert sorted(pair.right for pair in pairs) == sorted(ids - {listing.id})


def test_a_listing_that_is_not_in_the_index_may_have_any_id(full, listings):
    pairs = full.search([Listing("", photos=listings[0].photos)], k=2)[0]
    assert [pair.left for pair in pairs] == ["", ""]
    assert {pair.right for pair in pairs} == {"item-0", "item-12"}


def test_an_id_that_is_there_is_replaced_by_more_or_by_fewer_photos(full, embeddings):
    more, fewer = replace(embeddings[2], id="item-0"), replace(embeddings[0], id="item-2")
    assert (len(more), len(fewer)) == (3, 1)
    full.add([more, fewer])
    assert_holds(full, [more, embeddings[1], fewer, *embeddings[3:]])


def test_the_last_of_an_id_counts_within_one_addition_too(empty, embeddings):
    assert empty.add([replace(each, id="one") for each in embeddings[:3]]) == 1
    assert_holds(empty, [replace(embeddings[2], id="one")])


def test_removed_listings_are_gone_and_unknown_ids_are_passed_over(full, embeddings):
    full.remove(iter(["item-0", "item-12", "unknown"]))
    assert_holds(full, [each for each in embeddings if each.id not in ("item-0", "item-12")])
    assert not {"item-0", "item-12", "unknown", None} & {*(pair.right for pair in full.search(embeddings[:1])[0])}
    assert "item-0" not in full
    assert None not in full


def test_one_text_instead_of_ids_is_refused(full):
    with pytest.raises(ValueError, match=r"ids is the text 'item-0', expected a sequence of ids; write \['item-0'\]"):
        full.remove("item-0")


def test_an_id_that_is_no_text_is_refused_before_anything_is_removed(full):
    with pytest.raises(ValueError, match="the id 17 is int, expected text; write '17'"):
        full.remove(["item-0", 17])
    assert "item-0" in full


@pytest.mark.parametrize(
    ("given_as", "message"),
    [
        (Listing("one", "a bag"), r"one Listing is not a sequence of listings; write \[listing\]"),
        ([{"id": "1"}], "is dict, expected Listing"),
        (["a.jpg"], "'a.jpg' is str, expected Listing"),
    ],
)
def test_what_is_no_sequence_of_listings_is_refused(full, given_as, message):
    for use in (full.add, full.search):
        with pytest.raises(ListingError, match=message):
            use(given_as)


def test_an_empty_index_finds_nothing_and_takes_everything(empty, listings):
    assert (len(empty), "item-0" in empty, empty.sample()) == (0, False, [])
    assert empty.search(listings[:2]) == [[], []]
    assert empty.search([]) == []
    empty.remove(["item-0"])
    empty.remove([])
    empty.tidy()
    assert empty.add([]) == 0
    assert (empty.stats().listings, empty.stats().photos) == (0, 0)


def test_the_stats_count_listings_photos_and_bytes(full, embeddings):
    stats = full.stats()
    assert (stats.listings, stats.photos) == (24, sum(map(len, embeddings)))
    assert stats.bytes == sum(each.stat().st_size for each in full.path.rglob("*") if each.is_file())


@pytest.mark.parametrize(
    "change",
    [
        {"title": "another"},
        {"price": 17.0},
        {"photos": lambda photos: photos[1:]},
        {"photos": lambda photos: (*photos, photos[0])},
        {"photos": lambda photos: (photos[0][::-1].copy(), *photos[1:])},
    ],
)
def test_changed_listings_are_told_from_those_that_are_there_as_they_are(empty, listings, change):
    empty.add(listings)
    assert list(empty.changed(listings)) == []
    number = next(number for number, each in enumerate(listings) if len(each.photos) > 1)
    now = {name: each(listings[number].photos) if callable(each) else each for name, each in change.items()}
    other, new = replace(listings[number], **now), replace(listings[0], id="new")
    wanted = [*listings[:number], other, *listings[number + 1 :], new]
    assert list(empty.changed(wanted)) == [(other, True), (new, False)]
    empty.add(each for each, _ in empty.changed(wanted))
    assert list(empty.changed(wanted)) == []
    empty.tidy(now=True)
    assert list(empty.changed(wanted)) == []
    assert list(empty.changed(listings)) == [(listings[number], True)]


def test_what_was_put_in_as_embeddings_counts_as_unchanged(full, listings):
    assert [each.id for each, _ in full.changed([*listings, Listing("new")])] == ["new"]


def test_fewer_than_one_duplicate_is_refused(full):
    with pytest.raises(ValueError, match="k is 0, expected at least 1"):
        full.search([], k=0)


def test_a_listing_without_a_readable_photo_is_named_and_what_is_there_under_its_id_stays(full, embeddings):
    unreadable = pytest.warns(UserWarning, match=r"listing 'item-0': photo of 8 bytes.* never a duplicate")
    with unreadable, pytest.warns(UserWarning, match="listing 'item-0': what the index has of it stays"):
        assert full.add([Listing("item-0", photos=(b"no photo",))]) == 0
    assert_holds(full, embeddings)


def test_a_listing_with_some_readable_photos_is_put_in_with_those(empty, listings, embeddings):
    with pytest.warns(UserWarning, match=r"listing 'item-0': photo of 8 bytes"):
        empty.add([Listing("item-0", photos=(b"no photo", *listings[0].photos))])
    assert_holds(empty, embeddings[:1])


def test_a_listing_without_an_id_is_named_and_left_out(empty, listings, embeddings):
    with pytest.warns(
        UserWarning, match=r"listing with the id '' and the title 'red bag': no id; left out of the index"
    ):
        assert empty.add([Listing("", "red bag", listings[0].photos), listings[1]]) == 1
    assert_holds(empty, embeddings[1:2])


def test_a_listing_whose_id_is_no_text_is_named_and_left_out(empty, listings):
    with pytest.warns(UserWarning, match="the id 17 and the title '': its id is int, expected text; left out"):
        assert empty.add([Listing(17, photos=listings[0].photos)]) == 0


def test_pairs_have_the_score_and_the_kind_that_find_gives_them(detector, full, embeddings):
    by_ids = {frozenset((each.left, each.right)): each for each in detector.find(embeddings, 0.0, adapt=False)}
    for pairs in full.search(embeddings, k=3, adapt=False):
        for pair in pairs:
            found = by_ids[frozenset((pair.left, pair.right))]
            assert (pair.kind, pair.score) == (found.kind, pytest.approx(found.score, abs=1e-6))
    kinds = {pair.kind for pair in by_ids.values()}
    assert kinds == {"copy", "same item"}


def test_a_search_for_a_listing_without_photos_finds_nothing(full):
    with pytest.warns(UserWarning, match="listing 'empty': no photo"):
        assert full.search([Listing("empty")]) == [[]]


def test_the_caller_takes_the_problems_instead_of_warnings(full, listings):
    found = []
    assert full.add([Listing("", "red bag"), Listing("item-0", photos=(b"no photo",))], on_problem=found.append) == 0
    full.search([Listing("some", photos=(b"damaged", *listings[0].photos))], on_problem=found.append)
    assert [each.listing for each in found] == ["", "item-0", "item-0", "some"]
    assert [word in each.reason for word, each in zip(("no id", "8 bytes", "stays", "7 bytes"), found, strict=True)]
    assert "never a duplicate" in found[1].reason
    assert "never a duplicate" not in found[3].reason


def test_listings_are_read_as_they_are_needed_and_put_in_as_they_come(detector, empty, embeddings, monkeypatch):
    monkeypatch.setattr(index, "LISTINGS_AT_ONCE", 2)
    monkeypatch.setattr(index, "LISTINGS_PER_TRANSACTION", 4)
    reader, seen = ListingIndex.open(empty.path, detector), []

    def coming():
        for each in embeddings:
            seen.append(len(reader))
            yield each

    assert empty.add(coming()) == 24
    assert seen == [number // 4 * 4 for number in range(24)]


def test_a_reader_sees_what_a_writer_has_put_in_since(detector, empty, embeddings):
    reader = ListingIndex.open(empty.path, detector)
    assert reader.search(embeddings[:1], adapt=False) == [[]]
    empty.add(embeddings[12:])
    assert reader.search(embeddings[:1], adapt=False)[0][0].right == "item-12"
    empty.remove(["item-12"])
    assert "item-12" not in {pair.right for pair in reader.search(embeddings[:1], adapt=False)[0]}


@pytest.mark.parametrize("change", ["nothing", "replaced", "removed", "tidied"])
def test_what_is_read_by_rows_is_what_is_read_by_ids_whatever_has_changed_since(full, embeddings, change):
    vectors = full.space.project(embeddings[2].features)
    nearest = full.store.nearest(vectors, 60)[0]
    rows = dict(zip(nearest.listings, nearest.rows, strict=True))
    assert {id: len(place) for id, place in rows.items()} == {each.id: len(each) for each in embeddings}
    if change == "replaced":
        full.add([replace(embeddings[0], id="item-2", title="now another")])
    elif change == "removed":
        full.remove(["item-0", "item-7"])
    elif change == "tidied":
        full.remove(["item-0"])
        full.tidy(now=True)
    by_rows, by_ids = full.store.listings(list(rows), rows), full.store.listings(list(rows))
    assert by_rows.keys() == by_ids.keys() == full.ids()
    for id, kept in by_rows.items():
        assert (kept.title, kept.price) == (by_ids[id].title, by_ids[id].price)
        np.testing.assert_array_equal(kept.features, by_ids[id].features)
        np.testing.assert_array_equal(kept.thumbnails, by_ids[id].thumbnails)


@pytest.mark.parametrize("id", ["it's", '"', "a\\", "%", "\n", "é", "𝒳", "x' OR '1'='1", " ", "\x00"])
def test_any_text_is_an_id(full, embeddings, id):
    full.add([replace(embeddings[0], id=id)])
    assert id in full
    full.remove([id])
    assert_holds(full, embeddings)


steps = st.lists(
    st.one_of(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 11)), max_size=4),
        st.lists(st.integers(0, 5), max_size=3),
        st.just("tidy"),
    ),
    max_size=6,
)


@settings(max_examples=15)
@given(steps=steps)
def test_after_any_steps_the_index_holds_what_a_dict_would(detector, embeddings, tmp_path_factory, steps):
    opened, expected = ListingIndex.open(tmp_path_factory.mktemp("steps") / "index", detector), {}
    for step in steps:
        if step == "tidy":
            opened.tidy()
        elif step and isinstance(step[0], tuple):
            put = [replace(embeddings[which], id=f"{id}") for id, which in step]
            expected |= {each.id: each for each in put}
            opened.add(put)
        else:
            opened.remove(map(str, step))
            expected = {id: each for id, each in expected.items() if int(id) not in step}
    assert_holds(opened, list(expected.values()))


def test_another_image_model_is_refused(detector, full, tmp_path):
    graph = tmp_path / "model.onnx"
    graph.write_bytes(detector.image_model.graph.read_bytes() + b"\0")
    other = DuplicateDetector(replace(detector.image_model, graph=graph), detector.metric, detector.threshold)
    with pytest.raises(BundleError, match=r"index .*: made with another image model than that of this detector; open"):
        ListingIndex.open(full.path, other)


def test_other_features_of_the_same_image_model_are_refused(detector, full):
    name, level = next(iter(detector.metric.levels.items()))
    turned = replace(level, basis=np.eye(len(level.background.mean), dtype=np.float32)[::-1])
    other = DuplicateDetector(detector.image_model, replace(detector.metric, levels={name: turned}), 0.5)
    with pytest.raises(BundleError, match="made with another image model"):
        ListingIndex.open(full.path, other)


def test_a_detector_that_knows_the_catalogue_takes_the_index_of_one_that_does_not(detector, full, embeddings):
    adapted = ListingIndex.open(full.path, detector.adapt(full.sample()))
    assert adapted.search(embeddings[:3], adapt=False) == full.search(embeddings[:3])


@pytest.mark.parametrize("name", [".", "link"])
def test_an_empty_folder_that_is_there_is_filled_in_place(detector, embeddings, tmp_path, monkeypatch, name):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    monkeypatch.chdir(tmp_path / "there" if name == "." else tmp_path)
    made = ListingIndex.open(name, detector)
    assert made.add(embeddings[:3]) == 3
    monkeypatch.chdir(tmp_path.parent)
    assert made.stats().bytes > 0
    assert made.search(embeddings[:1], adapt=False)[0]
    assert ListingIndex.open(tmp_path / "there").stats().listings == 3
    assert not [each for each in (tmp_path / "there").iterdir() if each.name.startswith(".")]


def test_without_a_detector_listings_are_neither_put_in_nor_looked_for(full, embeddings):
    known = ListingIndex.open(full.path)
    for use in (known.add, known.search):
        with pytest.raises(ProductcatError, match=r"opened without a detector; give one to ListingIndex.open$"):
            use(embeddings[:1])


def test_without_lancedb_the_line_says_what_to_install(detector, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(ProductcatError, match=r"^an index needs LanceDB; run pip install lancedb$"):
        ListingIndex.open(tmp_path / "index", detector)
    assert list(tmp_path.iterdir()) == []


def damage(kind, path):
    if kind == "a file":
        shutil.rmtree(path)
        path.write_text("I am no index")
    elif kind == "something else":
        (path / index.SPACE).unlink()
    elif kind == "the space":
        (path / index.SPACE).write_bytes((path / index.SPACE).read_bytes()[:100])
    elif kind == "no table":
        shutil.rmtree(path / "photos.lance")
    elif kind == "the table":
        for each in (path / "photos.lance" / "_versions").iterdir():
            each.write_bytes(each.read_bytes()[:20])


DAMAGES = {
    "a file": r"index .*: cannot be made \(Not a directory\); choose another folder",
    "something else": r"index .*: no search-space.safetensors in it; give the folder of an index, or a new one",
    "the space": r"index .*: search-space.safetensors is damaged; .* again",
    "no table": r"index .*: cannot be read \(.*photos.*\); if it stays like that, make the index again",
    "the table": r"index .*: cannot be read \(.*\); if it stays like that, make the index again",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_folder_that_is_no_index_is_refused_in_one_line_and_left_as_it_is(detector, full, kind):
    damage(kind, full.path)
    before = sorted(full.path.parent.rglob("*"))
    with pytest.raises(ProductcatError, match=f"^{DAMAGES[kind]}$"):
        ListingIndex.open(full.path, detector)
    assert sorted(full.path.parent.rglob("*")) == before


def test_a_lost_file_of_photos_is_told_in_one_line(full, embeddings):
    for each in (full.path / "photos.lance" / "data").iterdir():
        each.unlink()
    with pytest.raises(
        ProductcatError, match=r"^index .*: cannot be read \(.*\); if it stays like that, make the index again$"
    ):
        full.search(embeddings[:1], adapt=False)


def test_what_may_not_be_read_is_no_reason_to_make_an_index_again(detector, full, monkeypatch):
    def refuse(*_, **__):
        raise OSError("lance error: " + 300 * "x" + ": Permission denied (os error 13)")

    monkeypatch.setattr("lancedb.connect", refuse)
    way_out = "get the right to read and to write all of that folder"
    with pytest.raises(ProductcatError, match=rf"^index .*: cannot be read \(Permission denied\); {way_out}$"):
        ListingIndex.open(full.path, detector)


def flipped(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("share", np.linspace(0, 1, 12, endpoint=False))
def test_a_flipped_bit_of_the_search_space_is_told(detector, full, share):
    file = full.path / index.SPACE
    flipped(file, int(share * file.stat().st_size))
    with pytest.raises(ProductcatError, match="search-space.safetensors is damaged|its format is|does not fit"):
        ListingIndex.open(full.path, detector)


def photos_file(path):
    """The file of a table that was written once."""
    (found,) = (path / "photos.lance" / "data").iterdir()
    return found


def test_a_flipped_bit_of_the_photos_changes_no_answer_in_silence(detector, full, embeddings, tmp_path):
    expected = full.search(embeddings[:4], adapt=False)
    size, told = photos_file(full.path).stat().st_size, 0
    for number, place in enumerate(np.random.default_rng(1).integers(0, size, 60)):
        copy = shutil.copytree(full.path, tmp_path / str(number))
        flipped(photos_file(copy), place)
        try:
            opened = ListingIndex.open(copy, detector)
            found = opened.search(embeddings[:4], adapt=False)
            opened.store.check()
        except ProductcatError:
            told += 1
        else:
            assert found == expected
    assert told > 30


def test_a_damaged_listing_is_named_and_can_be_put_in_again_or_removed(detector, full, embeddings, tmp_path):
    kept = embeddings[0].features["embedding_top"].tobytes()
    content = photos_file(full.path).read_bytes()
    assert content.count(kept) == 1
    flipped(photos_file(full.path), content.index(kept))
    opened = ListingIndex.open(full.path, detector)
    said = "what it has of listing 'item-0' is damaged .*; remove that listing, or add it again"
    for ask in (opened.sample, opened.tidy, lambda: opened.search(embeddings[12:13], adapt=False)):
        with pytest.raises(ProductcatError, match=rf"^index .*: {said}$"):
            ask()
    opened.add(embeddings[:1])
    assert_holds(opened, embeddings)


def test_a_damaged_search_vector_is_found_by_tidying(detector, full, embeddings):
    vector = full.space.project(embeddings[0].features).astype(np.float16).tobytes()
    content = photos_file(full.path).read_bytes()
    flipped(photos_file(full.path), content.index(vector))
    opened = ListingIndex.open(full.path, detector)
    with pytest.raises(ProductcatError, match="listing 'item-0' is damaged"):
        opened.tidy()
    opened.remove(["item-0"])
    opened.tidy()
    assert_holds(opened, embeddings[1:])


def test_a_search_space_of_other_levels_than_the_table_is_refused(detector, full, tmp_path):
    wider = {name: np.pad(matrix, [(0, 0), (0, 8)]) for name, matrix in full.space.matrices.items()}
    replace(full.space, matrices=wider).save(full.path / index.SPACE)
    with pytest.raises(ProductcatError, match="does not fit its table of photos; make the index again"):
        ListingIndex.open(full.path, detector)


LIMITED = """
import resource, sys
import numpy as np
from productcat import DuplicateDetector, ListingIndex, ProductcatError
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.thumbnails import LENGTH

path, bundle = sys.argv[1:]
opened = ListingIndex.open(path, DuplicateDetector.load(bundle))
features = np.random.default_rng(0).integers(0, 128, (300, 1, 16)).astype(np.int8)
thumbnail = np.zeros((1, LENGTH), np.int8)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    opened.add([Embedding(f"more-{i}", {"embedding_top": each}, thumbnail) for i, each in enumerate(features)])
except ProductcatError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_named_and_the_index_stays(detector, full, embeddings, duplicates_bundle):
    command = [sys.executable, "-c", LIMITED, full.path, duplicates_bundle]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert re.fullmatch(r"index .*: cannot be written \(File too large\); .*what was in the index stays\n", done.stdout)
    assert_holds(ListingIndex.open(full.path, detector), embeddings)


def test_a_full_disk_is_no_reason_to_make_an_index_again(full, embeddings, monkeypatch):
    def refuse(*_, **__):
        raise OSError("lance error: LanceError(IO): No space left on device (os error 28), /a/file.rs:258:9")

    monkeypatch.setattr(full.store.table, "add", refuse)
    message = "cannot be written (No space left on device); make room; what was in the index stays"
    with pytest.raises(ProductcatError, match=re.escape(message)):
        full.add(embeddings[:1])


def test_an_index_of_a_later_layout_is_refused(detector, full, monkeypatch):
    monkeypatch.setattr("productcat.index.search_vectors.FORMAT", 4)
    with pytest.raises(ProductcatError, match="its format is 3, this productcat reads format 4; .* again"):
        ListingIndex.open(full.path, detector)


class Killed(BaseException):
    """In the place of a signal that kills the process."""


@pytest.fixture
def killed(full, embeddings, monkeypatch):
    """An index whose writer was killed when it had put item-2 again, with two photos, and not removed the older rows.

    Returned with what it holds.
    """
    fewer = replace(
        embeddings[2],
        features={name: part[:2] for name, part in embeddings[2].features.items()},
        thumbnails=embeddings[2].thumbnails[:2],
    )

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(photo_store.PhotoStore, "_delete", kill)
        with pytest.raises(Killed):
            full.add([fewer])
    return ListingIndex.open(full.path, full.detector), [fewer, *embeddings[:2], *embeddings[3:]]


def test_rows_of_a_listing_put_twice_count_once(killed):
    found, expected = killed
    assert found.store.n_rows() == sum(map(len, expected)) + 3
    assert_holds(found, expected)
    assert (found.stats().listings, found.stats().photos) == (24, sum(map(len, expected)))
    assert found.ids(["item-2", "unknown"]) == {"item-2"}


@pytest.mark.parametrize("change", ["tidy", "add", "remove"])
def test_the_next_change_removes_older_rows(killed, embeddings, change):
    found, expected = killed
    if change == "tidy":
        found.tidy()
    elif change == "add":
        found.add(embeddings[5:6])
    else:
        found.remove(["unknown"])
    assert found.store.n_rows() == sum(map(len, expected))
    assert_holds(found, expected)


def test_listings_are_counted_without_reading_their_ids_while_each_is_there_once(full, embeddings, monkeypatch):
    full.add([replace(embeddings[0], id="item-2")])
    full.remove(["item-5"])

    def refuse(*_):
        raise AssertionError("rows were read")

    monkeypatch.setattr("productcat.index.store.newest", refuse)
    assert len(full) == full.stats().listings == 23
    assert full.stats().photos == sum(map(len, embeddings)) - len(embeddings[2]) + len(embeddings[0]) - len(
        embeddings[5]
    )


def test_a_count_during_a_replacement_is_that_before_or_after(detector, full, embeddings, monkeypatch):
    reader, counted = ListingIndex.open(full.path, detector), []
    delete = photo_store.PhotoStore._delete

    def watched(*arguments):
        counted.append(len(reader))
        delete(*arguments)
        counted.append(len(reader))

    monkeypatch.setattr(photo_store.PhotoStore, "_delete", watched)
    full.add(embeddings[:5])
    assert counted == [24, 24]


def test_a_sample_is_drawn_from_all_and_stays_the_same(detector, empty, monkeypatch):
    monkeypatch.setattr(photo_store, "SAMPLED_AT_ONCE", 50)
    everything = made_up(detector, 200)
    empty.add(everything)
    drawn = [each.id for each in empty.sample(60)]
    assert len(set(drawn)) == 60
    assert drawn == [each.id for each in ListingIndex.open(empty.path, detector).sample(60)]
    halves = [sum(int(id.rpartition("-")[2]) < 100 for id in drawn), 60]
    assert 15 < halves[0] < 45
    assert_holds(empty, everything)


@pytest.fixture
def old(detector, tmp_path):
    return ListingIndex.open(shutil.copytree(OLD, tmp_path / "old"), detector)


def test_an_index_of_0_1_0_is_read_as_it_is(old):
    before = sorted(old.path.rglob("*"))
    assert (len(old), old.stats().photos, old.ids()) == (3, 5, {"old-0", "old-1", "old-2"})
    sample = {each.id: each for each in old.sample()}
    assert {id: (len(each), each.title, each.price) for id, each in sample.items()} == {
        "old-0": (1, "", None),
        "old-1": (2, "", None),
        "old-2": (2, "", None),
    }
    found = old.search([replace(sample["old-1"], id="new")], k=3)[0]
    assert found[0].right == "old-1"
    assert sorted(pair.right for pair in found) == sorted(sample)
    assert sorted(old.path.rglob("*")) == before


def test_an_index_of_0_1_0_takes_titles_and_prices(detector, old, embeddings):
    reader = ListingIndex.open(old.path, detector)
    before = {each.id: each for each in reader.sample()}
    new = [replace(embeddings[0], title="red bag", price=9.5), replace(embeddings[1], id="old-1", title="a belt")]
    assert old.add(new) == 2
    assert old.store.n_rows() == old.stats().photos == 6
    gray = [replace(each, thumbnails=of_format_2(as_format_2(each.thumbnails))) for each in new]
    for each in (old, reader):
        assert_holds(each, [before["old-0"], before["old-2"], *gray])
    old.remove(["old-0"])
    old.tidy()
    assert_holds(reader, [before["old-2"], *gray])


def test_what_an_index_of_0_1_0_has_counts_as_unchanged_until_it_is_put_in_again(old, listings):
    listing = replace(listings[0], id="old-0", title="red bag")
    assert list(old.changed([listing, replace(listing, id="new")])) == [(replace(listing, id="new"), False)]
    old.add([listing])
    assert list(old.changed([listing, replace(listing, title="")])) == [(replace(listing, title=""), True)]
    assert [each.id for each, _ in old.changed([Listing("old-1"), Listing("old-2")])] == []


@pytest.mark.parametrize("make", ["tidy", "remove"])
def test_an_index_of_0_1_0_is_tidied_and_loses_listings_without_new_columns(detector, old, make):
    expected = {each.id: each for each in old.sample()}
    if make == "tidy":
        old.tidy()
    else:
        old.remove(["old-2"])
        del expected["old-2"]
    assert_holds(old, list(expected.values()))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=10)
@given(about=st.lists(st.tuples(texts, st.none() | st.floats(allow_nan=False)), min_size=1, max_size=12))
def test_any_title_and_price_come_back(detector, embeddings, tmp_path_factory, about):
    opened = ListingIndex.open(tmp_path_factory.mktemp("about") / "index", detector)
    expected = [
        replace(each, title=title, price=price) for each, (title, price) in zip(embeddings, about, strict=False)
    ]
    opened.add(expected)
    assert_holds(opened, expected)


def test_many_small_additions_are_put_together(empty, embeddings, monkeypatch):
    monkeypatch.setattr(photo_store, "SMALL_FILES_LEFT", 4)
    files = []
    for each in [*embeddings, replace(embeddings[0], id="item-2")]:
        empty.add([each])
        files.append(empty.store.table.stats()["fragment_stats"]["num_fragments"])
    assert max(files) <= 5
    assert_holds(empty, [*embeddings[:2], replace(embeddings[0], id="item-2"), *embeddings[3:]])


def files_and_bytes(path):
    sizes = [each.stat().st_size for each in path.rglob("*") if each.is_file()]
    return len(sizes), sum(sizes)


@pytest.mark.parametrize("indexed", [False, True])
def test_listings_put_again_and_again_take_no_more_files_and_bytes(detector, empty, embeddings, monkeypatch, indexed):
    if indexed:
        monkeypatch.setattr(photo_store, "INDEX_FROM", 300)
        monkeypatch.setattr(photo_store, "PHOTOS_PER_PARTITION", 100)
    monkeypatch.setattr(photo_store, "KEPT", timedelta(0))
    monkeypatch.setattr(photo_store, "OLD_VERSIONS_LEFT", 6)
    many = made_up(detector, 300 if indexed else 30)
    empty.add(many)
    sizes = []
    for number in range(24):
        empty.add([replace(embeddings[number], id=f"again-{number % 3}")])
        sizes.append(files_and_bytes(empty.path))
    first, second = np.max(sizes[:12], axis=0), np.max(sizes[12:], axis=0)
    assert second[0] <= first[0]
    assert second[1] <= 1.2 * first[1]
    assert_holds(empty, [*many, *(replace(embeddings[number], id=f"again-{number % 3}") for number in (21, 22, 23))])


def test_listings_removed_one_by_one_leave_no_files(empty, embeddings, monkeypatch):
    monkeypatch.setattr(photo_store, "KEPT", timedelta(0))
    monkeypatch.setattr(photo_store, "OLD_VERSIONS_LEFT", 4)
    empty.add(embeddings)
    for each in embeddings[:20]:
        empty.remove([each.id])
    assert files_and_bytes(empty.path)[0] < 20
    assert_holds(empty, embeddings[20:])


def test_files_that_a_reader_may_have_open_stay(detector, full, embeddings, monkeypatch):
    monkeypatch.setattr(photo_store, "OLD_VERSIONS_LEFT", 2)
    reader = lancedb.connect(full.path).open_table("photos")  # of the version of now, as a long reading has it
    n_rows = reader.count_rows()
    for each in embeddings[:8]:
        full.add([replace(each, id="item-20")])
    full.tidy()
    assert reader.search().to_arrow().num_rows == n_rows
    full.tidy(now=True)
    assert len(full.store.table.list_versions()) == 1


def test_tidying_tells_files_and_bytes_before_and_after(full, embeddings):
    for each in embeddings[:3]:
        full.add([each])
    before = files_and_bytes(full.path)
    found = full.tidy(now=True)
    assert (found.files_before, found.bytes_before) == before
    assert (found.files, found.bytes) == files_and_bytes(full.path)
    assert found.files < found.files_before
    assert found.bytes < found.bytes_before
    assert_holds(full, embeddings)


def test_a_large_index_is_searched_approximately_and_what_came_later_is_found(detector, empty, monkeypatch):
    monkeypatch.setattr(photo_store, "INDEX_FROM", 300)
    monkeypatch.setattr(photo_store, "PHOTOS_PER_PARTITION", 100)
    # one bit for each of eight dimensions orders photos badly; what is proven is that all are asked for and told truly
    monkeypatch.setattr(photo_store, "REFINE_FACTOR", 32)
    first, later = made_up(detector, 600), made_up(detector, 40, seed=1)
    empty.add(first)
    empty.tidy()
    assert empty.store._approximate() == ["vector_4bit_512"]
    empty.add(later)
    assert empty.store.table.index_stats("vector_4bit_512").num_unindexed_rows == 40
    assert_found(empty, [*first[::50], *later])
    empty.tidy()
    assert empty.store.table.index_stats("vector_4bit_512").num_unindexed_rows == 0
    assert_found(empty, [*first[::50], *later])


def assert_found(index, embeddings):
    """The photo of each is the nearest, or one that is as near to four digits."""
    vectors = np.concatenate([index.space.project(each.features) for each in embeddings])
    for each, found in zip(embeddings, index.store.nearest(vectors, 20), strict=True):
        assert each.id in found.listings
        assert found.cosines[0] == pytest.approx(1.0, abs=1e-4)
        assert found.cosines == sorted(found.cosines, reverse=True)


def test_the_approximate_index_is_made_again_when_the_catalogue_has_grown(detector, empty, monkeypatch):
    monkeypatch.setattr(photo_store, "INDEX_FROM", 300)
    monkeypatch.setattr(photo_store, "PHOTOS_PER_PARTITION", 100)
    empty.add(made_up(detector, 300))
    assert empty.store._approximate() == ["vector_4bit_300"]
    empty.add(made_up(detector, 900, seed=1))
    assert empty.store._approximate() == ["vector_4bit_1200"]
    assert len(empty.search(made_up(detector, 2, seed=1), k=3)[0]) == 3


def test_an_approximate_index_of_one_bit_is_searched_and_made_again_at_the_next_change(detector, empty, monkeypatch):
    monkeypatch.setattr(photo_store, "INDEX_FROM", 300)
    monkeypatch.setattr(photo_store, "REFINE_FACTOR", 32)
    first = made_up(detector, 300)
    with monkeypatch.context() as patch:
        patch.setattr(photo_store, "BITS", 1)
        empty.add(first)
    assert empty.store._approximate() == ["vector_1bit_300"]
    assert_found(empty, first[::50])
    empty.add(made_up(detector, 1, seed=1))
    assert empty.store._approximate() == ["vector_4bit_301"]
    assert_found(empty, first[::50])
    empty.remove(each.id for each in first[:250])
    empty.tidy()
    assert empty.store._approximate() == []
    assert_found(empty, first[250::10])


def test_a_photo_of_the_general_bundle_takes_at_most_two_and_a_half_kilobytes(detector):
    wide = {name: Level(None, background(n), 32) for name, n in {"low": 1024, "high": 512}.items()}
    space = SearchSpace.of(DuplicateDetector(detector.image_model, replace(detector.metric, levels=wide), 0.5))
    assert space.n_dimensions == 64
    assert 1024 + 512 + LENGTH + 2 * space.n_dimensions + BYTES_BESIDE_ARRAYS <= BYTES_PER_PHOTO


def background(n_features):
    """One in which features vary the less the later they come."""
    return Background(np.zeros(n_features), np.diag(1.0 / np.arange(1, n_features + 1)))


def test_search_vectors_keep_the_dimensions_that_vary_most(detector, embeddings, tmp_path):
    space = SearchSpace.of(detector)
    vectors = space.project(embeddings[2].features)
    assert vectors.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    space.save(tmp_path / "space")
    np.testing.assert_array_equal(SearchSpace.load(tmp_path / "space").project(embeddings[2].features), vectors)


@pytest.mark.timeout(600)
def test_after_kills_at_random_moments_every_acknowledged_listing_is_there_and_whole(duplicates_bundle):
    script = [sys.executable, ROOT / "benchmarks" / "index_kill.py", "--bundle", duplicates_bundle, "--kills", "5"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("kills: 5, ")


def test_adding_makes_no_noise(empty, listings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty.add(listings[:2])
        empty.tidy()
