from collections import Counter

import numpy as np
import onnx
import pytest

from medvision.exporting.onnx_file import write_onnx
from medvision.exporting.quantising import network_nodes, write_int8
from tests.exporting.networks import batched, draw_image, draw_network, open_file


@pytest.fixture(scope="module")
def quantised(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multitask")
    drawn = draw_network(folder, "multitask")
    write_onnx(drawn.graph, 1, folder / "x.onnx")
    batches = [drawn.preparation.inputs("x", draw_image(40 + k, 50, 1, k)) for k in range(4)]
    write_int8(folder / "x.onnx", folder / "y.onnx", batches)
    return drawn, folder


def test_only_the_network_is_chosen(quantised):
    model = onnx.load(quantised[1] / "x.onnx")
    chosen = set(network_nodes(model))
    kinds = {inside: Counter(n.op_type for n in model.graph.node if (n.name in chosen) == inside) for inside in (0, 1)}
    # Resizing, there and back, are two products of matrices each; maps and labels have a softmax each, and temperature.
    assert kinds[0]["MatMul"] == 4
    assert kinds[0]["Softmax"] == 3
    assert kinds[0]["Round"] == kinds[0]["ArgMax"] == 1
    assert not kinds[0].keys() & {"Conv", "Gemm"}
    assert kinds[1]["Conv"] > 10
    assert kinds[1]["Gemm"] == 1
    assert not kinds[1].keys() & {"Softmax", "Round", "ArgMax", "Range", "Where"}


def test_a_network_of_8_bits_is_a_quarter_as_large_and_says_nearly_the_same(quantised):
    drawn, folder = quantised
    assert (folder / "y.onnx").stat().st_size < 0.5 * (folder / "x.onnx").stat().st_size
    model = onnx.load(folder / "y.onnx")
    # All of it is standard ONNX, which other programs know.
    assert {node.domain for node in model.graph.node} == {""}
    weights = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.input[:1]}
    kinds = {tensor.data_type for tensor in model.graph.initializer if tensor.name in weights and len(tensor.dims) == 4}
    assert kinds == {onnx.TensorProto.INT8}
    ask = open_file(folder / "y.onnx")
    pixels = draw_image(41, 50, 1, 9)
    found, expected = ask(batched(pixels)), drawn.expected(pixels)
    assert found.keys() == expected.keys()
    difference = np.abs(found["probabilities"] - expected["probabilities"]).max()
    assert 0 < difference < 0.1
    assert found["mask"].shape == (1, 41, 50)


def test_one_odd_batch_does_not_set_the_ranges(quantised, tmp_path):
    """Ranges are means over batches: with grey ones beside a bright one the steps of the first layer become finer."""
    folder = quantised[1]
    bright, grey = (np.full((1, 1, 32, 32), value, np.uint8) for value in (255, 128))
    steps = []
    for batches in ([bright], [bright, grey, grey, grey]):
        write_int8(folder / "x.onnx", tmp_path / "z.onnx", batches)
        model = onnx.load(tmp_path / "z.onnx")
        first = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
        scale = next(tensor for tensor in model.graph.initializer if tensor.name == first.input[1])
        steps.append(float(onnx.numpy_helper.to_array(scale)))
    assert steps[1] == pytest.approx(steps[0] / 4, rel=0.05)
