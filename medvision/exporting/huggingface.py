"""A folder as the Hugging Face Hub has it: weights without pickle, what builds the network, and a model card."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from medvision.answering.model import Member, Model
from medvision.answering.model_info import KEY, ModelInfo, read_info
from medvision.config import load_experiment
from medvision.config.registry import TASKS
from medvision.config.settings import Experiment
from medvision.errors import MedvisionError, ModelError
from medvision.evaluation.operating_point import Decision
from medvision.exporting.card import write_card
from medvision.inference import load_weights
from medvision.models.checkpoints import read_checkpoint
from medvision.models.segmenters import Segmenter
from medvision.models.small import SMALL
from medvision.runs import RunFolder, read_json, reads_run, write_json
from medvision.tasks.base import Task
from medvision.tasks.baseline import BaselineTask
from medvision.torch_network import TorchNetwork
from medvision.training import build_task

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
# Several times what the largest run has to tell.
MOST_CONFIG_BYTES = 50_000_000
# What a network is built of; how it was trained is not needed again.
BUILDS = ("task", "backbone", "architecture", "encoder")
RUNS_ON = ("accelerator", "precision")


def write_huggingface(folder: Path, run: RunFolder, info: ModelInfo) -> None:
    """Write `model.safetensors`, `config.json` and `README.md`; each appears complete or not at all.

    The weights have the names that timm and segmentation-models-pytorch know them by: what was trained from a timm
    network is loaded by timm itself, `timm.create_model("local-dir:FOLDER", pretrained=True)`.

    Args:
        folder: is made where it is not there; files of these names are replaced.
        run: whose network it is.
        info: of the run.

    Raises:
        ModelError: a baseline, or a task of the user's own, which no other could build again.
        RunError: the files of the run do not fit together.
    """
    task, settings = _trained(run)
    if isinstance(task, BaselineTask):
        raise ModelError(f"{run.path}: a baseline has no network to be handed on as tensors; hand on the run folder")
    if settings["task"] not in TASKS:
        raise ModelError(f"{run.path}: {settings['task']} is a class of your own, without which nobody could load it")
    folder.mkdir(parents=True, exist_ok=True)
    config = make_config(task, settings, info)
    # Laid out for convolutions, and without what two names share.
    tensors = {name: value.detach().contiguous().clone() for name, value in task.network.state_dict().items()}
    part = folder / f".{WEIGHTS}.part"
    part.unlink(missing_ok=True)
    safetensors.torch.save_file(tensors, part, metadata={"format": "pt"})
    part.replace(folder / WEIGHTS)
    write_json(folder / CONFIG, config)
    write_card(folder / CARD, run, info, config)


@reads_run
def _trained(run: RunFolder) -> tuple[Task, dict[str, Any]]:
    experiment = load_experiment([str(run.experiment)], [])
    task = build_task(experiment, read_json(run.environment)["data"], weights=False)
    load_weights(task, read_checkpoint(run.best), run)
    return task, experiment.model


def make_config(task: Task, settings: Mapping[str, Any], info: ModelInfo) -> dict[str, Any]:
    """`config.json`: what builds the network again, in timm's words or those of segmentation-models-pytorch.

    Args:
        task: with its weights.
        settings: the `model` section of the experiment.
        info: of the run; the temperature of its decision is not in the weights.
    """
    names = info.classes or info.mask_classes
    config: dict[str, Any] = {
        "architecture": str(settings.get("backbone", settings.get("architecture"))).partition(".")[0],
        **({"smp": _smp_arguments(task.network, settings, info)} if isinstance(task.network, Segmenter) else {}),
        "pretrained_cfg": {
            "input_size": [info.channels, info.image_size, info.image_size],
            "mean": list(task.mean),
            "std": list(task.std),
        },
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
    }
    if is_timm(settings):
        _add_timm(config, task.network, info)
    return {**config, KEY: info.model_dump(mode="json")}


def is_timm(settings: Mapping[str, Any]) -> bool:
    """Whether a `model` section names a network that timm builds whole."""
    return "backbone" in settings and settings["backbone"] not in SMALL


def _add_timm(config: dict[str, Any], network: nn.Module, info: ModelInfo) -> None:
    """What `timm.create_model` reads of a folder, after timm's `save_config_for_hf`."""
    known: Any = network.pretrained_cfg
    fixed = bool(known["fixed_input_size"])
    config["num_classes"], config["label_names"] = len(info.classes), list(info.classes)
    config["model_args"] = {"in_chans": info.channels, **({"img_size": info.image_size} if fixed else {})}
    config["pretrained_cfg"] |= {
        "num_classes": len(info.classes),
        "fixed_input_size": fixed,
        "crop_pct": 1.0,
        "first_conv": known["first_conv"],
        "classifier": known["classifier"],
    }


def _smp_arguments(network: Segmenter, settings: Mapping[str, Any], info: ModelInfo) -> dict[str, Any]:
    """The arguments of `segmentation_models_pytorch.create_model`."""
    arguments: dict[str, Any] = {
        "arch": settings["architecture"],
        "encoder_name": settings["encoder"],
        "encoder_weights": None,
        "in_channels": info.channels,
        "classes": len(info.mask_classes),
    }
    if network.label_classes:
        arguments["aux_params"] = {"classes": network.label_classes}
    return arguments if network.largest is None else {**arguments, "img_size": network.largest}


def open_huggingface(path: str | Path) -> Model:
    """The network of a folder that `write_huggingface` has written, or somebody who means harm.

    Two files are read, as plain values and as tensors; classes named there are those of medvision, timm and
    segmentation-models-pytorch alone.

    Args:
        path: of the folder.

    Raises:
        ModelError: in one line, why it cannot be asked.
    """
    folder = Path(path)
    config, text = _read_config(folder)
    info = read_info(json.dumps(config[KEY]), str(folder / CONFIG))
    weights = _content(folder, WEIGHTS)
    try:
        network = TorchNetwork(*_build(config, info, safetensors.torch.load(weights)))
    except MedvisionError as error:
        raise ModelError(*(f"{folder}: {line}" for line in error.lines)) from error
    except ValidationError as error:
        raise ModelError(f"{folder / CONFIG}: {KEY}.experiment: {_first_line(error)}") from error
    except Exception as error:
        raise ModelError(f"{folder}: {CONFIG} and {WEIGHTS} do not fit together: {_first_line(error)}") from error
    member = Member(network, Decision.from_json(info.decision), info.range, network)
    identity = sha256(text + sha256(weights).digest()).hexdigest()
    return info.to_model(member, folder.absolute().name, identity)


def _read_config(folder: Path) -> tuple[dict[str, Any], bytes]:
    text = _content(folder, CONFIG, MOST_CONFIG_BYTES)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{folder / CONFIG}: damaged, no JSON: {str(error)[:200]}") from error
    if not isinstance(config, dict) or KEY not in config:
        raise ModelError(
            f"{folder / CONFIG}: no model of medvision, it has no '{KEY}'; python -m medvision.export RUN --format "
            "huggingface writes one that has"
        )
    return config, text


def _content(folder: Path, name: str, most: int | None = None) -> bytes:
    file = folder / name
    if not file.is_file():
        raise ModelError(f"{file}: not there; expected {CONFIG} and {WEIGHTS} (weights in pickles are not read)")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{file}: is a link out of the folder; put the file in its place (from the Hub: hf download --local-dir)"
        )
    if most is not None and file.stat().st_size > most:
        raise ModelError(f"{file}: {file.stat().st_size:,} bytes; expected {most:,} at most")
    return file.read_bytes()


def _build(config: Mapping[str, Any], info: ModelInfo, tensors: Mapping[str, Tensor]) -> tuple[Task, Experiment]:
    """The task with its weights, and the experiment that says how it is asked."""
    asked = info.experiment
    model = {key: value for key, value in asked["model"].items() if key in BUILDS}
    if model["task"] not in TASKS or model["task"] != info.task or info.task == "baseline":
        raise ModelError(f"{CONFIG}: the task {str(model['task'])[:100]!r} is none that medvision builds")
    evaluation = {key: asked["evaluation"][key] for key in ("flips", "window_overlap")}
    experiment = Experiment.model_validate(
        {
            "name": info.name,
            "data": {"name": "folder"},
            "model": model,
            "trainer": {key: value for key, value in asked["trainer"].items() if key in RUNS_ON},
            "evaluation": evaluation,
        }
    )
    summary = {
        "classes": list(info.classes),
        "multilabel": info.multilabel,
        "mask_classes": list(info.mask_classes),
        "channels": info.channels,
        "image_size": info.image_size,
        "resize": info.resize,
        "train_images": 0,
        "train_counts": [],
        "train_pixels": [],
    }
    task = build_task(experiment, summary, weights=False)
    broken = [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelError(f"{WEIGHTS}: {broken[0][:100]} holds values that are no numbers")
    task.network.load_state_dict(dict(tensors))
    for name, buffer in (("mean", task.pixel_mean), ("std", task.pixel_std)):
        buffer.copy_(torch.tensor(config["pretrained_cfg"][name], dtype=torch.float32).view_as(buffer))
    return task, experiment


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
