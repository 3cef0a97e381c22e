"""The commands `productcat categories list`, `add`, `remove` and `replace`."""

from pathlib import Path
from typing import Annotated

import typer

from productcat.cli import bad_rows, console, manual_categories
from productcat.cli.console import FINE, SOME_BAD, BundleOption, UsageError, command, complain
from productcat.errors import ListingError
from productcat.wording import counted, perhaps

app = console.group(manual_categories.CATEGORIES)

ToOption = Annotated[str, typer.Option("--to", metavar="NEWBUNDLE", help="The new bundle, a directory to be made.")]


@app.command("list", help=manual_categories.LIST)
@command
def show(
    bundle: BundleOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
):
    """What `manual_categories.LIST` says."""
    from productcat.categories.projections import CategoryProjections
    from productcat.models.bundle import Bundle

    opened = Bundle.open(bundle)  # not the models: these take a while, and are not asked
    known = CategoryProjections.load(opened.part("projections"))
    counts = zip(known.categories, known.examples.tolist(), strict=True)
    found = [{"name": name, "examples": count} for name, count in counts]
    if as_json:
        console.print_json({"bundle": str(opened.path), "categories": found}, indent=1)
    else:
        for each in found:
            print(each["name"] + (f"\texamples: {each['examples']}" if each["examples"] else ""))


@app.command(help=manual_categories.ADD)
@command
def add(
    target: ToOption,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE_OR_PHOTO", help="A file of categories; with --name, photos of the one."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The name of one category, without a file.")] = None,
    description: Annotated[str, typer.Option("--description", help="More words beside the name.")] = "",
    titles: Annotated[list[str] | None, typer.Option("--title", help="An example's title; may be repeated.")] = None,
    bundle: BundleOption = None,
):
    """What `manual_categories.ADD` says."""
    from productcat.categories.definitions import SUFFIXES, define, named, read_definitions

    if name is None:
        console.refuse({"--description": description, "--title": titles}, "goes with --name")
        place, definitions = _only(sources), read_definitions(_only(sources))
    else:
        files = [each for each in sources or () if Path(each).suffix.lower() in SUFFIXES]
        console.refuse(dict.fromkeys(files, True), "is a file, which does not go with --name")
        with named("--name"):
            place, definitions = "--name", [define(name, description, sources or (), titles or ())]

    def change(categorizer):
        known = set(categorizer.categories)
        folded = {each.casefold(): each for each in known}
        with named(place):
            for each in definitions:
                categorizer.add_category(each.name, each.examples, description=each.description)
                other = folded.setdefault(each.name.casefold(), each.name)
                if each.name not in known and other != each.name:
                    complain(f"category {each.name!r}: new, beside {other!r}; to define that anew, write it alike")
        n_anew = sum(each.name in known for each in definitions)
        return f"{len(definitions) - n_anew} new, {n_anew} defined anew"

    return _write(bundle, target, change)


def _only(sources):
    """The file, where there is no --name."""
    from productcat.categories.definitions import SUFFIXES

    if not sources:
        raise UsageError("give a FILE of categories, or one category with --name")
    if len(sources) > 1:
        raise UsageError("give one FILE of categories; photos go with --name")
    if Path(sources[0]).suffix.lower() not in SUFFIXES:
        ends = " or ".join(SUFFIXES)
        raise UsageError(f"{sources[0]}: a FILE of categories ends in {ends}; a photo goes with --name")
    return sources[0]


@app.command(help=manual_categories.REPLACE)
@command
def replace(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A file of categories.")],
    target: ToOption,
    bundle: BundleOption = None,
):
    """What `manual_categories.REPLACE` says."""
    from productcat.categories.definitions import named, read_definitions

    definitions = read_definitions(source)

    def change(categorizer):
        n_before = len(categorizer.categories)
        with named(source):
            categorizer.replace_categories(
                {each.name: each.examples for each in definitions},
                descriptions={each.name: each.description for each in definitions},
            )
        return f"in the place of {n_before}"

    return _write(bundle, target, change)


@app.command(help=manual_categories.REMOVE)
@command
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Names of categories.")],
    target: ToOption,
    bundle: BundleOption = None,
):
    """What `manual_categories.REMOVE` says."""

    def change(categorizer):
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


def _write(bundle, target, change):
    """Load a bundle, change its categories, write it as a new one. → exit code

    change : function from a Categorizer to words on what it did
    """
    from productcat.jobs.outputs import refuse_bundle

    refuse_bundle(target)  # before the models, which take a while
    from productcat.categories.categorizer import Categorizer

    side = bad_rows.Spoken("")
    with bad_rows.told_to(side) as problems:
        categorizer = Categorizer.load(bundle)
        said = change(categorizer)
        categorizer.save(target)
    parts = [f"{target}: {counted(len(categorizer.categories), 'category', 'categories')}, {said}"]
    parts += bad_rows.troubles(len(problems), side)
    return complain("; ".join(parts), SOME_BAD if problems else FINE)
