"""Images on disk, the image table, splits, cache and loading."""
