"""Layouts of labelled images on disk, one file each: a new one is a sibling to copy."""
