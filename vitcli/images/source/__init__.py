"""Sources: where files lie, in a folder or in an archive."""
