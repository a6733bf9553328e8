"""The files of an export, in every format and precision, each as something that can be asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from medvision.answering.exported import INPUT, OUTPUTS, OnnxNetwork, open_exported
from medvision.answering.inputs import Pixels
from medvision.answering.model import Member, Said
from medvision.answering.model_info import Precision
from medvision.exporting.description import describe_run
from medvision.exporting.formats import ENDINGS, PRECISIONS, Format
from medvision.exporting.huggingface import open_huggingface, write_huggingface
from medvision.exporting.onnx_file import add_info, write_onnx
from medvision.exporting.parity import Run
from medvision.exporting.quantising import write_int8
from medvision.exporting.source import Source
from medvision.exporting.torch_file import TorchProgram, write_torch
from medvision.models.windows import sliding_window

CALIBRATED = 256
"""So many training images, spread evenly over the split, tell the ranges of an int8 network."""


@dataclass(frozen=True, eq=False)
class Built:
    """A file or folder that was written.

    Args:
        path: of it.
        precision: of its network.
        member: asks it about prepared images.
        run: asks its graph about originals; None of a folder, which holds no graph.
    """

    path: Path
    precision: Precision
    member: Member
    run: Run | None


def build(source: Source, kind: Format, precisions: Sequence[Precision], folder: Path) -> list[Built]:
    """Write the files of a format, that in 32 bits first, asked for or not.

    Args:
        source: the run.
        kind: the format.
        precisions: of `PRECISIONS[kind]`.
        folder: where to.

    Raises:
        ModelError: a network that cannot be exported.
        RunError: the files of the run do not fit together.
    """
    built: list[Built] = []
    for precision in PRECISIONS[kind]:
        if precision != "fp32" and precision not in precisions:
            continue
        middle = "" if precision == "fp32" else f".{precision}"
        path = folder / f"{source.experiment.name}{middle}{ENDINGS[kind]}"
        built.append(_WRITERS[kind](source, path, precision, built))
    return built


def _write_onnx(source: Source, path: Path, precision: Precision, before: Sequence[Built]) -> Built:
    if precision == "int8":
        write_int8(before[0].path, path, source.squares("train", CALIBRATED))
    else:
        write_onnx(source.graph(half=precision == "fp16"), source.model.preparation.channels, path)
    add_info(path, describe_run(source.run, source.described, precision))
    # As `predict` opens it.
    member = open_exported(path).members[0]
    network = member.network
    assert isinstance(network, OnnxNetwork)
    names = [output.name for output in network.session.get_outputs()]

    def run(pixels: Pixels) -> Said:
        return dict(zip(names, network.session.run(names, {INPUT: pixels}), strict=True))

    return Built(path, precision, member, run)


def _write_torch(source: Source, path: Path, precision: Precision, before: Sequence[Built]) -> Built:
    write_torch(source.graph(half=precision == "fp16"), describe_run(source.run, source.described, precision), path)
    program = TorchProgram(path)
    decision = replace(source.model.members[0].decision, temperature=1.0)
    return Built(path, precision, Member(ProgramNetwork(program, source), decision), program)


def _write_huggingface(source: Source, path: Path, precision: Precision, before: Sequence[Built]) -> Built:
    write_huggingface(path, source.run, describe_run(source.run, source.described, precision))
    return Built(path, precision, open_huggingface(path).members[0], None)


_WRITERS = {"onnx": _write_onnx, "torch": _write_torch, "huggingface": _write_huggingface}


class ProgramNetwork:
    """A .pt2 file as `answering.model.Network`.

    Args:
        program: the file.
        source: whose network it is.
    """

    def __init__(self, program: TorchProgram, source: Source) -> None:
        self.program, self.source = program, source

    def ask(self, pixels: Pixels) -> Said:
        """What it says of prepared images (B, C, S, S) uint8; of windows, images (B, C, H, W) of any size."""
        preparation, task = self.source.model.preparation, self.source.reference.task
        if preparation.fit != "none":
            said = self.program(pixels)
            return {OUTPUTS[name]: values for name, values in said.items() if name in OUTPUTS}

        def maps(windows: Tensor) -> Tensor:
            return torch.from_numpy(self.program(windows.numpy())["mask_probabilities"])

        whole = sliding_window(maps, torch.from_numpy(pixels), preparation.size, task.window_overlap)
        return {"maps": whole.numpy()}
