"""Batches: the order of samples, the data loader's threads and worker processes, and the position of a run."""
