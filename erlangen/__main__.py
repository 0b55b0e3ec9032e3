"""`python -m erlangen` is the `erlangen` command."""

from erlangen.cli import main

main()
