"""Batches: the order of samples, the loader's threads and processes, and where a run stands."""
