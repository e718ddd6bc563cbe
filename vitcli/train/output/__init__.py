"""Output of a run: predictions, metrics (CSV and wandb), and progress."""
