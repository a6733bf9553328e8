"""A trained task as a network to be asked: arrays in, arrays out, in precision and on the device of the training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from medvision.answering.inputs import Pixels
from medvision.answering.model import Said
from medvision.config.settings import Experiment
from medvision.models.backbones import head_names
from medvision.models.baseline import BaselineNetwork
from medvision.models.grad_cam import grad_cam
from medvision.models.segmenters import Segmenter
from medvision.nodes import on_one_device
from medvision.tasks.base import Task
from medvision.training import build_trainer

GPU_ONLY = ("gpu", "cuda")


class TorchNetwork:
    """See `answering.model.Network` and `Explainer`.

    Args:
        task: with its weights; it is moved to the device that answers.
        experiment: whose `trainer` section says precision and device; without a GPU the CPU answers, in 32 bits where
            it cannot do with 16.

    Attributes:
        device: where it answers.
        precision: Lightning's plugin for it.
    """

    def __init__(self, task: Task, experiment: Experiment) -> None:
        # Lightning's own plugin, so that every precision is that of the run's prediction table.
        trainer = build_trainer(experiment.model_copy(update={"trainer": _one_device(experiment)}), [], [], 1)
        self.precision = trainer.precision_plugin
        self.device = trainer.strategy.root_device
        self.task = self.precision.convert_module(task).to(self.device).eval()

    def ask(self, pixels: Pixels) -> Said:
        """What the network says of inputs (B, C, S, S) uint8."""
        batch = torch.from_numpy(pixels).to(self.device)
        with torch.inference_mode(), self.precision.predict_step_context(), _features(self.task.network) as given:
            said = {name: _array(values) for name, values in self.task.predict_rows(batch).items()}
            features = given(len(pixels))
            return said if features is None else {**said, "features": _array(features)}

    def evidence(self, pixels: Pixels, classes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], list[bool]]:
        """Maps (B, S, S) float32 in [0, 1] of the evidence for a class of each input, and which are empty.

        Raises:
            ModelError: the network has no feature maps.
        """
        batch = torch.from_numpy(pixels).to(self.device)
        found = grad_cam(self.task.network, self.task.normalise(batch), torch.from_numpy(classes).to(self.device))
        return _array(found.maps), found.no_evidence.tolist()


def _one_device(experiment: Experiment) -> dict[str, Any]:
    alone = on_one_device(experiment.trainer)
    if torch.cuda.is_available():
        return alone
    if alone.get("accelerator") in GPU_ONLY:
        alone["accelerator"] = "cpu"
    if str(alone.get("precision", "")).startswith("16"):
        alone["precision"] = "32-true"
    return alone


def _array(values: Tensor) -> npt.NDArray[np.float32]:
    return np.asarray(values.float().cpu().numpy())


@contextmanager
def _features(network: nn.Module) -> Iterator[Callable[[int], Tensor | None]]:
    """Take what the head of a network is given while it answers, so that nothing is computed twice.

    Yields:
        Gives, after a batch of so many images, their features (B, F); None of a network that does not tell. Of an image
        that is predicted window by window it is the mean over the windows, of one that is predicted flipped, too, that
        over both.
    """
    taken: list[Tensor] = []

    def features(count: int) -> Tensor | None:
        if taken and all(len(part) == count for part in taken):
            return torch.stack(taken).mean(dim=0)
        return torch.cat(taken).mean(dim=0, keepdim=True) if taken and count == 1 else None

    handle = hook_features(network, taken.append)
    try:
        yield features
    finally:
        if handle is not None:
            handle.remove()


def hook_features(network: nn.Module, take: Callable[[Tensor], None]) -> Any:
    """Let somebody take the features (B, F) that the head of a network is given, whenever it answers.

    Args:
        network: a backbone, a segmenter or a baseline.
        take: is given them.

    Returns:
        The handle of the hook; None of a network that does not tell.
    """
    if isinstance(network, BaselineNetwork):
        return network.features.register_forward_hook(lambda module, given, found: take(_pooled(found)))
    if isinstance(network, Segmenter):
        return network.encoder.register_forward_hook(lambda module, given, found: take(_pooled(found[-1])))
    names = [name for name in head_names(network) if name in dict(network.named_modules())]
    if not names:
        return None
    return network.get_submodule(names[0]).register_forward_pre_hook(lambda module, given: take(_pooled(given[0])))


def _pooled(given: Tensor) -> Tensor:
    """Maps (B, F, H, W) or tokens (B, N, F) as features (B, F)."""
    if given.ndim == 4:
        given = given.mean(dim=(2, 3))
    return given.mean(dim=1) if given.ndim == 3 else given
