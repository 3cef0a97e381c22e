"""The commands `productcat categories list`, `add`, `replace` and `remove`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli import bad_rows, console, options
from productcat.cli.console import UsageError, command, complain
from productcat.errors import ListingError
from productcat.wording import counted, perhaps

if TYPE_CHECKING:
    from productcat.categories.categorizer import Categorizer
    from productcat.problems import OnProblem, Problem

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
        typer.Argument(metavar="FILE_OR_PHOTO", help="A file of categories; with --name, photos of that category."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The name of one category, without a file.")] = None,
    description: Annotated[str, typer.Option("--description", help="More words beside the name.")] = "",
    titles: Annotated[list[str] | None, typer.Option("--title", help="An example's title; may be repeated.")] = None,
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
    its description. A photo that cannot be read is named and left out; a category that has nothing else is an error.
    When anything is wrong, nothing is written.
    """
    from productcat.categories.definitions import SUFFIXES, define, named, read_definitions

    if name is None:
        options.refuse({"--description": description, "--title": titles}, "goes with --name")
        place, definitions = _only(sources), read_definitions(_only(sources))
    else:
        files = [each for each in sources or () if Path(each).suffix.lower() in SUFFIXES]
        options.refuse(dict.fromkeys(files, True), "is a file, which does not go with --name")
        with named("--name"):
            place, definitions = "--name", [define(name, description, sources or (), titles or ())]

    def change(categorizer: Categorizer, on_problem: OnProblem) -> str:
        known = set(categorizer.categories)
        folded = {each.casefold(): each for each in known}
        with named(place):
            for each in definitions:
                categorizer.add_category(each.name, each.examples, each.description, on_problem)
                other = folded.setdefault(each.name.casefold(), each.name)
                if each.name not in known and other != each.name:
                    complain(f"category {each.name!r}: new, beside {other!r}; to define that again, spell it the same")
        n_again = sum(each.name in known for each in definitions)
        return f"{len(definitions) - n_again} new, {n_again} defined again"

    return _write(bundle, target, change)


def _only(sources: list[str] | None) -> str:
    """Return the file, where there is no --name."""
    from productcat.categories.definitions import SUFFIXES

    if not sources:
        raise UsageError("give a FILE of categories, or one category with --name")
    if len(sources) > 1:
        raise UsageError("give one FILE of categories; photos go with --name")
    if Path(sources[0]).suffix.lower() not in SUFFIXES:
        ends = " or ".join(SUFFIXES)
        raise UsageError(f"{sources[0]}: a FILE of categories ends in {ends}; a photo goes with --name")
    return sources[0]


@command(app)
def replace(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file of categories.")],
    target: options.NewBundle,
    bundle: options.Bundle = None,
) -> int:
    """Replace all categories by those in a file, and write a new bundle.

    \b
      productcat categories replace sports.toml --to only-sports-bundle
      productcat categories replace sports.csv --to less-sports-bundle --bundle only-sports-bundle

    The file is TOML or CSV, as productcat categories add --help describes it. When anything is wrong, nothing is
    written.
    """
    from productcat.categories.definitions import named, read_definitions

    definitions = read_definitions(source)

    def change(categorizer: Categorizer, on_problem: OnProblem) -> str:
        n_before = len(categorizer.categories)
        with named(source):
            categorizer.replace_categories(
                {each.name: each.examples for each in definitions},
                {each.name: each.description for each in definitions},
                on_problem,
            )
        return f"instead of {n_before}"

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

    def change(categorizer: Categorizer, _: OnProblem) -> str:
        known, unwanted = categorizer.categories, dict.fromkeys(names)
        for name in unwanted:
            if name not in known:
                way_out = perhaps(name, known) or "see productcat categories list"
                raise ListingError(f"category {name!r}: not among the {len(known)} categories; {way_out}")
        if len(unwanted) == len(known):
            raise ListingError("no category would be left; productcat categories replace puts others in their place")
        for name in unwanted:
            categorizer.remove_category(name)
        return f"{len(unwanted)} removed"

    return _write(bundle, target, change)


def _write(bundle: str | None, target: str, change: Callable[[Categorizer, OnProblem], str]) -> int:
    """Load a bundle, change its categories, write it as a new one. → exit code

    change : takes a Categorizer, which it changes, and a callback for problems; returns words on what it did
    """
    from productcat.jobs.outputs import refuse_bundle

    refuse_bundle(target)  # before the models, which take a while
    from productcat.categories.categorizer import Categorizer

    side = bad_rows.StderrLog("")

    def on_problem(problem: Problem) -> None:
        if problem.listing is None:  # it is about a category, and nothing is left out
            complain(problem)
        else:
            side.add_problem(problem)

    categorizer = Categorizer.load(bundle)
    said = change(categorizer, on_problem)
    categorizer.save(target)
    done = f"{target}: {counted(len(categorizer.categories), 'category', 'categories')}, {said}"
    return console.sum_up(done, bad_rows.left_out(side))
