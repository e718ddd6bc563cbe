"""Kernels: the same numbers as torch's own operators, faster or in less memory."""
