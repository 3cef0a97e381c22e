"""What two titles say about whether two listings are one item."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from productcat.duplicates.titles import (
    COLUMNS,
    USUAL,
    Rarity,
    TitleHead,
    TitleTable,
    explain_titles,
    price_evidence,
    title_evidence,
    words_of,
)

# A weight of one sign for each column, as every head has it: what holds here holds for all of them.
HEAD = TitleHead(np.array([float(sign) for sign in COLUMNS.values()]), 20.0, 20.0)
CATALOGUE = [f"{brand} {thing} {size}gb black" for brand in ("apple", "nokia") for thing in ("phone", "tablet")
             for size in (32, 64, 128)]  # fmt: skip

words = st.sampled_from(
    ["apple", "nokia", "phone", "tablet", "64gb", "128", "gb", "kd55af8", "silver", "чёрный", "東京"]
)
titles = st.lists(words, max_size=8).map(" ".join)


def evidence(left, right, rarity=None):
    rarity = rarity or Rarity.of(CATALOGUE)
    pair = np.zeros((1, 2), np.intp)
    return title_evidence(TitleTable.of([left], rarity), TitleTable.of([right], rarity), pair)[0]


def logit(left, right, rarity=None):
    return float(HEAD.logits(evidence(left, right, rarity)[None])[0])


@given(titles, titles)
def test_left_and_right_may_be_swapped(left, right):
    np.testing.assert_array_equal(evidence(left, right), evidence(right, left))


@given(titles, titles)
def test_evidence_is_finite_and_not_negative(left, right):
    found = evidence(left, right)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


@given(titles, st.sampled_from(["", " ", "!?", "🙂"]))
def test_a_title_without_a_word_says_nothing(title, missing):
    assert not evidence(title, missing).any()
    assert logit(missing, title) == 0


@given(titles, titles)
def test_words_that_are_repeated_at_the_end_add_nothing(left, right):
    repeated = f"{left} {left.split()[-1] if left else ''}"
    np.testing.assert_allclose(evidence(repeated, right), evidence(left, right), atol=1e-5)


@given(st.lists(st.sampled_from(["apple", "nokia", "phone", "tablet", "silver", "64gb"]), min_size=2, unique=True),
       titles, st.randoms(use_true_random=False))  # fmt: skip
def test_the_order_of_words_counts_for_first_and_replaced_words_only(ours, theirs, random):
    shuffled = random.sample(ours, len(ours))
    counted = [not name.startswith(("first", "replaced")) for name in COLUMNS]
    found = evidence(" ".join(ours), theirs)[counted], evidence(" ".join(shuffled), theirs)[counted]
    np.testing.assert_allclose(*found, atol=1e-5)


@given(titles, titles)
def test_a_word_that_both_have_never_lowers_the_logit(left, right):
    assume(words_of(left) and words_of(right))  # a missing title says nothing, one that differs speaks against
    more = logit(f"{left} zyxwvu", f"{right} zyxwvu")
    assert more >= logit(left, right) - 1e-5


@given(st.lists(st.tuples(titles, titles), min_size=1, max_size=12))
def test_a_pair_has_the_same_evidence_whatever_pairs_are_beside_it(pairs):
    left, right = zip(*pairs, strict=True)
    rarity = Rarity.of(CATALOGUE)
    aligned = np.repeat(np.arange(len(pairs))[:, None], 2, axis=1)
    together = title_evidence(TitleTable.of(left, rarity), TitleTable.of(right, rarity), aligned)
    alone = [evidence(*pair) for pair in pairs]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_words_that_the_whole_catalogue_uses_count_nothing():
    rarity = Rarity.of([f"used {number}" for number in range(2000)])
    assert rarity("used") < 0.02
    assert abs(logit("used", "used", rarity)) < 0.05


def test_equal_long_titles_say_more_than_equal_usual_ones():
    shop = [f"nike shoes model{number}" for number in range(300)] + ["shoes"] * 50
    rarity = Rarity.of([*shop, "karhu fusion mount saimaa 803112"])
    usual, special = (
        logit("nike shoes", "nike shoes", rarity),
        logit("karhu fusion mount saimaa", "karhu saimaa fusion mount", rarity),
    )
    assert 0 <= usual < 0.3
    assert special > 5 * usual


@pytest.mark.parametrize("title", ["shoes", "test test", "красные", "新品", "10"])
@pytest.mark.parametrize("n_titles", [0, 12, 300])
def test_equal_titles_of_a_usual_word_say_nothing_even_where_nobody_knows_that_it_is_usual(title, n_titles):
    others = [f"brand{number} cut{number % 7}" for number in range(n_titles)]
    assert logit(title, title, Rarity.of([*others, title, title])) < 0.05


def test_what_counts_for_is_no_more_than_what_titles_share_beyond_usual_things():
    rarity = Rarity.of([f"brand{number} phone" for number in range(500)])
    for title in ("zanzibar", "zanzibar kaftan", "zanzibar kaftan phone", "zanzibar kaftan nx200 phone"):
        shared = sum(map(rarity, title.split()))
        assert 0 <= logit(title, title, rarity) <= max(shared - USUAL, 0)


def test_an_item_posted_forty_times_keeps_its_rare_words():
    others = [f"brand{number % 30} shirt colour{number % 7} cut{number}" for number in range(300)]
    posted = "zanzibar kaftan embroidered silk"
    once, often = Rarity.of([*others, posted]), Rarity.of([*others, *[posted] * 40])
    assert often("zanzibar") > once("zanzibar") - 1.2


def test_a_number_that_differs_counts_against():
    same, without, other = (f"apple phone {size} silver mc4711 refurbished unlocked" for size in ("64gb", "", "128gb"))
    assert logit(same, other) < logit(same, without) < logit(same, same)


def test_a_usual_word_in_the_place_of_another_counts_more_than_one_that_is_left_out():
    """So differ the titles of sister articles, which tell colours apart by words that every title has."""
    ours = "acme men black leather belt"
    replaced, less, moved = ("acme men brown leather belt", "acme men leather belt", "acme men leather belt black")
    assert logit(ours, replaced) < logit(ours, less) < logit(ours, ours)
    column = list(COLUMNS).index("replaced")
    assert evidence(ours, replaced)[column] > 0
    assert evidence(ours, "acme men navy blue leather belt")[column] > 0
    assert evidence(ours, "acme men very dark brown leather belt")[column] == 0
    assert evidence(ours, less)[column] == evidence(ours, moved)[column] == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nokia phone 128gb", "nokia phone 128 GB"),
        ("sony kd-55-af8", "Sony KD55AF8"),
        ("apple supersilence", "apple super silence"),
        ("ＡＰＰＬＥ １２８ＧＢ", "apple 128gb"),
        ("Straße cafe\u0301", "STRASSE café"),
    ],
)
def test_other_ways_to_write_the_same_are_the_same(one, other):
    assert not evidence(one, other)[[name.startswith(("differ", "other", "one")) for name in COLUMNS]].any()


@pytest.mark.parametrize("typo", ["embroidred", "embriodered", "embroideered", "embroitered"])
def test_a_typo_is_nearly_the_same_word(typo):
    right = logit("kaftan zanzibar silk embroidered", "kaftan zanzibar silk embroidered")
    nearly = logit("kaftan zanzibar silk embroidered", f"kaftan zanzibar silk {typo}")
    assert logit("kaftan zanzibar silk embroidered", "kaftan zanzibar silk checked") < nearly < right


def test_a_short_word_may_lose_a_letter():
    assert logit("tonga teal top", "tonga tal top") > logit("tonga teal top", "tonga red top")


@pytest.mark.parametrize(
    ("title", "reworded", "another"),
    [
        ("東京特許許可局の革財布", "革財布 東京特許許可局", "大阪城公園前の木机"),
        ("กระเป๋าหนังสีดำใบใหญ่", "กระเป๋าหนังสีดำ", "รองเท้าผ้าใบขาว"),
        ("кожаная сумка чёрная большая", "кожанная сумка чёрная большая", "деревянный стол новый"),
        ("حقيبة جلدية سوداء", "حقيبة سوداء جلدية", "طاولة خشبية جديدة"),
    ],
)
def test_titles_of_any_script_are_compared(title, reworded, another):
    assert logit(title, reworded, Rarity.empty()) > 0.5 > 0 > logit(title, another, Rarity.empty())


def test_scripts_without_spaces_are_cut_into_pairs_of_characters():
    assert words_of("iphone12ケース 字") == ["iphone12", "ケー", "ース", "字"]


def test_a_head_is_read_back_from_its_settings():
    head = TitleHead(np.arange(len(COLUMNS), dtype=float), 4.0, 2.0)
    again = TitleHead.from_settings(json.loads(json.dumps(head.settings())))
    np.testing.assert_array_equal(again.weights, head.weights)
    assert (again.most, again.most_for) == (head.most, head.most_for)


def test_settings_with_an_unknown_column_are_refused_by_name():
    with pytest.raises(ValueError, match="smell"):
        TitleHead.from_settings({"most": 4.0, "most_for": 1.0, "weights": {"smell": 1.0}})


def test_a_head_has_a_weight_for_each_column():
    with pytest.raises(ValueError, match=str(len(COLUMNS))):
        TitleHead(np.zeros(2), 4.0)


def test_each_word_is_explained():
    titles = "apple phone mc4711 silver red", "apple phone mc4711 silver blue"
    found = {each.word: each for each in explain_titles(*titles, Rarity.of(CATALOGUE), HEAD)}
    assert list(found) == ["apple", "phone", "mc4711", "silver", "red", "blue"]
    assert (found["red"].left, found["red"].right) == (True, False)
    assert found["apple"].weight > 0 > found["red"].weight


def test_titles_that_share_usual_things_only_have_no_word_that_counts_for():
    assert [each.weight for each in explain_titles("shoes", "shoes", Rarity.empty(), HEAD)] == [0]
    found = explain_titles("red shoes", "blue shoes", Rarity.empty(), HEAD)
    assert max(each.weight for each in found if not (each.left and each.right)) < 0


def test_a_missing_title_explains_nothing():
    assert explain_titles("", "apple", Rarity.empty(), HEAD) == []


def test_prices_that_are_far_apart_count_against_and_missing_ones_nothing():
    left, right = np.array([100.0, np.nan, 0.0]), np.array([100.0, 200.0, 1e9])
    pairs = np.array([(0, 0), (0, 1), (0, 2), (1, 1), (2, 1)])
    np.testing.assert_allclose(price_evidence(left, right, pairs)[:, 0], [0, -np.log(2), -np.log(8), 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(price_evidence(left, right, pairs), price_evidence(right, left, pairs[:, ::-1]))


@given(titles, titles)
def test_titles_never_say_more_than_the_bound(left, right):
    bounded = TitleHead(HEAD.weights * 50, 3.5, 3.5)
    assert abs(bounded.logits(evidence(left, right)[None])[0]) <= 3.5
