"""What a run can be exported as."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    # Only for its type: it brings pandas along, for which `--help` need not wait.
    from medvision.answering.model_info import Precision

Format = Literal["onnx", "torch", "huggingface"]
ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "huggingface": "-huggingface"}
"""Of the names of files; a Hugging Face folder is called so."""
PRECISIONS: "dict[Format, tuple[Precision, ...]]" = {
    "onnx": ("fp32", "fp16", "int8"),
    "torch": ("fp32", "fp16"),
    "huggingface": ("fp32",),
}
"""Of the network that a format can hold; 32 bits come first, for others are made of them or timed against them."""
EXTRAS: dict[Format, tuple[str, ...]] = {"onnx": ("onnx", "onnxruntime", "onnxscript")}
"""Packages that a format needs beside those that every run needs."""
PARITY, TABLE = "parity.json", "parity.csv"
"""In the folder `export` of a run: how far its exported files agree with it, together and image by image."""
