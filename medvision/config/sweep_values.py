"""What a sweep has chosen for a run.

An agent writes its values on the command line as Python prints them; with their types they stand in a file that
`WANDB_SWEEP_PARAM_PATH` names.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from medvision.config.yaml_dialect import Loader
from medvision.errors import ConfigError

SWEEP_VARIABLES = ("WANDB_SWEEP_ID", "MEDVISION_SWEEP")
VALUES_VARIABLE = "WANDB_SWEEP_PARAM_PATH"


def in_sweep() -> bool:
    """Whether this process runs one of the runs of a sweep."""
    return any(os.environ.get(name) for name in SWEEP_VARIABLES)


def sweep_values() -> dict[str, Any]:
    """The values that a sweep has chosen for this run, `{parameter: value}`; empty outside a sweep.

    They are read as an experiment file is: the text `1e-5`, which is all that PyYAML makes of a number without a dot in
    a sweep file, is the number, and `None` is null.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = os.environ.get(VALUES_VARIABLE)
    if not path:
        return {}
    try:
        content = yaml.load(Path(path).read_bytes(), Loader)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ConfigError(f"{path}: the values of the sweep ({VALUES_VARIABLE}) cannot be read: {reason}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: the values of the sweep ({VALUES_VARIABLE}): expected '<name>: {{value: …}}' lines")
    # Beside the parameters stand keys of W&B's own: `wandb_version: 1` and `_wandb: {...}`.
    entries = {name: entry for name, entry in content.items() if isinstance(entry, dict) and "value" in entry}
    return {str(name): entry["value"] for name, entry in entries.items() if not str(name).startswith("_")}


def check_all_passed(argv: Sequence[str]) -> None:
    """Refuse a command that a sweep has started without all of its parameters: its runs would not differ in them.

    Raises:
        ConfigError: the parameters that are missing.
    """
    given = {word.removeprefix("--").partition("=")[0] for word in argv if word.startswith("--")}
    missing = [name for name in sweep_values() if name not in given]
    if missing:
        raise ConfigError(
            f"the sweep has chosen {', '.join(missing)}, but its command does not pass it on: "
            "write \"${args}\" as the last item of 'command' in the sweep file"
        )


def contradictions(options: Sequence[str], chosen: Mapping[str, Any]) -> list[str]:
    """A line for every parameter of the sweep that the options also set to something else.

    Args:
        options: each `--section.key=value`.
        chosen: what the sweep has chosen, `{parameter: value}`.
    """
    texts: dict[str, list[str]] = {}
    for option in options:
        key, _, text = option.removeprefix("--").partition("=")
        if key in chosen and text not in texts.setdefault(key, []):
            texts[key].append(text)
    return [
        f"sweep parameter {key}: is set to {' and to '.join(values)}; leave --{key} out, the sweep chooses it"
        for key, values in texts.items()
        if len(values) > 1
    ]
