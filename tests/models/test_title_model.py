"""The title model, through its public face: a tiny real one, from tests/bundles."""

import numpy as np
import pytest
from fashion_titles import N_CLASSES, make_titles
from frozen import FASHION_TITLES
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat.errors import BundleError, ListingError
from productcat.models.title_model import TitleModel


@pytest.fixture(scope="module")
def model():
    return TitleModel.load(FASHION_TITLES)


ANY_TITLE = st.one_of(st.sampled_from(make_titles(60, np.random.default_rng(5))[0]), st.text(max_size=40))


def test_it_learns_the_classes_of_titles_it_has_not_seen(model):
    names, labels = make_titles(90, np.random.default_rng(11))
    assert np.mean(model.distributions(names).argmax(axis=1) == labels) > 0.98


def test_distributions_and_vectors_have_one_row_per_title(model):
    assert model.distributions(["Nike Men Red Watch", "", "Puma Bag"]).shape == (3, N_CLASSES)
    assert model.vectors(["Nike Men Red Watch", "", "Puma Bag"]).shape == (3, len(model.tensors["kernel"]))
    assert model.distributions([]).shape == (0, N_CLASSES)
    assert model.vectors([]).shape == (0, len(model.tensors["kernel"]))


@settings(deadline=None)
@given(batch=st.lists(ANY_TITLE, min_size=1, max_size=12))
def test_every_row_sums_to_one_or_is_all_nan(model, batch):
    rows = model.distributions(batch)
    evident = ~np.isnan(rows).any(axis=1)
    assert np.isnan(rows[~evident]).all()
    assert np.allclose(rows[evident].sum(axis=1), 1.0)
    assert (rows[evident] >= 0).all()


@settings(deadline=None)
@given(batch=st.lists(ANY_TITLE, min_size=1, max_size=12), data=st.data())
def test_neither_order_nor_batch_size_matters(model, batch, data):
    order = data.draw(st.permutations(range(len(batch))))
    together = model.distributions(batch)
    alone = np.concatenate([model.distributions([title]) for title in batch])
    shuffled = model.distributions([batch[place] for place in order])
    assert np.allclose(together, alone, atol=1e-6, equal_nan=True)
    assert np.allclose(together[order], shuffled, atol=1e-6, equal_nan=True)


def test_a_batch_longer_than_the_working_batch_gives_the_same(model):
    many = ["Nike Men Red Watch", "", "tshrit", "Puma Bag"] * 1_500
    assert np.allclose(model.distributions(many)[-4:], model.distributions(many[:4]), atol=1e-6, equal_nan=True)


@given(
    title=st.sampled_from(make_titles(30, np.random.default_rng(6))[0]),
    blank=st.sampled_from((" ", "\t", "\n", "\u00a0", " ,  ")),
)
def test_case_and_blanks_do_not_matter(model, title, blank):
    changed = blank + title.upper().replace(" ", blank) + blank
    assert np.allclose(model.distributions([changed]), model.distributions([title]))


def test_full_width_letters_are_letters(model):
    assert np.allclose(model.distributions(["Ｗａｔｃｈ"]), model.distributions(["watch"]))


@pytest.mark.parametrize(
    ("slip", "kind"), [("tshrit", 0), ("tshirtt", 0), ("handbg", 1), ("handbagg", 1), ("wtch", 2), ("wattch", 2)]
)
def test_a_misspelt_word_still_speaks(model, slip, kind):
    assert model.distributions([slip])[0].argmax() == kind


@pytest.mark.parametrize(
    "title", ["", "   ", "\n\t", "!!! --- ***", "👗👠", "❤️", "1️⃣", "™ ®", "zzzz qqq", "жжж щщщ", "x" * 50]
)
def test_a_title_without_a_known_word_is_no_evidence(model, title):
    assert np.isnan(model.distributions([title])).all()
    assert np.isnan(model.vectors([title])).all()


def test_emoji_beside_words_change_nothing(model):
    assert np.allclose(model.distributions(["🔥 Nike Red Watch 😍"]), model.distributions(["Nike Red Watch"]))


def test_a_very_long_title_counts_by_its_first_words(model):
    long = "Nike Red Watch " * 10_000
    assert np.allclose(model.distributions([long]), model.distributions(["Nike Red Watch " * 2_000]))
    assert np.isnan(model.distributions(["z" * 1_000_000])).all()


@pytest.mark.parametrize("wrong", [None, 7, 1.5, b"watch", ["watch"], float("nan")])
def test_what_is_no_text_is_refused_by_name(model, wrong):
    with pytest.raises(ListingError, match=f"a title is a str, not {type(wrong).__name__}"):
        model.distributions(["Nike Red Watch", wrong])


def test_one_title_in_place_of_a_list_is_refused(model):
    with pytest.raises(ListingError, match="put it into a list"):
        model.distributions("Nike Red Watch")


def test_a_saved_model_loads_to_the_very_same_numbers(model, tmp_path):
    model.save(tmp_path / "title")
    assert sorted(path.name for path in (tmp_path / "title").iterdir()) == [
        "settings.json",
        "vocabulary.json",
        "weights.safetensors",
    ]
    loaded = TitleModel.load(tmp_path / "title")
    batch = [*make_titles(300, np.random.default_rng(3))[0], "", "tshrit"]
    assert np.array_equal(loaded.distributions(batch), model.distributions(batch), equal_nan=True)
    assert np.array_equal(loaded.vectors(batch), model.vectors(batch), equal_nan=True)
    assert loaded.vocabulary == model.vocabulary


@pytest.mark.parametrize("name", ["settings.json", "vocabulary.json", "weights.safetensors"])
def test_a_folder_without_one_of_its_files_is_named(model, tmp_path, name):
    model.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        TitleModel.load(tmp_path)


def test_a_damaged_weights_file_is_a_bundle_error(model, tmp_path):
    model.save(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(BundleError, match="weights.safetensors is not readable"):
        TitleModel.load(tmp_path)


def test_a_vocabulary_of_another_model_is_refused(model, tmp_path):
    model.save(tmp_path)
    (tmp_path / "vocabulary.json").write_text('["watch"]', "utf-8")
    with pytest.raises(BundleError, match="vocabulary.json has 1 features"):
        TitleModel.load(tmp_path)
