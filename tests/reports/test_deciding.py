"""The report of duplicates as a screen to decide on, in a real browser: keys, buttons, what is kept, and the file."""

import csv
import io
import itertools
import time

import numpy as np
import pytest
import shop
from browser import PROGRAM, browser

from productcat import DuplicatePair, Listing
from productcat.duplicates.groups import DuplicateGroup
from productcat.duplicates.matches import PhotoMatch
from productcat.reports.duplicates import Findings, report
from productcat.reports.listing_cards import SharedPicture, draw
from productcat.reports.reported_groups import DOUBT, REPORTED, ReportedGroup

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="neither chromium nor google-chrome on the path")

HOSTILE = "\"],x]</article><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">,\r\n'"
"""An id that would end an attribute, an element, a field of a CSV and a line."""

LONG = "An_endless_title_without_a_single_space_" * 6 + HOSTILE
IDS = [("a", "b"), ("four-1", "four-2", "four-3", "four-4"), (HOSTILE, "=1+1"), ("é 👜", "d,e")]

CSV = """(async () => {
  let blob = null;
  const made = URL.createObjectURL;
  URL.createObjectURL = each => { blob = each; return made.call(URL, each); };
  document.querySelector('.save').click();
  URL.createObjectURL = made;
  return blob && await blob.text();
})()"""


def group(ids, kind):
    pairs = tuple(DuplicatePair(ids[0], id, 0.9, "copy") for id in ids[1:])
    matches = {(each.left, each.right): [PhotoMatch(0, 0, {"top": 0.9}, 0.99)] for each in pairs}
    return ReportedGroup(DuplicateGroup(ids, ids[0], (0.9,) * len(ids), pairs), matches, kind, why_kept="most photos")


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """A function from the name of a source to the path of its report. Each is another report to the browser."""
    rng = np.random.default_rng(4)
    groups = [group(ids, DOUBT if number == 3 else REPORTED) for number, ids in enumerate(IDS)]
    listings = [
        Listing(id, LONG, [shop.photo(name, rng, (300, 200)) for name in shop.CLASSES[:3]])
        for id in itertools.chain(*IDS)
    ]
    cards = dict(draw(groups, listings))
    folder = tmp_path_factory.mktemp("reports")

    def written(source):
        findings = Findings(source, 0.5, 10, 6, 3, shared=[SharedPicture([(LONG, 0), ("a", 1)])])
        path = folder / f"{abs(hash(source))}.html"
        path.write_bytes(b"".join(report(groups, cards, findings)))
        return path

    return written


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        opened.see(1000)
        yield opened


@pytest.fixture
def page(tab, page_of, request):
    """The tab with a report in which nothing is decided yet."""
    tab.said.clear()
    tab.requested.clear()
    tab.see(1000)
    tab.open(page_of(request.node.name))
    return tab


def press(tab, keys):
    for key in keys:
        tab.do("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        tab.do("Input.dispatchKeyEvent", type="keyUp", key=key)


def current(tab):
    return tab.run("document.querySelector('article.current').id")


def states(tab):
    return tab.run("[...document.querySelectorAll('.state')].map(each => each.textContent)")


def rows(tab):
    """The file of decisions, without its header."""
    header, *found = csv.reader(io.StringIO(tab.run(CSV), newline=""))
    assert header == ["left", "right", "verdict"]
    return [tuple(each) for each in found]


def test_keys_go_from_card_to_card_and_decide(page):
    assert current(page) == "group-1"
    press(page, "jj")
    assert current(page) == "group-3"
    press(page, "k")
    assert current(page) == "group-2"
    assert page.run("document.activeElement.id") == "group-2"
    press(page, "kks")
    assert current(page) == "group-2"
    press(page, "d")
    assert [each.removeprefix("decided: ") for each in states(page)] == ["the same item", "different items", "", ""]
    assert "2 of 4 decided" in page.run("document.querySelector('[role=status]').textContent")


def test_keys_with_ctrl_and_keys_that_are_switched_off_do_nothing(page):
    page.do("Input.dispatchKeyEvent", type="keyDown", key="s", modifiers=2)
    page.run("document.querySelector('.keys input').checked = false")
    press(page, "sj1")
    assert states(page) == [""] * 4
    assert current(page) == "group-1"


def test_undo_takes_back_one_decision_after_the_other(page):
    press(page, "sjj")
    page.run("document.querySelector('#group-4 .different').click()")
    press(page, "u")
    assert [bool(each) for each in states(page)] == [True, False, False, False]
    assert current(page) == "group-4"
    page.run("document.querySelector('.undo').click()")
    assert states(page) == [""] * 4
    assert page.run("document.querySelector('.undo').disabled && document.querySelector('.save').disabled")


def test_a_second_press_takes_a_decision_back_and_another_one_replaces_it(page):
    click = "document.querySelector('#group-1 .{}').click()"
    page.run(click.format("same"))
    page.run(click.format("different"))
    assert rows(page) == [("a", "b", "different")]
    page.run(click.format("different"))
    assert states(page) == [""] * 4


def test_a_decision_on_a_group_is_a_line_for_each_pair(page):
    press(page, "js")
    four = IDS[1]
    assert rows(page) == [(*pair, "same") for pair in itertools.combinations(four, 2)]
    press(page, "u" + "d")
    assert rows(page) == [(*pair, "different") for pair in itertools.combinations(four, 2)]


def test_one_listing_of_a_group_can_be_another_item(page):
    a, b, c, d = IDS[1]
    press(page, "j3")
    assert rows(page) == [(a, c, "different"), (b, c, "different"), (c, d, "different")]
    assert page.run("document.querySelector('#group-2 .same').innerText").startswith("The rest the same")
    press(page, "s")
    assert set(rows(page)) == {
        *((*pair, "different") for pair in ((a, c), (b, c), (c, d))),
        *((*pair, "same") for pair in ((a, b), (a, d), (b, d))),
    }
    page.run("document.querySelectorAll('#group-2 .out')[3].click()")
    assert set(rows(page)) == {
        *((*pair, "different") for pair in ((a, c), (b, c), (a, d), (b, d))),
        (a, b, "same"),
    }
    assert states(page)[1] == "decided: the same item; 3, 4: another item"
    page.run("document.querySelectorAll('#group-2 .out')[1].click()")
    assert ("a", "b", "same") not in rows(page)
    assert page.run("document.querySelector('#group-2 .same').disabled")


def test_the_file_has_the_ids_as_they_are_whatever_is_in_them(page):
    press(page, "jjsd")
    assert rows(page) == [(HOSTILE, "=1+1", "same"), ("é 👜", "d,e", "different")]
    assert page.run("document.title") != "run"
    assert page.said == []


def test_saving_needs_no_server_and_writes_a_file(page, tmp_path):
    page.do("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    press(page, "s")
    page.run("document.querySelector('.save').click()")
    deadline = time.monotonic() + 20
    while not (tmp_path / "decided.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "decided.csv").read_bytes() == b"left,right,verdict\na,b,same\n"
    assert page.said == []


def test_decisions_are_there_when_the_page_is_opened_again_and_can_be_undone(page, page_of, request):
    press(page, "s2d")
    before = states(page), rows(page)
    page.open(page_of(request.node.name))
    assert (states(page), rows(page)) == before
    press(page, "uu")
    assert [bool(each) for each in states(page)] == [True, False, False, False]


def test_another_report_does_not_take_the_decisions_of_this_one(page, page_of):
    press(page, "s")
    page.open(page_of("another source"))
    assert states(page) == [""] * 4


def test_where_the_browser_keeps_nothing_the_page_says_so_and_still_saves(page):
    page.run("Storage.prototype.setItem = () => { throw new Error('full'); }")
    press(page, "s")
    assert "keeps nothing" in page.run("document.querySelector('[role=status]').textContent")
    assert rows(page) == [("a", "b", "same")]


@pytest.mark.parametrize(
    "damaged", ["no JSON", "{}", "[]", '{"decisions": {"99": 1}, "history": [[99, null]]}', "null", '{"history": 7}']
)
def test_a_damaged_store_is_as_good_as_none(page, page_of, request, damaged):
    page.run(
        f"localStorage.setItem('productcat duplicates ' + document.querySelector('.bar').dataset.report, {damaged!r})"
    )
    page.open(page_of(request.node.name))
    press(page, "us")
    assert rows(page) == [("a", "b", "same")]
    assert page.said == []


def test_a_photo_opens_large_beside_the_one_that_matches_it(page):
    page.run("document.querySelectorAll('#group-2 .member')[2].querySelector('.matching .zoom').click()")
    assert page.run("document.querySelectorAll('dialog[open] img').length") == 2
    press(page, "s")
    assert states(page) == [""] * 4
    page.run("document.querySelector('dialog button').click()")
    assert page.run("document.querySelector('dialog[open]') === null")


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window_and_nothing_is_loaded(page, page_of, request, width):
    page.see(width)
    page.open(page_of(request.node.name))
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.run("Math.min(...[...document.querySelectorAll('article .two img')].map(each => each.width))") >= 130
    assert page.said == []
    assert {each for each in page.requested if not each.startswith("data:")} == {page_of(request.node.name).as_uri()}


def test_without_its_script_everything_can_be_read_and_nothing_can_be_pressed_in_vain(page, page_of, request):
    page.do("Emulation.setScriptExecutionDisabled", value=True)
    page.open(page_of(request.node.name))
    page.do("Emulation.setScriptExecutionDisabled", value=False)
    shown = "[...document.querySelectorAll('{}')].filter(each => each.checkVisibility()).length"
    assert page.run(shown.format("article img")) > 0
    assert page.run(shown.format(".decide, .out, .bar, .keys")) == 0


def test_text_stands_out_from_its_ground_in_both_themes(page, page_of, request):
    contrast = """(() => {
      const parts = colour => colour.match(/[\\d.]+/g).map(Number);
      const light = colour => parts(colour).slice(0, 3)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = each => { for (; each; each = each.parentElement) {
        const colour = getComputedStyle(each).backgroundColor;
        if (parts(colour)[3] !== 0) return light(colour);
      } };
      const ratio = each => { const own = light(getComputedStyle(each).color), page = ground(each);
        return (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05); };
      const all = 'p, h1, h2, li, mark, span, small, figcaption, b, summary, button:enabled, dt, dd';
      return Math.min(...[...document.querySelectorAll(all)].filter(each => each.checkVisibility()).map(ratio));
    })()"""
    for dark in (False, True):
        page.see(1000, dark)
        page.open(page_of(request.node.name))
        press(page, "sd")
        page.run("document.querySelectorAll('#group-2 .different').forEach(each => each.click())")
        assert page.run(contrast) >= 4.5, "dark" if dark else "light"
    page.see(1000)


def test_every_control_has_a_name_and_the_page_prints_without_controls(page):
    named = (
        "[...document.querySelectorAll('button, input, progress, article, [role=group]')].filter(each =>"
        " !(each.innerText || each.ariaLabel || each.labels?.length || each.querySelector('img')?.alt)).length"
    )
    assert page.run(named) == 0
    assert page.print().startswith(b"%PDF")
    page.do("Emulation.setEmulatedMedia", media="print")
    controls = "[...document.querySelectorAll('.decide, .bar, .out')].some(each => each.checkVisibility())"
    assert not page.run(controls)
    page.do("Emulation.setEmulatedMedia", media="")
