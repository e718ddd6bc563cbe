"""Are the maps true? Deletion and insertion curves, the pointing game, and the same of random maps."""
