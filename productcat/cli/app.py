"""The command line, put together: the program `productcat`."""

from typing import Annotated, NoReturn

import typer

from productcat import __version__
from productcat.cli import bundle, calibrate, categories, console, duplicates, evaluate, index, predict

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=console.EXIT_CODES,
)
app.add_typer(predict.app)  # without a name: a command, not a group
app.add_typer(bundle.app, name="bundle")
app.add_typer(calibrate.app)
app.add_typer(categories.app, name="categories")
app.add_typer(duplicates.app, name="duplicates")
app.add_typer(evaluate.app)
app.add_typer(index.app, name="index")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line on a list of arguments (by default the program's own), and exit."""
    console.run(app, arguments)


@app.callback(invoke_without_command=True)
def productcat(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Tell the category of a listing, and which listings are duplicates, from photos and titles."""
    if version:
        print(f"productcat {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
