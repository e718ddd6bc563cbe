"""What a run writes and says: predictions, metrics, progress."""
