"""Division: which images are for train, val and test, by folder, fraction, fold and group."""
