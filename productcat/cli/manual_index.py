"""What `productcat index ... --help` says."""

from productcat.cli.manual import EXIT_CODES

INDEX = (
    "A catalogue on disk, to which listings are added and in which likely duplicates of a new one are found at once."
)
ADD = f"""Put listings into an index; it is made if it is not there. A listing whose id is there already is replaced.

\b
  productcat index add catalogue --from listings.csv
  productcat index add catalogue --from listings.csv --resume
  cat listings.jsonl | productcat index add catalogue --from -

Listings are CSV, JSON Lines, Parquet, .lst, or a folder <label>/<name>.jpg, with columns as for predict. A listing
without a photo that can be read is left out, and what is there under its id stays. The run may be killed at any time:
what it has put in is there, and --resume passes over the ids that are.

{EXIT_CODES}"""
REMOVE = f"""Remove listings from an index, by their ids. Ids that are not there are named.

\b
  productcat index remove catalogue 17 18
  tail -n +2 sold.csv | cut -d, -f1 | productcat index remove catalogue -

{EXIT_CODES}"""
SEARCH = f"""Find the likely duplicates of a listing, or of a file of listings, in an index.

\b
One listing, by its photos:
  productcat index search catalogue front.jpg back.jpg
  productcat index search catalogue front.jpg -k 3 --json

\b
Many: each of the nearest becomes a line left,right,score, duplicate or not, best first, or with --json an object:
  productcat index search catalogue --from new.csv -k 1 --threshold 0.9
  cat new.jsonl | productcat index search catalogue --from - --json

The score is the probability of being the same item. What most listings of the index have in common, such as the
backdrop of one studio, counts for less; --no-adapt takes each pair as if it came from anywhere. A listing is not its
own duplicate: what is in the index under its id is passed over. For one listing, those are marked as a duplicate that
reach the threshold for as many listings as the index holds.

{EXIT_CODES}"""
STATS = f"""Count the listings and the photos of an index, and the bytes that it takes on disk.

\b
  productcat index stats catalogue
  productcat index stats catalogue --json

{EXIT_CODES}"""
