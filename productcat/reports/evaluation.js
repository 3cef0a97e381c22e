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
