"""Weights from a file or from the hub: found, matching, and never a silent failure."""

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import safetensors.torch
import torch
from huggingface_hub import constants, try_to_load_from_cache
from torch import Tensor, nn

from medvision.errors import ModelError

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
CONNECT_SECONDS = 2.0
MATCHED_SHARE = 0.9


def read_weights(path: str) -> dict[str, Tensor]:
    """The tensors of a weight file, by name.

    Args:
        path: a .safetensors file, or what torch.save wrote of a state dict.

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
    state = content.get("state_dict", content) if isinstance(content, dict) else content
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
    if cfg.hf_hub_id and any(isinstance(try_to_load_from_cache(cfg.hf_hub_id, file), str) for file in HUB_FILES):
        return
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


def require_match(path: str, loaded: nn.Module, untouched: nn.Module, head: tuple[str, ...]) -> None:
    """Refuse weights of which the network has taken up next to nothing.

    Names in a file need not be the network's own, timm translates many. So the network is compared with a twin that
    has the same random first weights: a tensor that is still the same was not loaded.

    Args:
        path: of the file, for the message.
        loaded: the network with the weights.
        untouched: its twin without.
        head: names of the classifier, which is new on purpose.

    Raises:
        ModelError: how many tensors matched, and the first that did not.
    """
    before = untouched.state_dict()
    names = [
        name
        for name, tensor in before.items()
        if not name.endswith("num_batches_tracked") and not (head and name.startswith(head)) and tensor.numel()
    ]
    after = loaded.state_dict()
    missing = [name for name in names if torch.equal(before[name], after[name])]
    if len(names) - len(missing) < MATCHED_SHARE * len(names):
        raise ModelError(
            f"model.pretrained: {path} does not fit: {len(names) - len(missing)} of {len(names)} tensors were taken, "
            f"not for instance {', '.join(missing[:3])}"
        )
