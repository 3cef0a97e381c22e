"""How the report of duplicates looks: the text of its style sheet."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f4f1; --card: #fff; --ink: #1c1c1a; --soft: #5d5d57; --line: #dcdcd5;
  --yes: #0b6b53; --no: #9a4a00; --bar: #7aa6c9; --track: #ecece6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161715; --card: #212320; --ink: #ecece6; --soft: #a9aaa2; --line: #3a3c38;
    --yes: #58c9a6; --no: #f0a35e; --bar: #3b6c94; --track: #30332f;
  }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--page); color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
.page, main { max-width: 100rem; margin: 0 auto; padding: 1rem; }
.page > * { max-width: 46rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin-bottom: .5rem; }
details { margin-top: .5rem; color: var(--soft); }
summary { cursor: pointer; }
main {
  display: grid; gap: 1rem; align-items: start; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr));
}
article { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem; }
article.below { border-style: dashed; }
article > header { display: grid; grid-template-columns: auto 1fr; gap: .2rem .8rem; align-items: baseline; }
h2 { font-size: 1rem; font-weight: 400; color: var(--soft); }
.score b { font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.badge { border: 1px solid; border-radius: 1rem; padding: .05rem .55rem; margin-left: .4rem; font-size: .85rem; }
.reported .badge { color: var(--yes); }
.below .badge { color: var(--no); }
.ruler { grid-column: 1 / -1; position: relative; height: .4rem; border-radius: .2rem; background: var(--track); }
.ruler i { display: block; height: 100%; border-radius: inherit; background: var(--yes); }
.below .ruler i { background: var(--no); }
.ruler s { position: absolute; top: -.25rem; bottom: -.25rem; width: 2px; background: var(--ink); }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: .8rem; margin-top: .7rem; }
.sides > :last-child { text-align: right; }
.sides > :last-child .others { justify-content: flex-end; }
.id { font-weight: 600; }
.title { font-size: .9rem; }
.none { color: var(--soft); font-style: italic; }
.match {
  display: grid; grid-template-columns: 1fr minmax(6rem, 26%) 1fr; gap: .6rem; align-items: center;
  border-top: 1px solid var(--line); margin-top: .7rem; padding-top: .7rem;
}
figure { min-width: 0; text-align: center; }
figure img {
  display: block; max-width: 100%; max-height: 11rem; margin: 0 auto; border-radius: .3rem;
  border: 1px solid var(--line);
}
figcaption {
  font-size: .75rem; color: var(--soft); overflow: hidden; white-space: nowrap; text-overflow: ellipsis;
  margin-top: .2rem;
}
.gone { color: var(--soft); font-size: .85rem; font-style: italic; }
dl { display: grid; gap: .35rem; font-size: .8rem; }
dt { color: var(--soft); }
dd { position: relative; background: var(--track); border-radius: .2rem; height: 1.15rem; }
dd i { display: block; height: 100%; border-radius: inherit; background: var(--bar); }
dd span { position: absolute; right: .3rem; top: 0; line-height: 1.15rem; font-variant-numeric: tabular-nums; }
.others { display: flex; flex-wrap: wrap; gap: .3rem; align-items: center; font-size: .8rem; color: var(--soft); }
.others img { height: 3rem; max-width: 5rem; object-fit: cover; border-radius: .2rem; border: 1px solid var(--line); }
@media print {
  :root {
    color-scheme: light;
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --yes: #0b6b53; --no: #9a4a00; --bar: #7aa6c9; --track: #ecece6;
  }
  main { display: block; padding: 0; }
  article { break-inside: avoid; margin-bottom: 1rem; }
  .ruler i, .ruler s, dd, dd i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details { display: none; }
}
"""
