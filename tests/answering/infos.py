"""What tells of an exported network that can be worked out by hand."""

from medvision.answering.model_info import ModelInfo
from medvision.evaluation.operating_point import UNCHANGED

SIZE = 8


def info(says=("probabilities",), **changes):
    """What tells of the network that says some of `probabilities`, `mask_probabilities` and `features`."""
    values = {
        "format": 1,
        "name": "fake",
        "identity": "0" * 64,
        "task": "classification",
        "question": "Is it bright?",
        "classes": ("dark", "bright") if "probabilities" in says else (),
        "multilabel": False,
        "mask_classes": ("background", "light") if "mask_probabilities" in says else (),
        "image_size": SIZE,
        "resize": "letterbox",
        "channels": 1,
        "tiles": None,
        "window_overlap": None,
        "batch_size": 4,
        "patients": 20,
        "decision": UNCHANGED.to_json(),
        "training_range": None,
        "pixel_spacing": None,
        "simulated": True,
        "precision": "fp32",
        "medvision": "0.1.0",
        "created": "2026-01-01T00:00:00+00:00",
        "licence": "CC0",
        "citation": "",
        "data": {},
        "metrics": {},
        "intended_use": "Research only; not for clinical use.",
        "experiment": {"trainer": {}, "model": {"task": "classification"}},
    }
    return ModelInfo.model_validate(values | changes)
