"""`python -m erlangen` is the `erlangen` command."""

from erlangen.cli.main import main

main()
