"""Weights from a file or from the hub: found, matching, and never a silent failure."""

import logging
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import safetensors.torch
import torch
from huggingface_hub import constants, try_to_load_from_cache
from timm.models import adapt_input_conv
from torch import Tensor, nn

from medvision.errors import ModelError

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
CONNECT_SECONDS = 2.0
MATCHED_SHARE = 0.9
STATISTICS = ("running_mean", "running_var")
# What training scripts wrap a state dict in, in the order in which timm looks.
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
# timm's networks without a head write stages_0 for what the file calls stages.0.
FLATTENED = re.compile(r"^([a-z_]+)_(\d+)\.")


def read_weights(path: str) -> dict[str, Tensor]:
    """The tensors of a weight file, by name.

    Args:
        path: a .safetensors file, or what torch.save wrote of a state dict, alone or as the `state_dict` or `model`
            of a training script's file.

    Raises:
        ModelError: no such file, or it holds something else.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelError(f"model.pretrained: no such file {path}")
    try:
        if file.suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(f"model.pretrained: {path} cannot be read as weights: {reason}") from error
    state = content
    if isinstance(content, dict):
        state = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), content)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"model.pretrained: {path} holds no state dict (names with tensors)")
    return state


def require_hub_weights(name: str, cfg: Any) -> None:
    """Refuse at once what would fail after a long wait: weights neither in the local cache nor within reach.

    Args:
        name: of the network, for the message.
        cfg: timm's pretrained configuration.

    Raises:
        ModelError: how to go on without the network.
    """
    if cfg is None or not (cfg.hf_hub_id or cfg.url or cfg.file):
        raise ModelError(f"model.pretrained: nobody has published weights for {name}; write `pretrained: false`")
    cached = cfg.hf_hub_id and any(isinstance(try_to_load_from_cache(cfg.hf_hub_id, file), str) for file in HUB_FILES)
    if not cached:
        require_hub(name)


def require_hub_revision(name: str, repository: str, revision: str) -> None:
    """The same for weights that segmentation-models-pytorch keeps on the hub.

    Args:
        name: of the encoder, for the message.
        repository: on the hub.
        revision: the commit that is asked for.

    Raises:
        ModelError: how to go on without the network.
    """
    files = ("config.json", HUB_FILES[0])
    if not all(isinstance(try_to_load_from_cache(repository, file, revision=revision), str) for file in files):
        require_hub(name)


def require_hub(name: str) -> None:
    """Refuse to wait for a hub that is out of reach.

    Raises:
        ModelError: how to go on without the network.
    """
    if constants.HF_HUB_OFFLINE or not _reachable():
        raise ModelError(
            f"model.pretrained: no network and no cached weights for {name}; give a file "
            f"(`pretrained: weights/{name}.safetensors`), or write `pretrained: false`"
        )


def _reachable() -> bool:
    """Whether the hub, or the proxy on the way to it, accepts a connection."""
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    address = urlsplit(proxy or constants.ENDPOINT)
    try:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), CONNECT_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def load_named(network: nn.Module, path: str, name: str, head: tuple[str, ...] = ()) -> None:
    """Fill a network from a file that calls its tensors as the network does.

    Args:
        network: for one or more channels; a first layer for three is adapted as timm does, for one by their sum.
        path: of the file.
        name: of the network, for the messages.
        head: names of the classifier, which stays as it is.

    Raises:
        ModelError: the file cannot be read or does not fit.
    """
    state = {key.removeprefix("module."): tensor for key, tensor in read_weights(path).items()}
    body = body_tensors(network, head)
    if unfit := _unfit_names(body, state):
        raise misfit(path, name, body, unfit, state)
    network.load_state_dict(network.state_dict() | {key: state[key] for key in body})


def load_twin(
    path: str, name: str, build: Callable[[bool], nn.Module], head_of: Callable[[nn.Module], tuple[str, ...]]
) -> nn.Module:
    """A timm network with the weights of a file, none of them left out unnoticed.

    Args:
        path: of the file.
        name: of the network, for the messages.
        build: makes the network, with the file's weights (true) or without.
        head_of: names of the classifier, which the file need not have.

    Raises:
        ModelError: the file cannot be read or does not fit.
    """
    state = read_weights(path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untouched = build(False)
        torch.manual_seed(0)
        head = head_of(untouched)
        try:
            with _unheard():
                loaded = build(True)
        except (RuntimeError, KeyError, AttributeError) as error:
            own = {FLATTENED.sub(r"\1.\2.", key): value for key, value in body_tensors(untouched, head).items()}
            if unfit := _unfit_names(own, state):
                raise misfit(path, name, own, unfit, state) from error
            reason = str(error).strip().splitlines()[-1].strip()
            raise ModelError(f"model.pretrained: {path} does not fit {name}: {reason}") from error
    require_match(path, name, loaded, untouched, state, head)
    return loaded


@contextmanager
def _unheard() -> Iterator[None]:
    """Timm only logs which tensors of a file it has no use for, such as the head: `require_match` judges instead."""
    logger = logging.getLogger("timm.models._builder")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _unfit_names(body: dict[str, Tensor], state: dict[str, Tensor]) -> list[str]:
    """Names that the file lacks or has in another shape, once its first layer is adapted to our channels."""
    first = next((key for key, tensor in body.items() if tensor.ndim == 4), None)
    if first in state and state[first].ndim == 4 and state[first].shape[1] == 3:
        state[first] = adapt_input_conv(body[first].shape[1], state[first])
    return [key for key, value in body.items() if key not in state or state[key].shape != value.shape]


def require_match(
    path: str, name: str, loaded: nn.Module, untouched: nn.Module, state: dict[str, Tensor], head: tuple[str, ...]
) -> None:
    """Refuse weights that leave a part of the network as it was drawn.

    Names in a file need not be the network's own, timm translates many. So the network is compared with a twin that
    has the same random first weights: a tensor that is still the same was not loaded. Every tensor drawn at random
    must have changed. Constants, such as the scale of a norm, may stay now and then, for they can be learned so.

    Args:
        path: of the file, for the message.
        name: of the network, for the message.
        loaded: the network with the weights.
        untouched: its twin without.
        state: what the file holds.
        head: names of the classifier, which is new on purpose.

    Raises:
        ModelError: how many tensors were taken, the first that were not, and what the file has instead.
    """
    before, after = body_tensors(untouched, head), loaded.state_dict()
    missing = [key for key, tensor in before.items() if torch.equal(tensor, after[key])]
    drawn = any(not bool((before[key] == before[key].flatten()[0]).all()) for key in missing)
    if drawn or len(before) - len(missing) < MATCHED_SHARE * len(before):
        raise misfit(path, name, before, missing, state)


def body_tensors(network: nn.Module, head: tuple[str, ...]) -> dict[str, Tensor]:
    """What a weight file has to bring: all that is learned, and batch-norm statistics, but for the head."""
    learned = {key: value.detach() for key, value in network.named_parameters() if value.requires_grad}
    statistics = {key: value for key, value in network.named_buffers() if key.endswith(STATISTICS)}
    parts = tuple(f"{part}." for part in head)
    return {key: value for key, value in (learned | statistics).items() if value.numel() and not key.startswith(parts)}


def misfit(
    path: str, name: str, expected: dict[str, Tensor], missing: list[str], state: dict[str, Tensor]
) -> ModelError:
    """The error for a file that does not fit: counts, the first missing names, the first foreign ones."""
    line = (
        f"model.pretrained: {path} does not fit {name}: {len(expected) - len(missing)} of {len(expected)} tensors were "
        f"taken, not {_first(missing)}"
    )
    wrong_shape = [key for key in missing if key in state and state[key].shape != expected[key].shape]
    if wrong_shape:
        key = wrong_shape[0]
        return ModelError(f"{line}; {key} is {tuple(state[key].shape)}, not {tuple(expected[key].shape)}")
    foreign = [key for key in state if key not in expected and not key.endswith("num_batches_tracked")]
    return ModelError(line + (f"; the file has {_first(foreign)}" if foreign else ""))


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
