"""Probe: a head found by logistic regression on features that are computed once; also where fine-tuning begins."""
