"""Decoding: the bytes of a file to upright RGB pixels."""
