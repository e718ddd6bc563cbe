"""The command line: what the words mean, which verb they start, and what the user is told."""
