"""The index: which files there are, their facts, and how they are divided into splits."""
