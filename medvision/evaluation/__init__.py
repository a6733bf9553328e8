"""From the prediction table to metrics with intervals. Neither torch nor pictures."""
