"""What keeps a run from being lost: checkpoints, Ctrl-C, seeding."""
