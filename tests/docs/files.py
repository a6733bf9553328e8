"""Blocks that are files: what they are called, and what kind of YAML they hold."""

import re
from pathlib import Path
from typing import Any

import yaml

from medvision.config import Experiment
from tests.docs.commands import commands_of, kind_of
from tests.docs.pages import Block, Page

FILE = re.compile(r"`([\w./-]+\.(?:ya?ml|py))`")
SWEEP = {"method", "parameters", "command"}


def name_of(block: Block, page: Page) -> str | None:
    """What a reader saves a block as; None of a program that is typed and of a part of an experiment file.

    The name is in its first line, in the paragraph above, in the settings, or in the next command that takes a file.
    """
    first = re.match(r"#\s*([\w./-]+\.(?:ya?ml|py))\s*$", block.text.partition("\n")[0])
    if first is not None:
        return first[1]
    if kind_of(block) != "yaml":
        return None
    kind = yaml_kind(block.text)
    ending = re.search(r"`([\w-]+\.ya?ml)`[^`]*$", block.before)
    named = [found for found in FILE.findall(block.before) if "/" not in found]
    if kind == "sweep":
        return named[0] if named else _next_file(block, page)
    if kind == "experiment":
        return ending[1] if ending else f"{yaml.safe_load(block.text)['name']}.yaml"
    return ending[1] if ending else None


def _next_file(block: Block, page: Page) -> str | None:
    later = [command for command in commands_of(page) if command.line > block.line]
    words = (word for command in later for word in command.words)
    return next((word for word in words if word.endswith(".yaml") and "/" not in word), None)


def yaml_kind(text: str) -> str:
    """`experiment`, `sweep` or `part` of an experiment file.

    Raises:
        ValueError: it is none of these.
    """
    keys = set(yaml.safe_load(text))
    if keys >= SWEEP:
        return "sweep"
    if keys >= {"data", "model"} and keys <= set(Experiment.model_fields):
        return "experiment"
    if keys <= set(Experiment.model_fields):
        return "part"
    raise ValueError(f"{', '.join(sorted(keys - set(Experiment.model_fields)))}: no sections of an experiment file")


def base_of(content: dict[str, Any]) -> Path:
    """The shipped experiment that a part of an experiment file is laid over: one of the same task."""
    task = content.get("model", {}).get("task", "classification")
    masks = task in ("segmentation", "multitask") or "mask" in str(content.get("data", {}))
    return Path("experiments") / ("tissue_three_class.yaml" if masks else "knee_sections.yaml")
