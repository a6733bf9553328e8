"""A run becomes a file that answers without medvision: from the original image to probabilities and masks."""
