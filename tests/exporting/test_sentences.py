from pathlib import Path

from medvision.exporting.sentences import tell
from medvision.exporting.session import Exported

LABELS = {"images": 8, "largest_difference": 6e-7, "image": "a.png", "flips": 1, "failures": []}
DISC = {"mean": 0.99876, "lowest": 0.98, "image": "a.png"}
MASKS = {"images": 9, "dice": {"disc": DISC, "bar": {"mean": None, "lowest": None, "image": None}}, "failures": []}


def test_labels():
    one = Exported(Path("x.int8.onnx"), "int8", 1_230_000, {"prepared": LABELS, "original": LABELS}, 1234.5, 1.9)
    difference = "8 validation images, largest difference of a probability 6.0e-07, 1 other answers"
    assert tell(one) == [
        "exported: x.int8.onnx (int8, 1.2 MB, 1,234 images/s on this CPU (1.90 x fp32))",
        f"  prepared images: {difference}",
        f"  original images: {difference}",
    ]


def test_masks_of_a_folder_without_a_graph():
    one = Exported(Path("x"), "fp32", 2_000_000, {"prepared": MASKS}, None, None)
    assert tell(one) == [
        "exported: x (fp32, 2.0 MB)",
        "  prepared images: 9 validation images, Dice of disc 0.9988 (lowest 0.9800)",
    ]


def test_what_failed_is_not_called_exported():
    legs = {"original": {**LABELS, "largest_difference": None, "failures": ["a probability is no number at a.png"]}}
    one = Exported(Path("x.onnx"), "fp32", 1, legs, 10.0, 1.0)
    assert one.failures == ["on original images a probability is no number at a.png"]
    first, second = tell(one)
    assert first == "not exported: x.onnx (fp32, 0.0 MB, 10 images/s on this CPU)"
    assert "largest difference of a probability no number" in second
