"""Safety of a run: checkpoints, Ctrl-C, seeding."""
