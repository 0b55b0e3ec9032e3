"""The `erlangen` command: parsing and printing only."""
