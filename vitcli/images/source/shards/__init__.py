"""Shards: pictures and their labels in tar files as WebDataset writes them, by an index of offsets."""
