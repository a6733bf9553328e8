"""What an exported file tells, made up."""

from medvision.answering.model_info import ModelInfo
from medvision.evaluation.operating_point import Decision


def make_info(**changes):
    content = {
        "format": 1,
        "name": "drawn",
        "identity": "0" * 64,
        "task": "classification",
        "question": "",
        "classes": ("a", "b", "c"),
        "multilabel": False,
        "mask_classes": (),
        "image_size": 32,
        "resize": "letterbox",
        "channels": 1,
        "tiles": None,
        "window_overlap": None,
        "batch_size": 4,
        "patients": 3,
        "decision": Decision(temperature=1.7).to_json(),
        "training_range": None,
        "pixel_spacing": None,
        "simulated": True,
        "precision": "fp32",
        "medvision": "0",
        "created": "2026-01-01T00:00:00+00:00",
        "licence": "",
        "citation": "",
        "data": {},
        "metrics": {},
        "intended_use": "",
        "experiment": {},
    }
    return ModelInfo.model_validate({**content, **changes})
