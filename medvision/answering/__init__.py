"""A trained network answers for images that belong to no data set; nothing in here needs torch."""
