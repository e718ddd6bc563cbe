"""Search for better settings: a study of trials, each an ordinary run; no torch."""
