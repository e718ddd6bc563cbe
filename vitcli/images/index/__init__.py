"""The index: which files there are, and their facts."""
