"""How the reports of evaluations look, beyond what they share with the report of duplicates; and their script."""

STYLE = """
:root { --photos: #b4500a; --title: #7443b0; --both: #0b63a8; }
@media (prefers-color-scheme: dark) { :root { --photos: #ffae6b; --title: #c8a8ff; --both: #74bdff; } }
html { scroll-behavior: smooth; }
.page > *, main > section > p, main > section > ul, main > section > details { max-width: 46rem; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-top: .8rem; font-size: .9rem; }
a { color: var(--both); }
main { display: block; }
section { margin: 0 0 2.4rem; scroll-margin-top: 1rem; }
section > h2 { font-size: 1.15rem; font-weight: 600; color: var(--ink); margin-bottom: .5rem; }
h3 { font-size: .95rem; font-weight: 600; margin-bottom: .4rem; }
section > p, section > ul { margin-bottom: .7rem; }
section > ul { padding-left: 1.2rem; }
.page p { margin-bottom: .5rem; }
.page ul { padding-left: 1.2rem; }
.lead { font-size: 1.15rem; }
.page, main { max-width: 84rem; }
.soft { color: var(--soft); }
.tiles {
  display: grid; gap: .8rem; margin: 1rem 0 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 10.5rem), 1fr));
}
.page > .tiles { max-width: none; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { font-size: .85rem; color: var(--soft); }
.pair {
  display: grid; gap: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
}
.pair > * { min-width: 0; }
.panel { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; }
.plot { display: block; width: 100%; height: auto; max-width: 30rem; margin: 0 auto; }
.plot text { fill: var(--ink); font-family: system-ui, sans-serif; }
.scroll { overflow: auto; overflow-wrap: normal; max-width: max-content; border-radius: .4rem; margin-bottom: .7rem; }
.scroll.sortable { max-height: 34rem; }
.scroll:focus-visible { outline: 2px solid var(--both); }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; background: var(--card); }
th, td { padding: .3rem .65rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: baseline; }
td:first-child { min-width: 6.5rem; max-width: 18rem; overflow-wrap: anywhere; }
th { position: sticky; top: 0; background: var(--card); color: var(--soft); font-weight: 600; vertical-align: bottom; }
td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; }
td small { display: block; color: var(--soft); }
.tile small { display: block; white-space: nowrap; }
th button {
  font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
  text-align: inherit;
}
th button::after { content: " ↕"; opacity: .45; }
th[aria-sort=ascending] button::after { content: " ↑"; opacity: 1; }
th[aria-sort=descending] button::after { content: " ↓"; opacity: 1; }
th button:focus-visible, input:focus-visible { outline: 2px solid var(--both); outline-offset: 2px; }
.slider { margin: 1rem 0; max-width: 46rem; }
.slider input { width: 100%; margin: .5rem 0; accent-color: var(--both); }
.slider output { display: block; }
.cases {
  display: grid; gap: .8rem; align-items: start; margin-bottom: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr));
}
.case .pictures { display: flex; gap: .4rem; justify-content: center; margin-bottom: .5rem; }
.case .pictures img {
  min-width: 0; max-width: 100%; max-height: 10rem; object-fit: contain; border-radius: .3rem;
  border: 1px solid var(--line); background: #fff;
}
.case .title { font-weight: 600; }
.case .id { font-weight: 400; font-size: .8rem; color: var(--soft); }
.answers { margin-top: .5rem; gap: .2rem; grid-template-columns: 1fr; }
.answers div { display: grid; grid-template-columns: 5.2rem 1fr auto; gap: .5rem; align-items: baseline; }
.answers dd { background: none; height: auto; }
.answers .right { color: var(--yes); }
.answers .wrong { color: var(--no); }
.flag {
  display: inline-block; border: 1px solid; border-radius: 1rem; padding: 0 .55rem; font-size: .8rem;
  color: var(--no);
}
.pairs {
  display: grid; gap: 1rem; align-items: start; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr));
}
.pairs .badge { color: var(--no); }
article > header h2 { font-size: 1rem; font-weight: 400; color: var(--soft); }
@media (max-width: 30rem) { table { font-size: .82rem; } th, td { padding: .3rem .35rem; } }
@media print {
  html { font-size: 11px; }
  :root { --photos: #b4500a; --title: #7443b0; --both: #0b63a8; }
  nav, .slider { display: none; }
  section { margin-bottom: 1.2rem; }
  section > h2, h3, section > p { break-after: avoid; }
  .panel, .tile, .case, tr { break-inside: avoid; }
  .scroll, .scroll.sortable { max-height: none; overflow: visible; max-width: none; }
  .answers div { grid-template-columns: 4rem 1fr auto; }
  table.short { break-inside: avoid; }
  th { position: static; }
  th button::after { content: none; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  .cases { grid-template-columns: repeat(3, 1fr); }
  .pair { grid-template-columns: 1fr 1fr; }
  .plot path { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

SCRIPT = """
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column], value = cell.dataset.value;
    return value === undefined ? cell.textContent : value === "" ? -Infinity : Number(value);
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const numbers = body.rows.length && body.rows[0].cells[column].dataset.value !== undefined;
    const before = head.getAttribute("aria-sort");
    const up = before ? before === "descending" : !numbers;  // the best and the most first, names from A on
    const sign = up ? 1 : -1;
    const compare = numbers ? (a, b) => (a === b ? 0 : a < b ? -1 : 1) : (a, b) => a.localeCompare(b, "en");
    const rows = [...body.rows].sort((a, b) => sign * compare(key(a, column), key(b, column)));
    heads.forEach(each => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...rows);
  }));
}
const slider = document.querySelector(".slider");
if (slider) {
  const curve = JSON.parse(document.getElementById("curve").textContent);
  const input = slider.querySelector("input"), output = slider.querySelector("output");
  const thousands = number => Math.round(number).toLocaleString("en");
  const show = () => {
    const threshold = Number(input.value) / 1000;
    const found = curve.filter(each => each.threshold >= threshold).pop();
    const assigned = found ? 100000 * found.coverage : 0;
    const wrong = found ? ` ${(100 * (1 - found.precision)).toFixed(1)} % of them wrongly` +
      ` (${thousands(assigned * (1 - found.precision))});` : "";
    output.textContent = `Assigned from ${(100 * threshold).toFixed(1)} % on: of 100,000 listings a day ` +
      `${thousands(assigned)} assigned,${wrong} ${thousands(100000 - assigned)} left to people.`;
    input.setAttribute("aria-valuetext", output.textContent);
  };
  slider.hidden = false;
  input.addEventListener("input", show);
  show();
}
"""
"""Sorts tables by a click on a column's name, and tells what any threshold means. Without it the page is complete."""
