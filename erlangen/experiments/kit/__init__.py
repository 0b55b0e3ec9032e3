"""What every experiment shares: typed tasks, sources of data, the rule for verdicts, panels of figures."""
