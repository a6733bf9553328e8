"""From files and options to an Experiment with all defaults filled in, or to all mistakes at once."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from medvision.config.layers import read_layers
from medvision.config.mistakes import Mistake, explain, to_lines
from medvision.config.plugins import KINDS, find_parameters, is_name, resolve_section
from medvision.config.settings import Experiment, SplitSettings
from medvision.config.suggestions import suggest
from medvision.config.sweep_values import in_sweep
from medvision.config.trainer import RESERVED, TrainerArguments
from medvision.config.yaml_dialect import Dumper
from medvision.config.yaml_file import Location
from medvision.errors import ConfigError

FROM_DATA = "the data set knows it"
# Settings that people look for in a section where they cannot be given, and where they come from.
LINKED_SETTINGS: Mapping[Location, str] = {
    ("data", "classes"): FROM_DATA,
    ("data", "mask_classes"): "they are the names in 'data.mask_values'",
    ("data", "num_classes"): FROM_DATA,
    ("data", "seed"): "it is 'seed' at the top of the file",
    ("data", "split"): "it is the section 'split' of the file",
    ("model", "channels"): "it is 'data.channels'",
    ("model", "class_names"): FROM_DATA,
    ("model", "classes"): FROM_DATA,
    ("model", "dataset"): FROM_DATA,
    ("model", "encoder_weights"): "it is 'model.pretrained'",
    ("model", "in_channels"): "it is 'data.channels'",
    ("model", "num_classes"): FROM_DATA,
    ("model", "optimizer"): "it is the section 'optimizer' of the file",
    ("model", "schedule"): "it is the section 'schedule' of the file",
    ("model", "seed"): "it is 'seed' at the top of the file",
}


def load_experiment(files: Sequence[str | Path], overrides: Sequence[str]) -> Experiment:
    """Read an experiment from files and from options such as `--optimizer.lr=3e-4`.

    Later files win over earlier ones and options over files, setting by setting; a list is replaced as a whole.
    A layer that changes `data.name`, `model.task` or `schedule.name` starts that section anew: the settings of the
    earlier layers belong to another class. The order of the options among each other does not matter for this.
    In the files, `${NAME}` and `${NAME:-default}` are environment variables.

    Args:
        files: YAML files, lowest layer first.
        overrides: options, each `--section.key=value`.

    Raises:
        ConfigError: all mistakes, one line each, with file and line or with the option.
    """
    layers = read_layers(files, overrides)
    values = layers.values
    resolved = dict(values)
    unknown = partial(_unknown, {section: _settings_of(values, section) for section in Experiment.model_fields})
    mistakes: list[Mistake] = []
    for section in ("data", "model"):
        if isinstance(values.get(section), dict):
            resolved[section], found = resolve_section(section, values[section], unknown)
            mistakes += found
    if isinstance(values.get("trainer"), dict):
        mistakes += _check_trainer(values["trainer"], unknown)
    try:
        experiment = Experiment.model_validate_json(json.dumps(resolved), strict=True)
    except ValidationError as error:
        mistakes += explain(error, resolved, unknown)
    else:
        mistakes += _check_split(experiment.split)
    if mistakes:
        raise ConfigError(*to_lines(mistakes, layers))
    if experiment.evaluation.test is None:
        evaluation = experiment.evaluation.model_copy(update={"test": not in_sweep()})
        experiment = experiment.model_copy(update={"evaluation": evaluation})
    return experiment


def show(experiment: Experiment) -> str:
    """The whole experiment as the text of a file that `load_experiment` reads back as the same experiment."""
    values = _escape(experiment.model_dump(mode="json"))
    return yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


def _escape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def _check_split(split: SplitSettings) -> list[Mistake]:
    """What no single setting shows, found here before a table is read."""
    folds = split.folds if split.fold_by is None else None
    if isinstance(folds, int) and split.fold is not None and split.fold >= folds:
        return [Mistake(("split", "fold"), f"{split.fold} is none of the folds 0 to {folds - 1}")]
    if split.inner_fold is not None and split.fold is None:
        return [Mistake(("split", "inner_fold"), "it is a fold of what split.fold leaves; give split.fold too")]
    if split.inner_fold is not None and split.inner_fold >= split.inner_folds:
        last = split.inner_folds - 1
        return [Mistake(("split", "inner_fold"), f"{split.inner_fold} is none of the inner folds 0 to {last}")]
    if split.fold is None and split.val + split.test >= 1:
        return [Mistake(("split", "val"), f"{split.val:g} and split.test {split.test:g} leave nothing to train on")]
    return []


def _check_trainer(arguments: Mapping[str, Any], unknown: Any) -> list[Mistake]:
    mistakes = [
        Mistake(("trainer", key), f"'trainer.{key}' is set by medvision: {RESERVED[key]}", detached=False)
        for key in arguments
        if key in RESERVED
    ]
    given = {key: value for key, value in arguments.items() if key not in RESERVED}
    try:
        TrainerArguments.model_validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        mistakes += explain(error, given, unknown, ("trainer",))
    return mistakes


def _unknown(settings: Mapping[str, Sequence[str]], location: Location) -> Mistake:
    """What to say of a key that does not exist: where its value comes from, or what was probably meant.

    Args:
        settings: the settings of every section.
        location: the key.
    """
    path, key = ".".join(location), location[-1]
    if location in LINKED_SETTINGS:
        return Mistake(location, f"'{path}' is not set here: {LINKED_SETTINGS[location]}", detached=False)
    elsewhere = [f"{section}.{key}" for section, names in settings.items() if key in names]
    if key in settings:
        elsewhere.append(key)
    if elsewhere and len(location) <= 2:
        end = "; did you mean " + " or ".join(f"'{name}'" for name in elsewhere) + "?"
    else:
        known = {1: list(settings), 2: settings.get(location[0], [])}.get(len(location), [])
        end = suggest(key, known)
    return Mistake(location, f"unknown setting '{path}'{end}", detached=False)


def _settings_of(values: Mapping[str, Any], section: str) -> list[str]:
    """The settings that a section of the experiment knows, of the class that it names."""
    given = values.get(section)
    if section == "trainer":
        return list(TrainerArguments.model_fields)
    if section in ("data", "model"):
        key = KINDS[section].key
        name = given.get(key) if isinstance(given, dict) else None
        try:
            return [key, *find_parameters(section, name)] if is_name(name, section) else []
        except ConfigError:  # told by resolve_section
            return []
    field = Experiment.model_fields[section]
    models = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_section(kind)]
    name = given.get("name") if isinstance(given, dict) else None
    chosen = [kind for kind in models if name in get_args(getattr(kind.model_fields.get("name"), "annotation", None))]
    return list((chosen or models)[0].model_fields) if models else []


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
