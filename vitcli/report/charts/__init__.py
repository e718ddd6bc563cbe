"""Charts of a report, drawn by matplotlib: the only importer of it."""
