"""What `productcat evaluate --help` and `productcat duplicates evaluate --help` say."""

from productcat.cli.manual import EXIT_CODES

EVALUATE = f"""Measure a bundle on labelled listings, and write figures and a report with plots and photos.

\b
  productcat evaluate labelled.csv --to report
  productcat evaluate labelled.csv --to report-of-mine --bundle my-bundle --label shelf
  productcat evaluate stock.jsonl --to report-of-stock --columns "title=headline"

In the new folder, metrics.json holds the figures, and report.html, one file to open in a browser, shows them: photos,
title and both side by side, with intervals; whether confidences can be relied on; what thresholds mean in listings a
day; what is taken for what; what the title rescued and spoilt; the most confident mistakes, among which wrong labels
are; each category; how far these listings are from those of the training.

Labels are names of the bundle's categories (productcat categories list), in a column label, category or articleType, or
the one that --label names; other columns are as for predict, and a folder <label>/<name>.jpg will do. Take listings as
they come, and none that the models learnt from. A row without a label, a label that is no category and a photo that
cannot be read are named and left out; a listing without evidence counts as wrong. The plots need
matplotlib: pip install matplotlib.

{EXIT_CODES}"""
PAIRS = f"""Measure how well duplicates are told, on labelled pairs, and write figures and a report.

\b
  productcat duplicates evaluate pairs.csv --listings listings.csv --to report
  productcat duplicates evaluate pairs.csv --listings listings.csv --to strict-report --threshold 0.9 --no-adapt

PAIRS is CSV with the columns left, right and label: the ids of two listings, and 1 or yes for the same item, 0 or no
for different items. What productcat duplicates find writes is such a file, once somebody adds the labels; give find a
low --threshold, since what it leaves out cannot be missed here. LISTINGS are as for find, and the detector first learns
what all of them have in common, as find does, unless --no-adapt is given.

In the new folder, metrics.json holds the figures, and report.html shows precision and recall at every threshold, what
is found at the bundle's own, and the worst pairs with their photos. A pair of a listing that is not in LISTINGS is left
out. The plots need matplotlib: pip install matplotlib.

{EXIT_CODES}"""
