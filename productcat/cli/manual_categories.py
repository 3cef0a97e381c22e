"""What `productcat categories ... --help` says."""

from productcat.cli.manual import EXIT_CODES

CATEGORIES = (
    "The categories into which listings are put: see them, and change them without training. Each change makes a new "
    "bundle and leaves the old one as it is."
)
FILES = """A file of categories is TOML or CSV. Only the names must be there:

\b
  [[category]]                             category,description,title,photos
  name = "Yoga mats"                       Yoga mats,to roll out,foam mat,mat-1.jpg|mat-2.jpg
  description = "to roll out"              Yoga mats,,cork mat,mat-3.jpg
  photos = ["mat-1.jpg", "mat-3.jpg"]      Kettlebells,,,
  titles = ["foam mat"]
  [[category.examples]]
  title = "cork mat"
  photos = ["mat-2.jpg", "mat-3.jpg"]

In TOML each of photos and titles is an example of its own, and each of examples is a listing; in CSV each row is one.
Photos' paths start at the file's folder. A category without examples is made from its name and its description.
A photo that cannot be read is named and left out; a category that has nothing else is an error. When anything is wrong,
nothing is written."""
LIST = f"""Print the categories of a bundle, one a line; for those made of examples, after a tab, how many
have a photo, or a title if these are more.

\b
  productcat categories list
  productcat categories list --bundle my-bundle --json
  productcat categories list | cut -f 1 | grep -i shirt

{EXIT_CODES}"""
ADD = f"""Add categories, or define known ones anew, and write a new bundle.

\b
Those in a file:
  productcat categories add sports.toml --to sports-bundle
  productcat categories add sports.csv --to second-bundle --bundle sports-bundle

\b
One, from its name, from titles, from photos, each of which is an example:
  productcat categories add --name Handbags --description "shoulder handbag" --to new-bundle
  productcat categories add --name "Yoga mats" --title "foam mat" mat-1.jpg mat-2.jpg --to mats-bundle

{FILES}

{EXIT_CODES}"""
REPLACE = f"""Put the categories in a file in the place of all others, and write a new bundle.

\b
  productcat categories replace sports.toml --to only-sports-bundle
  productcat categories replace sports.csv --to less-sports-bundle --bundle only-sports-bundle

{FILES}

{EXIT_CODES}"""
REMOVE = f"""Remove categories, by their names as `categories list` has them, and write a new bundle.

\b
  productcat categories remove Belts --to beltless-bundle
  productcat categories remove Belts Handbags --to small-bundle --bundle my-bundle

{EXIT_CODES}"""
