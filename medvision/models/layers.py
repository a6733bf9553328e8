"""Which layers learn, and how fast each."""

import difflib
from typing import Any, Literal

from timm.models import group_parameters
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from medvision.config.settings import OptimizerSettings
from medvision.errors import ModelError
from medvision.models.backbones import head_names


def set_trainable(network: nn.Module, trainable: Literal["all", "head", "decoder"] | list[str]) -> None:
    """Let only some parts of a network learn; batch norms of the others keep their statistics in training, too.

    Args:
        network: from `create_backbone` or `create_segmenter`.
        trainable: `all`; `head`; `decoder`, which is all but the encoder; or names of modules, such as
            `[layer2, layer3, layer4, fc]`.

    Raises:
        ModelError: the network has no such part, or the parts hold no weights.
    """
    if trainable == "all":
        return
    names = _named_parts(network, trainable) if isinstance(trainable, str) else tuple(trainable)
    modules = dict(network.named_modules())
    unknown = [name for name in names if name not in modules]
    if unknown:
        parts = [name for name, _ in network.named_children()]
        raise ModelError(
            *(
                f"model.trainable: the network has no part '{name}'; "
                + (f"did you mean '{near[0]}'? " if (near := difflib.get_close_matches(name, parts, 1)) else "")
                + f"its parts: {', '.join(parts)}"
                for name in unknown
            )
        )
    network.requires_grad_(False)
    for name in names:
        modules[name].requires_grad_(True)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        parts = [name for name, part in network.named_children() if any(True for _ in part.parameters())]
        raise ModelError(
            f"model.trainable: {', '.join(names) if names else 'an empty list'} leaves nothing to learn; "
            f"parts with weights: {', '.join(parts)}"
        )
    for module in _frozen_norms(network):
        module.register_forward_pre_hook(_hold_statistics)


def _named_parts(network: nn.Module, trainable: str) -> tuple[str, ...]:
    if trainable == "head":
        return head_names(network)
    return tuple(name for name, _ in network.named_children() if name != "encoder")


def _frozen_norms(network: nn.Module) -> list[nn.Module]:
    return [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.weight is not None and not module.weight.requires_grad
    ]


def _hold_statistics(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    # Lightning starts to fit without a call of train(), and warns of modules that are in eval mode by then: the mode
    # is set where it counts. A function of the module's own, so that the network can still be pickled and copied.
    if module.training:
        module.eval()


def drop_unused(network: nn.Module, outputs: Tensor | tuple[Tensor, ...]) -> None:
    """Replace the modules that outputs do not depend on; several devices would wait for their gradients in vain.

    Args:
        network: or a part of it.
        outputs: computed with gradients.
    """
    nodes: set[Any] = {output.grad_fn for output in (outputs if isinstance(outputs, tuple) else (outputs,))}
    seen: set[Any] = set()
    while nodes:
        node = nodes.pop()
        seen.add(node)
        nodes |= {following for following, _ in node.next_functions if following is not None} - seen
    used = {id(node.variable) for node in seen if hasattr(node, "variable")}
    dropped: tuple[str, ...] = ()
    for name, module in list(network.named_modules()):
        held = {id(parameter) for parameter in module.parameters()}
        if name and held and not held & used and not name.startswith(dropped):
            network.set_submodule(name, nn.Identity())
            dropped += (f"{name}.",)


def parameter_groups(network: Any, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """Parameters that learn, grouped by learning rate and weight decay.

    Biases, the weights of normalisation layers and what the network itself exempts, such as the position embeddings
    of a transformer, are not decayed. With `layer_decay` d, a layer that lies k layers
    before the output learns at lr · d^k (Bao et al., BEiT, ICLR 2022). timm's own function only notes that factor
    beside the learning rate, where torch's schedules do not see it.
    """
    layers = group_parameters(network, network.group_matcher(coarse=False), reverse=True)
    last = max(layers.values())
    exempt = set(network.no_weight_decay()) if hasattr(network, "no_weight_decay") else set()
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = last if settings.layer_decay is None else layers.get(name, last)
        decays = parameter.ndim > 1 and name not in exempt
        factor = 1.0 if settings.layer_decay is None else settings.layer_decay ** (last - layer)
        group = groups.setdefault(
            (layer, decays),
            {"params": [], "lr": settings.lr * factor, "weight_decay": settings.weight_decay if decays else 0.0},
        )
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]
