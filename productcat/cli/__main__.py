"""`python -m productcat.cli` is the program `productcat`."""

from productcat.cli.app import main

main()
