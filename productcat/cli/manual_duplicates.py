"""What `productcat duplicates ... --help` says."""

from productcat.cli.manual import EXIT_CODES

DUPLICATES = "Do listings show the same physical item? Answers from their photos."
FIND = f"""Find the pairs of listings that show the same physical item.

\b
  productcat duplicates find listings.csv --to pairs.csv
  productcat duplicates find listings.csv --to pairs.csv --html report.html
  productcat duplicates find stock.csv --to pairs.jsonl --columns "title=headline, photo_pattern=photos/{{id}}.jpg"
  cat listings.jsonl | productcat duplicates find - --to - --threshold 0.3

LISTINGS is CSV, JSON Lines, Parquet, .lst, or a folder <label>/<name>.jpg, with columns as for predict. Each pair that
reaches the threshold becomes a line left,right,score, the best first; the score is the probability of being the same
item.

The report is one HTML file with the photos side by side, the most doubtful pairs first, also such as just miss the
threshold.

The more listings, the more look alike by chance. Of a thousand or more the last line tells, too, which threshold is as
strict among so many, and how many pairs reach it.

What most listings have in common, such as the backdrop of one studio, counts for less; --no-adapt takes each pair as if
it came from anywhere.

An interrupted run goes on when it is begun again: what it knows of the photos lies in <--to>.embeddings until it is
done.

{EXIT_CODES}"""
COMPARE = f"""Compare two sets of photos: how likely do they show the same physical item, and which photos match?

\b
  productcat duplicates compare front.jpg --with boots.jpg
  productcat duplicates compare front.jpg back.jpg --with boots.jpg photos/front.jpg
  productcat duplicates compare front.jpg --with - --json < photos/front.jpg

Each match is told with the names of the photos, how alike they are on each level of the image model (1 is the same, 0
no more alike than any two photos; higher levels tell of objects, lower ones of scenes), and how alike the pictures
themselves are, however turned or mirrored (copy).

{EXIT_CODES}"""
