"""The graph as a program of `torch.export` (.pt2): for those who have torch and none of medvision.

`torch.export.load` is meant for files of people one trusts; medvision opens none but those it has just written.
"""

from pathlib import Path

import torch

from medvision.answering.inputs import Pixels
from medvision.answering.model import Said
from medvision.answering.model_info import KEY, ModelInfo
from medvision.exporting.graph import AnswerGraph
from medvision.exporting.onnx_file import cannot_export, dynamic_shapes, example_images

# What the tracer keeps of the source files that it came by, with their paths.
ORIGINS = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


def write_torch(graph: AnswerGraph, info: ModelInfo, path: Path) -> None:
    """Write a .pt2 file, whose extra file `medvision` tells what the network is.

    Args:
        graph: to be exported.
        info: of the run.
        path: of the file, ending in `.pt2`.

    Raises:
        ModelError: a network that cannot be exported.
    """
    example = example_images(graph, info.channels)
    try:
        program = torch.export.export(graph, (example,), dynamic_shapes=dynamic_shapes(graph), strict=False)
    except Exception as error:
        raise cannot_export("torch", error) from error
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            for key in ORIGINS:
                node.meta.pop(key, None)
    torch.export.save(program, path, extra_files={KEY: info.model_dump_json()})


class TorchProgram:
    """A .pt2 file that was just written, to be asked.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.module = torch.export.load(path).module()

    def __call__(self, pixels: Pixels) -> Said:
        """Outputs of the graph by name, for images (B, C, H, W) uint8."""
        with torch.inference_mode():
            return {name: values.numpy() for name, values in self.module(torch.from_numpy(pixels)).items()}
