"""Networks of all kinds with random weights, as a run would have trained them, and what `predict` would say."""

from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch

from medvision.answering.inputs import Preparation
from medvision.config import load_experiment
from medvision.evaluation.temperature import temper
from medvision.exporting.graph import AnswerGraph
from medvision.torch_network import TorchNetwork
from medvision.training import build_task

TEMPERATURE = 1.7
LABELS = {"classes": ["a", "b", "c"], "mask_classes": [], "train_counts": [3, 3, 3], "train_pixels": []}
MASKS = {"classes": [], "mask_classes": ["rest", "disc", "bar"], "train_counts": [], "train_pixels": [9, 9, 9]}
BOTH = {**MASKS, "classes": ["a", "b"], "train_counts": [3, 3]}
# Model section, what the data are, size of the square.
KINDS = {
    "two_layer_cnn": ("{task: classification, backbone: two_layer_cnn}", LABELS, 32),
    "vgg_small": ("{task: classification, backbone: vgg_small}", LABELS, 32),
    "multilabel": ("{task: classification, backbone: two_layer_cnn}", {**LABELS, "multilabel": True}, 32),
    "efficientnet_lite": ("{task: classification, backbone: tf_efficientnet_lite0}", LABELS, 64),
    "vit": ("{task: classification, backbone: test_vit}", LABELS, 64),
    "unet": ("{task: segmentation, encoder: tu-test_resnet}", MASKS, 32),
    "unet_resnet18": ("{task: segmentation, encoder: resnet18}", MASKS, 48),
    "fpn": ("{task: segmentation, architecture: fpn, encoder: resnet18}", MASKS, 64),
    "deeplab": ("{task: segmentation, architecture: deeplabv3plus, encoder: resnet18}", MASKS, 64),
    "segformer": ("{task: segmentation, architecture: segformer, encoder: resnet18}", MASKS, 64),
    "multitask": ("{task: multitask, encoder: tu-test_resnet}", BOTH, 32),
}
ODD = ((45, 61), (33, 17), (7, 90), (32, 32), (130, 200))


@dataclass(frozen=True)
class Drawn:
    """A network with its graph."""

    network: TorchNetwork
    graph: AnswerGraph
    preparation: Preparation
    multilabel: bool

    def expected(self, pixels):
        """What `predict` says of an original (H, W) or (H, W, 3): outputs of the graph by name, (1, ...)."""
        said = self.network.ask(self.preparation.inputs("image", pixels))
        found = {}
        if "probabilities" in said:
            found["probabilities"] = temper(
                said["probabilities"].astype(np.float64), TEMPERATURE, multilabel=self.multilabel
            )
        if "maps" in said:
            found["mask_probabilities"] = self.preparation.restore(said["maps"], *pixels.shape[:2])[None]
            found["mask"] = found["mask_probabilities"].argmax(axis=1).astype(np.uint8)
        return found if "features" not in said else {**found, "features": said["features"]}


def draw_network(folder, kind, *options, fit="letterbox", channels=1, half=False):
    model, data, size = KINDS[kind]
    (folder / "x.yaml").write_text(
        f"name: x\ndata: {{name: folder, root: images, image_size: {size}}}\nmodel: {model}\n"
        "trainer: {accelerator: cpu, precision: 32-true}\n"
    )
    experiment = load_experiment([folder / "x.yaml"], list(options))
    shared = {"multilabel": False, "channels": channels, "image_size": size, "resize": fit, "train_images": 6}
    task = build_task(experiment, {**shared, **data})
    spread_statistics(task)
    network = TorchNetwork(task, experiment)
    multilabel = bool(data.get("multilabel"))
    graph = AnswerGraph(task, size=size, fit=fit, temperature=TEMPERATURE, multilabel=multilabel, half=half)
    return Drawn(network, graph, Preparation(size, fit, channels), multilabel)


def spread_statistics(task):
    """Batch norms with statistics of their own: folded into convolutions wrongly, they would show."""
    generator = torch.Generator().manual_seed(0)
    for module in task.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.6, 1.5, generator=generator)


def draw_image(height, width, channels, seed=0):
    """A smooth image, (H, W) or (H, W, 3): a grey level more or less must not show as it does in noise."""
    rows, columns = np.mgrid[:height, :width]
    planes = [127 + 60 * np.sin(rows / 9 + seed + k) + 60 * np.cos(columns / 7 - k) for k in range(channels)]
    image = np.stack(planes, axis=-1).clip(0, 255).astype(np.uint8)
    return image[..., 0] if channels == 1 else image


def batched(pixels):
    """An original as a graph takes it, (1, C, H, W)."""
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1)[None])


def check_outputs(drawn, ask, channels=1, sizes=ODD):
    """Of originals `ask` says what `predict` says to within a grey level; of prepared squares exactly that."""
    for number, (height, width) in enumerate(sizes):
        pixels = draw_image(height, width, channels, number)
        compare(ask(batched(pixels)), drawn.expected(pixels), 0.02)
        if drawn.preparation.fit != "none":
            square = drawn.preparation.inputs("image", pixels)
            prepared = np.ascontiguousarray(square[0].transpose(1, 2, 0).squeeze())
            compare(ask(square), drawn.expected(prepared), 5e-5)


def compare(found, expected, tolerance):
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name].shape == values.shape
        assert found[name].dtype == (np.uint8 if name == "mask" else np.float32)
        if name == "mask":
            assert (found[name] == values).mean() > 1 - tolerance
        else:
            scale = max(1.0, float(np.abs(values).max())) if name == "features" else 1.0
            np.testing.assert_allclose(found[name], values, atol=tolerance * scale * (5 if name == "features" else 1))


def open_file(path):
    """The graph of an ONNX file as a function of originals (B, C, H, W)."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda pixels: dict(zip(names, session.run(names, {"image": pixels}), strict=True))
