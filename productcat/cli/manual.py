"""What `--help` says."""

EXIT_CODES = """\b
Exit codes:
  0    fine
  1    done, but without some rows or photos, which are named
  2    wrong usage
  3    the bundle, the input or the output cannot be used
  130  interrupted
  141  the reader of the output has closed it
"""
PROGRAM = f"Which category does a listing belong to? Answers from its photos and its title.\n\n{EXIT_CODES}"
PREDICT = f"""Tell the category of one listing, or of a file of listings.

\b
One listing:
  productcat predict boots.jpg --title "red leather boots"
  productcat predict front.jpg back.jpg
  productcat predict --title "red leather boots" --json

\b
Many: CSV, JSON Lines, Parquet, .lst (index, label, path), or a folder <label>/<name>.jpg:
  productcat predict --from listings.csv --to predictions.jsonl
  productcat predict --from listings.csv --to predictions.jsonl --resume
  cat listings.jsonl | productcat predict --from - --to - | head -n 1
  productcat predict --from stock.csv --to - --columns "title=headline, photo_pattern=photos/{{id}}.jpg"

Columns are id, title and photos (several separated by "|"); photos' paths start at the file's folder.
Each listing becomes a line of JSON. Rows that are no listing go to the side file, with number and reason.

{EXIT_CODES}"""
SHOW = f"""Print what a bundle is: what it knows, from where it assigns, its figures, its files.

\b
  productcat bundle show
  productcat bundle show my-bundle --json

{EXIT_CODES}"""
VERIFY = f"""Compare each file of a bundle with its checksum; each problem is a line.

\b
  productcat bundle verify
  productcat bundle verify my-bundle

{EXIT_CODES}"""
