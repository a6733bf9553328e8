"""The network of an ONNX file in whole numbers of 8 bits; everything around it stays in floating-point numbers.

Static quantisation as ONNX Runtime does it: the range of every layer's outputs is measured on training images. On x86
processors without VNNI (Intel before 2019, AMD before 2022) its sums of two products may overflow: there, and there
alone, answers may be further off than those that were compared where the file was made.
Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference
(CVPR 2018); weights channel by channel.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from medvision.answering.exported import INPUT
from medvision.answering.inputs import Pixels

# Weights keep the names that they have in the graph's own module.
WEIGHTS = "task.network."
PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}


def write_int8(path: Path, target: Path, batches: Iterable[Pixels]) -> None:
    """Quantise the network of an ONNX file.

    Args:
        path: from `write_onnx`, in 32 bits.
        target: the file to be written, without metadata.
        batches: training images as the network sees them, (B, C, S, S) uint8.
    """
    model = onnx.load(path)
    nodes = network_nodes(model)
    # Shapes are inferred and batch norms are folded already: the exporter does what ONNX Runtime would ask for here.
    onnx.helper.set_model_props(model, PREPARED)
    quantize_static(
        model,
        target,
        _Batches(batches),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # The mean over the batches of their smallest and largest values: a single odd image makes no step coarse.
        extra_options={"CalibMovingAverage": True},
        nodes_to_quantize=nodes,
    )


def network_nodes(model: onnx.ModelProto) -> list[str]:
    """The names of the nodes between the first and the last weights of the network, these included.

    Resizing and normalisation come before, softmax, temperature and masks after.
    """
    nodes = model.graph.node
    weights = {tensor.name for tensor in model.graph.initializer if tensor.name.startswith(WEIGHTS)}
    below: set[str] = set()
    for node in nodes:
        if weights & set(node.input) or below & set(node.input):
            below |= set(node.output)
    chosen, above = [], set[str]()
    for node in reversed(nodes):
        if weights & set(node.input) or above & set(node.output):
            above |= set(node.input)
            if below & set(node.output):
                chosen.append(node.name)
    return chosen[::-1]


class _Batches(CalibrationDataReader):
    def __init__(self, batches: Iterable[Pixels]) -> None:
        self.batches: Iterator[Pixels] = iter(batches)

    def get_next(self) -> dict[str, Pixels] | None:
        batch = next(self.batches, None)
        return None if batch is None else {INPUT: batch}
