"""A prediction table while it is written: its options, rows of earlier starts, sorting of its images; no torch."""
