"use strict";
// A decision: {verdict: "same" | "different" | null, out: [places of listings that are another item]}, by card
const bar = document.querySelector(".bar"), cards = [...document.querySelectorAll("main > article")];
if (bar) {
  const KEPT = `productcat duplicates ${bar.dataset.report}`;
  const READING = 0.35;  // of the height of the window: where one reads
  const status = bar.querySelector("[role=status]"), progress = bar.querySelector("progress");
  const undo = bar.querySelector(".undo"), save = bar.querySelector(".save");
  const keysOn = document.querySelector(".keys input");
  const ids = cards.map(card => JSON.parse(card.dataset.ids));
  let decisions = {}, history = [], current = 0, jumpedTo = -1, storable = true, unsaved = false;

  // --- what was decided
  const decided = number => decisions[number] || {verdict: null, out: []};
  const rest = number => ids[number].map((_, place) => place).filter(place => !decided(number).out.includes(place));
  const isDone = number => decided(number).verdict !== null || rest(number).length < 2;

  const isSound = (number, each) => number in cards && [null, "same", "different"].includes(each?.verdict) &&
    Array.isArray(each.out) && each.out.every(place => place in ids[number]);
  function load() {
    decisions = {}, history = [];
    try {
      const kept = JSON.parse(localStorage.getItem(KEPT));  // perhaps not written by this page
      for (const [number, each] of Object.entries(kept?.decisions || {})) {
        if (isSound(number, each)) decisions[number] = each;
      }
      history = (kept?.history || []).filter(([number, each]) => isSound(number, each));
    } catch (error) { storable = error instanceof SyntaxError || error instanceof TypeError; }
  }
  function store() {
    unsaved = true;
    try { localStorage.setItem(KEPT, JSON.stringify({decisions, history})); } catch { storable = false; }
  }
  function decide(number, verdict, out) {
    history.push([number, decided(number)]);
    decisions[number] = {verdict, out};
    store();
    draw(number);
    drawBar(`Group ${number + 1}: ${told(number) || "no decision"}.`);
  }

  // --- the file: every pair that a decision joins or tells apart, so that nobody has to draw conclusions
  function* pairs(number) {
    const {verdict, out} = decided(number), members = ids[number];
    for (let a = 0; a < members.length; a++) {
      for (let b = a + 1; b < members.length; b++) {
        const outside = out.includes(a) + out.includes(b);
        if (verdict === "different" || outside === 1) yield [members[a], members[b], "different"];
        else if (verdict === "same" && !outside) yield [members[a], members[b], "same"];
      }
    }
  }
  const field = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  function csv() {
    const lines = ["left,right,verdict\n"];
    cards.forEach((_, number) => {
      for (const pair of pairs(number)) lines.push(`${pair.map(field).join(",")}\n`);
    });
    return new Blob(lines, {type: "text/csv"});
  }
  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(csv());
    link.download = "decided.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    unsaved = false;
    say("Saved as decided.csv.");
  }

  // --- what is seen of it
  const SAID = {same: "decided: the same item", different: "decided: different items"};
  function told(number) {
    const {verdict, out} = decided(number), others = out.map(place => place + 1).join(", ");
    const aside = out.length ? `${others}: another item` : "";
    return [SAID[verdict] || "", aside].filter(Boolean).join("; ");
  }
  function draw(number) {
    const card = cards[number], {verdict, out} = decided(number), state = card.querySelector(".state");
    card.dataset.verdict = verdict || (isDone(number) ? "different" : "");
    card.querySelector(".same").setAttribute("aria-pressed", verdict === "same");
    card.querySelector(".same").disabled = rest(number).length < 2;
    const name = card.querySelector(".same span");
    name.dataset.plain ??= name.textContent;
    name.textContent = out.length ? "The rest the same" : name.dataset.plain;
    card.querySelector(".different").setAttribute("aria-pressed", verdict === "different");
    card.querySelectorAll(".member").forEach((member, place) => {
      member.classList.toggle("outside", out.includes(place));
      member.querySelector(".out")?.setAttribute("aria-pressed", out.includes(place));
    });
    state.textContent = told(number);
    state.hidden = !state.textContent;
  }
  function drawBar(spoken = "") {
    const done = cards.filter((_, number) => isDone(number)).length;
    progress.value = done;
    undo.disabled = !history.length;
    save.disabled = !cards.some((_, number) => !pairs(number).next().done);
    say(`${done} of ${cards.length} decided`, spoken);
  }
  function say(text, spoken = "") {
    const aside = document.createElement("span");
    aside.className = "unseen";
    aside.textContent = spoken;
    const warning = storable ? "" : " – this browser keeps nothing: save before you close the page";
    status.replaceChildren(aside, text, warning);
  }
  function drawAll() {
    cards.forEach((_, number) => draw(number));
    drawBar();
  }

  // --- where one is
  function select(number) {
    cards[current].classList.remove("current");
    cards[current = number].classList.add("current");
  }
  function go(number) {
    select(number);
    cards[number].scrollIntoView({block: "start"});
    cards[number].focus({preventScroll: true});
    jumpedTo = scrollY;
  }
  function goOn(from) {
    const open = cards.findIndex((_, number) => number >= from && !isDone(number));
    const first = open < 0 ? cards.findIndex((_, number) => !isDone(number)) : open;
    if (first >= 0) go(first);
    else say(`All ${cards.length} are decided. Save them.`);
  }
  addEventListener("scroll", () => {
    if (Math.abs(scrollY - jumpedTo) < 2) return;
    const line = READING * innerHeight, below = cards.findIndex(card => card.getBoundingClientRect().bottom > line);
    select(below < 0 ? cards.length - 1 : below);
  }, {passive: true});
  addEventListener("focusin", event => {
    const number = cards.indexOf(event.target.closest("article"));
    // the window may still scroll to what has the focus, which is no wish to read another card
    if (number >= 0) requestAnimationFrame(() => { select(number); jumpedTo = scrollY; });
  });

  // --- what one does
  function judge(number, verdict) {
    const {verdict: before, out} = decided(number);
    if (verdict === "same" && rest(number).length < 2) return;
    decide(number, before === verdict ? null : verdict, out);
    if (before !== verdict) goOn(number);
  }
  function turnOut(number, place) {
    const {verdict, out} = decided(number);
    if (ids[number].length < 3 || place >= ids[number].length) return;
    const now = out.includes(place) ? out.filter(each => each !== place) : [...out, place].sort((a, b) => a - b);
    decide(number, verdict === "same" && ids[number].length - now.length < 2 ? null : verdict, now);
  }
  function takeBack() {
    if (!history.length) return;
    const [number, before] = history.pop();
    decisions[number] = before;
    store();
    draw(number);
    drawBar(`Group ${number + 1}: ${told(number) || "no decision"}.`);
    go(number);
  }
  cards.forEach((card, number) => {
    card.querySelector(".same").addEventListener("click", () => judge(number, "same"));
    card.querySelector(".different").addEventListener("click", () => judge(number, "different"));
    card.querySelectorAll(".member").forEach((member, place) =>
      member.querySelector(".out")?.addEventListener("click", () => turnOut(number, place)));
  });
  undo.addEventListener("click", takeBack);
  save.addEventListener("click", download);
  bar.querySelector(".open").addEventListener("click", () => goOn(isDone(current) ? current : current + 1));
  const KEYS = {
    j: () => go(Math.min(current + 1, cards.length - 1)),
    k: () => go(Math.max(current - 1, 0)),
    n: () => goOn(current + 1),
    s: () => judge(current, "same"),
    d: () => judge(current, "different"),
    u: takeBack,
  };
  addEventListener("keydown", event => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing;
    if (busy || !keysOn.checked || document.querySelector("dialog[open]")) return;
    const place = /^[1-9]$/.test(event.key) && (() => turnOut(current, event.key - 1));
    const act = KEYS[event.key.toLowerCase()] || place;
    if (act) { event.preventDefault(); act(); }
  });
  addEventListener("storage", event => { if (event.key === KEPT) { load(); drawAll(); } });
  addEventListener("beforeunload", event => { if (!storable && unsaved) event.preventDefault(); });

  // --- a photo large, with one that matches it
  const dialog = document.createElement("dialog");
  dialog.className = "large";
  dialog.setAttribute("aria-label", "photos, large");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  document.body.append(dialog);
  dialog.addEventListener("click", () => dialog.close());
  document.querySelectorAll("article .zoom").forEach(button => button.addEventListener("click", () => {
    const figure = button.closest("figure"), member = button.closest(".member"), letter = figure.dataset.letter;
    const alike = letter ? [...button.closest(".members").querySelectorAll(`figure[data-letter="${letter}"]`)] : [];
    const other = alike.find(each => each.closest(".member") !== member);
    const shown = [figure, ...(other ? [other] : [])].sort((a, b) => a.compareDocumentPosition(b) & 4 ? -1 : 1);
    dialog.replaceChildren(...shown.map(each => each.querySelector("img").cloneNode()), close);
    dialog.showModal();
  }));

  load();
  drawAll();
  select(0);
  for (const each of [bar, ...document.querySelectorAll(".keys, .decide, .out")]) each.hidden = false;
}
