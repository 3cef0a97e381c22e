"""What `productcat calibrate --help` says."""

from productcat.cli.manual import EXIT_CODES

CALIBRATE = f"""Fit a bundle's confidences to your marketplace, on labelled listings of it, and write a new bundle.

\b
  productcat calibrate labelled.csv --to my-bundle
  productcat calibrate labelled.csv --to strict-bundle --precision 0.98
  productcat calibrate labelled.csv --to tuned-bundle --bundle my-bundle --label shelf --json

Some hundred listings are good, 10 the fewest. Labels are names of the bundle's categories (productcat categories list),
in a column label, category or articleType, or the one that --label names; other columns are as for predict, and a
folder <label>/<name>.jpg will do. Take listings as they come, not easy ones, and none that the models learnt from. A
label that is no category, a photo that cannot be read and a listing without evidence are named and left out.

Models and categories stay as they are. Fitted are the temperatures, the share of the photos, the projections' floor and
how much each category is favoured, by how often it comes. With --precision a category is assigned from the lowest
confidence on at which this share of the assigned is right; without it the decision rules stay. The table compares
before and after; after, each listing is judged by what was fitted on others, so the figures are those to expect of
listings to come.

{EXIT_CODES}"""
