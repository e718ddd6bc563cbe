"""Check: what is wrong with a set of images."""
