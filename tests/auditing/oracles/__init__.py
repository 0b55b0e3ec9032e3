"""Models whose answer is known exactly: what an audit of each must say, check by check."""
