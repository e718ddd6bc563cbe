"""Numbers of a prediction table: scores, intervals, calibration, thresholds, comparison; no torch."""
