"""Networks: the only callers of timm and of segmentation-models-pytorch."""
