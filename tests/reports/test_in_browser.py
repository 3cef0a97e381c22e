"""The reports in a real browser: no error, nothing loaded, nothing too wide, tables that sort, a page that prints."""

import json

import numpy as np
import pytest
import shop
from browser import PROGRAM, browser

from productcat import Categorizer, DuplicateDetector, Listing
from productcat.evaluation.evaluate import evaluate
from productcat.evaluation.evaluate_pairs import evaluate_pairs, measure_pairs
from productcat.evaluation.figures import measure
from productcat.evaluation.labelled_pairs import LabelledPair
from productcat.reports.evaluation import Origin, report
from productcat.reports.labelled_pairs import pair_report
from productcat.reports.listing_cards import draw
from productcat.reports.reported_groups import ReportedGroup

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="neither chromium nor google-chrome on the path")

LONG = "An_endless_title_without_a_single_space_" * 6 + "<script>document.title='run'</script>"
COLUMN = """[...document.querySelectorAll('#categories tbody tr')].map(row => row.cells[{}].textContent)"""
CLICK = "document.querySelectorAll('#categories th button')[{}].click()"


@pytest.fixture(scope="module")
def pages(duplicates_bundle, tmp_path_factory):
    """(report of an evaluation, report of pairs), as paths, with long words, markup and label errors in them."""
    rng = np.random.default_rng(31)
    names = [shop.CLASSES[number % 3] for number in range(24)]
    listings = [Listing(f"l{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)]
    listings[0] = Listing(LONG, f"{LONG} leather belt", listings[0].photos)
    names[0], names[1] = "Tshirts", "Belts"
    folder = tmp_path_factory.mktemp("reports")
    found = evaluate(Categorizer.load(duplicates_bundle), zip(listings, names, strict=True))
    chunks = report(found, measure(found, rounds=20), Origin("labelled.csv", "shop", [LONG]))
    (folder / "report.html").write_bytes(b"".join(chunks))
    pairs = [LabelledPair(LONG, f"l{i}", bool(i % 2)) for i in range(1, 9)]
    scored = evaluate_pairs(DuplicateDetector.load(duplicates_bundle), listings, pairs)
    worst = dict(draw(map(ReportedGroup.of_pair, [*scored.worst(True), *scored.worst(False)]), listings))
    chunks = pair_report(scored, measure_pairs(scored, rounds=20), worst, Origin("pairs.csv", "shop", [LONG]))
    (folder / "pairs.html").write_bytes(b"".join(chunks))
    return folder / "report.html", folder / "pairs.html"


@pytest.fixture(scope="module")
def tab():
    with browser() as opened:
        yield opened


@pytest.mark.parametrize("number", [0, 1], ids=["evaluation", "pairs"])
@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_is_wider_than_the_window_and_nothing_goes_wrong(tab, pages, number, width):
    tab.said.clear()
    tab.requested.clear()
    tab.see(width)
    tab.open(pages[number])
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.run("document.querySelectorAll('svg').length") >= 2
    assert tab.run("document.title") != "run"
    assert tab.said == []
    assert [each for each in tab.requested if not each.startswith("data:")] == [pages[number].as_uri()]


@pytest.mark.parametrize("number", [0, 1], ids=["evaluation", "pairs"])
def test_text_stands_out_from_its_ground_in_both_themes(tab, pages, number):
    contrast = """(() => {
      const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const page = light(getComputedStyle(document.querySelector('.panel')).backgroundColor);
      const ratio = each => { const own = light(getComputedStyle(each)[each.closest('svg') ? 'fill' : 'color']);
        return (Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05); };
      return Math.min(...[...document.querySelectorAll('p, td, th, h1, h2, dd, svg text')].map(ratio));
    })()"""
    for dark in (False, True):
        tab.see(1600, dark)
        tab.open(pages[number])
        assert tab.run(contrast) >= 4.5, "dark" if dark else "light"


def test_a_click_on_a_column_sorts_by_it_and_another_click_turns_the_order(tab, pages):
    tab.see(1600)
    tab.open(pages[0])
    tab.run(CLICK.format(0))
    names = tab.run(COLUMN.format(0))
    assert names == sorted(names)
    tab.run(CLICK.format(0))
    assert tab.run(COLUMN.format(0)) == sorted(names, reverse=True)
    tab.run(CLICK.format(2))
    shares = [float(each.split()[0]) for each in tab.run(COLUMN.format(2))]
    assert shares == sorted(shares, reverse=True)
    assert tab.run("document.querySelectorAll('#categories th[aria-sort=descending]').length") == 1


def test_the_slider_tells_what_a_threshold_means(tab, pages):
    tab.see(400)
    tab.open(pages[0])
    assert not tab.run("document.querySelector('.slider').hidden")
    move = """(value => { const slider = document.querySelector('.slider input'); slider.value = value;
      slider.dispatchEvent(new Event('input')); return document.querySelector('output').textContent; })"""
    curve = json.loads(tab.run("document.getElementById('curve').textContent"))
    last = curve[-1]
    assert f"{100_000 * last['coverage']:,.0f} assigned" in tab.run(f"{move}(0)")
    assert "1,000" not in tab.run(f"{move}(1000)").split("assigned")[1]


@pytest.mark.parametrize("number", [0, 1], ids=["evaluation", "pairs"])
def test_the_page_prints_in_light_colours(tab, pages, number):
    tab.see(1600, dark=True)
    tab.open(pages[number])
    assert tab.print().startswith(b"%PDF")
    tab.do("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    ink = tab.run("getComputedStyle(document.body).color")
    plot = tab.run("getComputedStyle(document.querySelector('svg text')).fill")
    tab.do("Emulation.setEmulatedMedia", media="")
    assert ink == "rgb(0, 0, 0)"
    assert plot in ("rgb(0, 0, 0)", "rgb(68, 68, 68)")
