"""The graph as an ONNX file, and an ONNX file as something that can be asked."""

from pathlib import Path

import onnx
import torch

from medvision.answering.exported import INPUT, MOST_BYTES
from medvision.answering.model_info import KEY, ModelInfo
from medvision.errors import ModelError
from medvision.exporting.graph import AnswerGraph

EXAMPLE = (2, 5, 9)
"""Images, and by how much they are higher and wider than the square: no size may be taken for another."""


def write_onnx(graph: AnswerGraph, channels: int, path: Path) -> None:
    """Write an ONNX file for batches of any number of images of any one size, without metadata.

    Nothing in it tells where or by what program it was made: the exporter leaves paths of source files at every node.

    Args:
        graph: to be exported.
        channels: of the images.
        path: of the file.

    Raises:
        ModelError: a network that cannot be exported, or that is too large.
    """
    example = example_images(graph, channels)
    names = list(graph(example))
    try:
        program = torch.onnx.export(
            graph,
            (example,),
            input_names=[INPUT],
            output_names=names,
            dynamic_shapes=dynamic_shapes(graph),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    except Exception as error:
        raise cannot_export("onnx", error) from error
    assert program is not None
    model = program.model_proto
    if model.ByteSize() > MOST_BYTES:
        raise ModelError(f"--format onnx: the network has {model.ByteSize() / 1e9:.1f} GB, an ONNX file holds 2 GB")
    sides = [side.dim_param or side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    wanted = [dynamic_shapes(graph)[0].get(k, side) for k, side in enumerate(example.shape)]
    if sides != [getattr(side, "__name__", side) for side in wanted]:
        raise ModelError(
            f"--format onnx: this network can be exported only for inputs of {sides}, not of any number and size"
        )
    _forget_origin(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def cannot_export(kind: str, error: Exception) -> ModelError:
    """What is told where the tracer of torch fails, whose messages fill a page."""
    cause = error if error.__cause__ is None else error.__cause__
    reason = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    return ModelError(f"--format {kind}: torch cannot export this network: {reason[:200]}; try another format")


def example_images(graph: AnswerGraph, channels: int) -> torch.Tensor:
    """Black images that a graph takes, uint8."""
    images, taller, wider = EXAMPLE
    sides = (graph.size, graph.size) if graph.fit == "none" else (graph.size + taller, graph.size + wider)
    return torch.zeros(images, channels, *sides, dtype=torch.uint8)


def dynamic_shapes(graph: AnswerGraph) -> tuple[dict[int, torch.export.Dim]]:
    """Which sides of the input may change; windows have one size."""
    sides = {} if graph.fit == "none" else {2: "height", 3: "width"}
    return ({side: torch.export.Dim(name) for side, name in {0: "batch", **sides}.items()},)


def _forget_origin(model: onnx.ModelProto) -> None:
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    parts = [model, model.graph, *model.graph.input, *model.graph.output, *model.graph.value_info]
    for part in [*parts, *model.graph.initializer, *model.functions, *nodes]:
        del part.metadata_props[:]
        part.doc_string = ""


def add_info(path: Path, info: ModelInfo) -> None:
    """Write into an ONNX file what its network is, in place of all metadata that it has."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {KEY: info.model_dump_json()})
    model.producer_name, model.producer_version = KEY, info.medvision
    path.write_bytes(model.SerializeToString())
