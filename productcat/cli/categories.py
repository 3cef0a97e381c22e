"""The commands `productcat categories list`, `add`, `replace` and `remove`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli import bad_rows, console, options
from productcat.cli.console import UsageError, command, complain
from productcat.errors import ListingError
from productcat.wording import counted, perhaps

if TYPE_CHECKING:
    from productcat.categories.categorizer import Categorizer
    from productcat.categories.definitions import Definition
    from productcat.listings.listing import Listing
    from productcat.problems import OnProblem, Problem

    Change = Callable[[Categorizer, OnProblem], tuple[str, list[str]]]

SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out categories, rows and files that cannot be used; they are named.")
]

app = console.group(
    "See and change the categories into which listings are put. No training is needed. Each change makes a new bundle "
    "and leaves the old one as it is."
)


@command(app, "list")
def show(bundle: options.Bundle = None, as_json: options.Json = False) -> None:
    """Print the categories of a bundle, one a line.

    For a category made of examples, a tab follows and the number of its examples: those with a photo, or those with a
    title if these are more.

    \b
      productcat categories list
      productcat categories list --bundle my-bundle --json
      productcat categories list | cut -f 1 | grep -i shirt
    """
    from productcat.categories.projections import CategoryProjections
    from productcat.models.bundle import Bundle

    opened = Bundle.open(bundle)  # not the models: they take a while, and are not asked
    known = CategoryProjections.load(opened.part("projections"))
    counts = dict(zip(known.categories, known.examples.tolist(), strict=True))
    if as_json:
        found = [{"name": name, "examples": count} for name, count in counts.items()]
        console.print_json({"bundle": str(opened.path), "categories": found}, indent=1)
    else:
        for name, count in counts.items():
            console.show(name + (f"\texamples: {count}" if count else ""))


@command(app)
def add(
    target: options.NewBundle,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE_OR_PHOTO", help="A file of categories, or a folder; with --name, photos of one."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The name of one category, without a file.")] = None,
    description: Annotated[str, typer.Option("--description", help="More words beside the name.")] = "",
    titles: Annotated[list[str] | None, typer.Option("--title", help="An example's title; may be repeated.")] = None,
    skip_bad: SkipBad = False,
    bundle: options.Bundle = None,
) -> int:
    """Add categories, or define known ones again, and write a new bundle.

    \b
    From a file:
      productcat categories add sports.toml --to sports-bundle
      productcat categories add sports.csv --to second-bundle --bundle sports-bundle

    \b
    One, from its name, titles and photos; each title and each photo is an example:
      productcat categories add --name Handbags --description "shoulder handbag" --to new-bundle
      productcat categories add --name "Yoga mats" --title "foam mat" mat-1.jpg mat-2.jpg --to mats-bundle

    A file of categories is TOML or CSV. Only the names are required:

    \b
      [[category]]                             category,description,title,photos
      name = "Yoga mats"                       Yoga mats,to roll out,foam mat,mat-1.jpg|mat-2.jpg
      description = "to roll out"              Yoga mats,,cork mat,mat-3.jpg
      photos = ["mat-1.jpg", "mat-3.jpg"]      Kettlebells,,,
      titles = ["foam mat"]
      [[category.examples]]
      title = "cork mat"
      photos = ["mat-2.jpg", "mat-3.jpg"]

    In TOML, each entry of photos and titles is an example, and each of examples is a listing. In CSV, each row is an
    example. Paths of photos are relative to the file's folder. A category without examples is made from its name and
    its description. Class folders are read too: <category>/<name>.jpg, each photo an example.

    A photo that cannot be read is named and left out; a category that has nothing else is an error. When anything is
    wrong, all of it is named and nothing is written. With --skip-bad the rest is written.
    """
    from productcat.categories.definitions import SUFFIXES, define, named

    mistakes: list[str] = []
    if name is None:
        options.refuse({"--description": description, "--title": titles}, "goes with --name")
        place, definitions = _only(sources), _read(_only(sources), mistakes, skip_bad)
    else:
        options.refuse({"--skip-bad": skip_bad}, "does not go with --name")
        files = [each for each in sources or () if Path(each).suffix.lower() in SUFFIXES]
        options.refuse(dict.fromkeys(files, True), "is a file, which does not go with --name")
        with named("--name"):
            place, definitions = "--name", [define(name, description, sources or (), titles or ())]

    def change(categorizer: Categorizer, on_problem: OnProblem) -> tuple[str, list[str]]:
        known = set(categorizer.categories)
        folded = {each.casefold(): each for each in known}
        with named(place):
            left_out = categorizer.add_categories(*_as_dicts(definitions), on_problem, skip_bad)
        made = [each.name for each in definitions if each.name not in left_out]
        for each in made:
            other = folded.setdefault(each.casefold(), each)
            if each not in known and other != each:
                complain(f"category {each!r}: new, beside {other!r}; to define that again, spell it the same")
        n_again = len(known.intersection(made))
        return f"{len(made) - n_again} new, {n_again} defined again", mistakes + left_out

    return _write(bundle, target, change)


def _read(source: str, mistakes: list[str], skip_bad: bool) -> list[Definition]:
    """Read a file of categories. With `skip_bad` what is wrong is said and added to the mistakes."""
    from productcat.categories.definitions import read_definitions

    def on_bad(mistake: str) -> None:
        complain(mistake)
        mistakes.append(mistake)

    return read_definitions(source, on_bad if skip_bad else None)


def _as_dicts(definitions: Sequence[Definition]) -> tuple[dict[str, tuple[Listing, ...]], dict[str, str]]:
    """Return the examples and the descriptions of categories, by name."""
    examples = {each.name: each.examples for each in definitions}
    return examples, {each.name: each.description for each in definitions}


def _only(sources: list[str] | None) -> str:
    """Return the file, where there is no --name."""
    from productcat.categories.definitions import SUFFIXES

    if not sources:
        raise UsageError("give a FILE of categories or a folder, or one category with --name")
    if len(sources) > 1:
        raise UsageError("give one FILE of categories; photos go with --name")
    if Path(sources[0]).suffix.lower() not in SUFFIXES and not Path(sources[0]).is_dir():
        ends = " or ".join(SUFFIXES)
        raise UsageError(f"{sources[0]}: a FILE of categories ends in {ends}; a photo goes with --name")
    return sources[0]


@command(app)
def replace(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file of categories, or a folder.")],
    target: options.NewBundle,
    skip_bad: SkipBad = False,
    bundle: options.Bundle = None,
) -> int:
    """Replace all categories by those in a file, and write a new bundle.

    \b
      productcat categories replace sports.toml --to only-sports-bundle
      productcat categories replace sports.csv --to less-sports-bundle --bundle only-sports-bundle
      productcat categories replace photos-by-category --to photos-bundle

    The file is TOML or CSV, as productcat categories add --help describes it. A folder has class folders,
    <category>/<name>.jpg. When anything is wrong, all of it is named and nothing is written. With --skip-bad the rest
    is written.
    """
    from productcat.categories.definitions import named

    mistakes: list[str] = []
    definitions = _read(source, mistakes, skip_bad)

    def change(categorizer: Categorizer, on_problem: OnProblem) -> tuple[str, list[str]]:
        n_before = len(categorizer.categories)
        with named(source):
            left_out = categorizer.replace_categories(*_as_dicts(definitions), on_problem, skip_bad)
        return f"instead of {n_before}", mistakes + left_out

    return _write(bundle, target, change)


@command(app)
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names of categories.")],
    target: options.NewBundle,
    bundle: options.Bundle = None,
) -> int:
    """Remove categories by name, as productcat categories list prints it, and write a new bundle.

    \b
      productcat categories remove Belts --to beltless-bundle
      productcat categories remove Belts Handbags --to small-bundle --bundle my-bundle
    """

    def change(categorizer: Categorizer, _: OnProblem) -> tuple[str, list[str]]:
        known, unwanted = categorizer.categories, dict.fromkeys(names)
        for name in unwanted:
            if name not in known:
                way_out = perhaps(name, known) or "see productcat categories list"
                raise ListingError(f"category {name!r}: not among the {len(known)} categories; {way_out}")
        if len(unwanted) == len(known):
            raise ListingError("no category would be left; productcat categories replace puts others in their place")
        for name in unwanted:
            categorizer.remove_category(name)
        return f"{len(unwanted)} removed", []

    return _write(bundle, target, change)


def _write(bundle: str | None, target: str, change: Change) -> int:
    """Load a bundle, change its categories, write it as a new one. → exit code

    change : takes a Categorizer, which it changes, and a callback for problems; returns words on what it did, and what
        was left out
    """
    from productcat.jobs.outputs import refuse_bundle

    refuse_bundle(target)  # before the models, which take a while
    from productcat.categories.categorizer import Categorizer

    side = bad_rows.StderrLog("")

    def on_problem(problem: Problem) -> None:
        if problem.listing is None:  # it is about a category
            complain(problem)
        else:
            side.add_problem(problem)

    categorizer = Categorizer.load(bundle)
    said, skipped = change(categorizer, on_problem)
    categorizer.save(target)
    done = f"{target}: {counted(len(categorizer.categories), 'category', 'categories')}, {said}"
    n_skipped = [f"{len(skipped)} left out, named above"] if skipped else []
    return console.sum_up(done, n_skipped + bad_rows.left_out(side))
