"""Which words of titles differ."""

from hypothesis import given
from hypothesis import strategies as st

from productcat.reports.title_words import compare_titles

titles = st.lists(st.text("aB7ß ＡÀ.,鞋子-é\u0301<&", max_size=14), min_size=1, max_size=5)


def marked(words):
    return [text for text, marked in words.pieces if marked]


@given(titles)
def test_the_pieces_of_a_title_are_the_title_and_equal_titles_do_not_differ(some):
    found = compare_titles(some)
    assert ["".join(text for text, _ in each.pieces) for each in found] == some
    for title in some:
        alone = compare_titles([title] * len(some))
        assert all(not marked(each) and not each.missing for each in alone)


@given(titles)
def test_a_listing_without_a_title_changes_nothing(some):
    assert compare_titles([*some, ""])[:-1] == compare_titles(some)
    assert compare_titles([*some, ""])[-1].missing == []


def test_of_two_titles_the_words_of_one_alone_are_marked_whatever_their_case():
    left, right = compare_titles(["Colorbar Velvet Lipstick 80V", "COLORBAR velvet lipstick 15, new"])
    assert (marked(left), marked(right)) == (["80V"], ["15", "new"])
    assert left.missing == right.missing == []


def test_decimals_are_one_word_and_chinese_signs_are_words():
    assert marked(compare_titles(["size 7.5 shoe", "size 7.0 shoe"])[0]) == ["7.5"]
    assert marked(compare_titles(["红色鞋子", "蓝色鞋子"])[0]) == ["红"]


def test_of_several_titles_a_word_differs_that_fewer_than_half_of_the_others_have():
    titles = ["Red wool jacket M", "Red wool jacket M", "Red wool jacket L", "wool jacket"]
    found = compare_titles(titles)
    assert [marked(each) for each in found] == [["M"], ["M"], ["L"], []]
    assert [each.missing for each in found] == [[], [], ["M"], ["Red", "M"]]
