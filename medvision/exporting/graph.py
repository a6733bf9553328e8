"""Everything between an original image and the answer as one module, ready to be exported."""

import copy

import torch
from torch import Tensor, nn

from medvision.answering.inputs import Fit
from medvision.evaluation.temperature import CLOSEST_TO_ONE, SMALLEST
from medvision.exporting.resizing import from_square, to_square
from medvision.tasks.base import Task
from medvision.tasks.segmentation import SegmentationTask
from medvision.torch_network import hook_features


class AnswerGraph(nn.Module):
    """Originals in, answers out: resizing, normalisation, network, temperature, and masks at the size of the original.

    Args:
        task: with its weights; a copy of it is taken, in 32 bits on the CPU.
        size: S, side of the square that the network sees.
        fit: how an image becomes the square. `none`: images are windows of S x S, and nothing is resized.
        temperature: of the run's decision.
        multilabel: a sigmoid each class.
        half: the network itself in 16 bits; everything around it stays in 32.
    """

    def __init__(
        self, task: Task, *, size: int, fit: Fit, temperature: float, multilabel: bool, half: bool = False
    ) -> None:
        super().__init__()
        self.task = copy.deepcopy(task).cpu().float().requires_grad_(False)
        # Files hold weights in their order of numbers; with channels last torch.export warns of every one.
        self.task.network.to(memory_format=torch.contiguous_format)
        self.size, self.fit, self.temperature, self.multilabel = size, fit, temperature, multilabel
        if isinstance(self.task, SegmentationTask):
            # Windows are cut, and united, by who asks.
            self.task.window_size = None
        if half:
            self.task.network = HalfNetwork(self.task.network)
        self.eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Answer for a batch of originals of one size.

        Args:
            image: (B, C, H, W) uint8.

        Returns:
            As far as the network has them: `probabilities` (B, K) float32, calibrated; `mask_probabilities` (B, M, H,
            W) float32, 0 where the network saw nothing; `mask` (B, H, W) uint8, the most probable class of each pixel;
            `features` (B, F) float32, what the head of the network is given, of an image that is predicted flipped,
            too, the mean over both.
        """
        squares = image if self.fit == "none" else to_square(image, self.size, self.fit)
        said, features = self._ask(squares)
        answer = {}
        if "probabilities" in said:
            answer["probabilities"] = temper(said["probabilities"], self.temperature, multilabel=self.multilabel)
        if "maps" in said:
            height, width = image.shape[-2:]
            maps = said["maps"] if self.fit == "none" else from_square(said["maps"], height, width, self.fit)
            answer["mask_probabilities"], answer["mask"] = maps, maps.argmax(dim=1).to(torch.uint8)
        if features:
            answer["features"] = torch.stack([one.float() for one in features]).mean(dim=0)
        return answer

    def _ask(self, squares: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """What the task says, and the features of each time that its network has looked."""
        network = self.task.network
        taken: list[Tensor] = []
        handle = hook_features(network.network if isinstance(network, HalfNetwork) else network, taken.append)
        try:
            return self.task.predict_rows(squares), taken
        finally:
            if handle is not None:
                handle.remove()


class HalfNetwork(nn.Module):
    """A network in 16 bits, whose inputs and outputs have 32.

    Args:
        network: is changed.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Outputs float32 for images float32."""
        outputs = self.network(images.half())
        return tuple(one.float() for one in outputs) if isinstance(outputs, tuple) else outputs.float()


def temper(probabilities: Tensor, temperature: float, *, multilabel: bool) -> Tensor:
    """What `evaluation.temperature.temper` does, on tensors.

    Args:
        probabilities: (B, K) float32 in [0, 1].
        temperature: positive; 1 changes nothing.
        multilabel: a sigmoid each class; otherwise a softmax.
    """
    if temperature == 1:
        return probabilities
    logs = probabilities.clamp(min=SMALLEST).log()
    if multilabel:
        return torch.sigmoid((logs - (1 - probabilities).clamp(min=CLOSEST_TO_ONE).log()) / temperature)
    return torch.softmax(logs / temperature, dim=1)
