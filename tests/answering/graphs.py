"""ONNX files as `medvision.export` writes them, of a network that can be worked out by hand."""

import pytest

from tests.answering.infos import info

onnx = pytest.importorskip("onnx", reason="the extra onnx")
helper, FLOAT, BYTE, INT64 = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8, onnx.TensorProto.INT64


def make_graph(*says, gain=1.0, kind=FLOAT, name="image", given=BYTE):
    """Says `bright` by the mean grey value, masks what is bright, and sees the mean twice.

    Args:
        says: of `probabilities`, `mask_probabilities` and `features`; the first alone if none.
        gain: that the grey values are multiplied with.
        kind: type of the outputs.
        name: of the input.
        given: type of the input.
    """
    says = says or ("probabilities",)
    constants = [
        helper.make_tensor("scale", FLOAT, [], [gain / 255]),
        helper.make_tensor("one", FLOAT, [], [1.0]),
        helper.make_tensor("channel", INT64, [1], [1]),
        helper.make_tensor("sides", INT64, [2], [2, 3]),
    ]
    nodes = [
        helper.make_node("Cast", [name], ["pixels"], to=FLOAT),
        helper.make_node("Mul", ["pixels", "scale"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "channel"], ["grey"], keepdims=1),
        helper.make_node("ReduceMean", ["grey", "sides"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["one", "mean"], ["rest"]),
        helper.make_node("Sub", ["one", "grey"], ["dark"]),
    ]
    made = {
        "probabilities": (["rest", "mean"], ("B", 2)),
        "mask_probabilities": (["dark", "grey"], ("B", 2, "H", "W")),
        "features": (["mean", "mean"], ("B", 2)),
    }
    outputs = []
    for one in says:
        parts, shape = made[one]
        nodes.append(helper.make_node("Concat", parts, [f"{one}_float"], axis=1))
        nodes.append(helper.make_node("Cast", [f"{one}_float"], [one], to=kind))
        outputs.append(helper.make_tensor_value_info(one, kind, shape))
    image = helper.make_tensor_value_info(name, given, ("B", "C", "H", "W"))
    graph = helper.make_graph(nodes, "brightness", [image], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def write_graph(path, *says, model=None, about=None, **changes):
    """Write `make_graph`, or another model, with what `info` tells of it; `changes` are of the graph."""
    says = says or ("probabilities",)
    model = make_graph(*says, **changes) if model is None else model
    about = info(says) if about is None else about
    helper.set_model_props(model, {"medvision": about if isinstance(about, str) else about.model_dump_json()})
    onnx.save(model, path)
    return path
