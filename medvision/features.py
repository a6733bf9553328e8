"""Features of every image of a data set, computed once and kept beside the decoded pixels."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from medvision.config.settings import Experiment
from medvision.data.cache import cache_folder, cache_key
from medvision.data.loading import ImageDataset
from medvision.datamodules.base import DataModule
from medvision.errors import ConfigError, DataError
from medvision.inference import load_best
from medvision.models.backbones import head_names
from medvision.models.embedding import Embedder, create_embedder
from medvision.runs import RunFolder
from medvision.tasks.base import Task
from medvision.tasks.baseline import BaselineTask

Features = npt.NDArray[np.float32]

# Of what is computed from pixels and weights; another number forgets what was kept.
VERSION = 1
SHOWN_FROM = 256


def run_embedder(experiment: Experiment, run: RunFolder, datamodule: DataModule) -> Embedder:
    """The best checkpoint of a run, without its head.

    Args:
        experiment: the resolved experiment.
        run: the run folder.
        datamodule: set up.

    Raises:
        RunError: there is no best checkpoint.
        ModelError: its network does not tell its features.
    """
    return task_embedder(load_best(experiment, run, datamodule))


def task_embedder(task: Task) -> Embedder:
    """The network of a task, without its head; of a baseline the frozen network behind it, where there is one."""
    if isinstance(task, BaselineTask) and task.network.features.embedder is not None:
        return task.network.features.embedder
    return Embedder(task.network, task.mean, task.std)


def frozen_embedder(experiment: Experiment, datamodule: DataModule, backbone: str | None, pretrained: Any) -> Embedder:
    """A backbone as it was published, which has learned from none of the images.

    Args:
        experiment: which images, and what to take where the next two say nothing.
        datamodule: set up.
        backbone: its name; None for that of the experiment.
        pretrained: true or the path of a weight file, false for random weights; None for those of the experiment.

    Raises:
        ConfigError: neither the arguments nor the experiment name a backbone and its weights.
        ModelError: an unknown name, or weights that are not to be had or do not fit.
    """
    name = backbone if backbone is not None else experiment.model.get("backbone")
    if name is None:
        raise ConfigError("the experiment names no backbone; name one with --backbone, such as --backbone resnet18")
    own = experiment.model.get("pretrained", False) if backbone is None else False
    weights = own if pretrained is None else pretrained
    if pretrained is None and not weights:
        raise ConfigError(
            f"the weights of {name} are not named, and random ones have seen nothing; give --pretrained FILE, or "
            "--pretrained true for the published ones (false for random ones in earnest)"
        )
    with torch.random.fork_rng(devices=[]):
        # Random weights are those of the seed, too.
        torch.manual_seed(experiment.seed)
        return create_embedder(str(name), weights, datamodule.channels, datamodule.image_size)


def image_features(datamodule: DataModule, embedder: Embedder, *, cached: bool = True) -> Features:
    """The features of all images of a data set, whatever their split; without augmentation.

    They are kept in the folder of the cache, under a name that pixels and weights decide: the same images and the same
    network are never computed twice.

    Args:
        datamodule: set up.
        embedder: what turns images into features; it stays where it is.
        cached: read features that are kept, and keep new ones.

    Returns:
        (N, F) float32, in the order of the image table.

    Raises:
        DataError: the cache cannot be written, or a network that gives numbers that are not finite.
    """
    path = features_file(datamodule, embedder)
    if cached and path.is_file():
        return np.asarray(np.load(path))
    found = _compute(datamodule, embedder)
    if not np.isfinite(found).all():
        raise DataError(f"{int((~np.isfinite(found).all(axis=1)).sum())} images have features that are not finite")
    if cached:
        _keep(path, found)
    return found


def features_file(datamodule: DataModule, embedder: Embedder) -> Path:
    """Where the features are kept."""
    images = zip(datamodule.image_table["image"], datamodule.inspection.digests, strict=True)
    description = {
        "features": VERSION,
        "images": list(map(list, images)),
        "reader": f"{type(datamodule).__module__}.{type(datamodule).__qualname__}",
        "pixels": [datamodule.image_size, datamodule.resize, datamodule.channels],
        "network": network_digest(embedder),
    }
    return cache_folder() / f"features-{cache_key(description)}.npy"


def network_digest(embedder: Embedder) -> str:
    """SHA-256 of what decides the features: layers and all numbers in them, but for the head, which is drawn anew."""
    head = tuple(f"network.{name}." for name in head_names(embedder.network))
    digest = sha256(repr(embedder).encode())
    tensors = [*embedder.named_parameters(), *embedder.named_buffers()]
    for name, tensor in sorted(tensors, key=lambda pair: pair[0]):
        if not name.startswith(head):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _compute(datamodule: DataModule, embedder: Embedder) -> Features:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = len(datamodule.image_table)
    images = ImageDataset(datamodule.pixels, np.arange(count), None)
    # Images that have kept their own sizes do not fit into one batch.
    size = 1 if datamodule.resize == "none" else datamodule.batch_size
    before = next(embedder.parameters()).device
    parts = []
    with tqdm(total=count, desc="features", unit="image", disable=count < SHOWN_FROM, file=sys.stderr) as bar:
        embedder.to(device)
        for start in range(0, count, size):
            items = [(0, position) for position in range(start, min(start + size, count))]
            parts.append(embedder(images.__getitems__(items)["image"].to(device)).cpu().numpy())
            bar.update(len(items))
    embedder.to(before)
    return np.concatenate(parts).astype(np.float32)


def _keep(path: Path, features: Features) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.save(file, features)
        part.replace(path)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {path}: {error.strerror or error}; set MEDVISION_CACHE to another folder"
        ) from error
