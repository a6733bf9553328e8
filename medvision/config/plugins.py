"""The sections `data` and `model`: the class that they name, and its parameters as a strict model."""

import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import PydanticSerializationError

from medvision.config.mistakes import Mistake, explain, missing_setting, unknown_name
from medvision.config.registry import DATAMODULES, TASKS
from medvision.config.signature import REQUIRED, Parameter, inspect_parameters
from medvision.config.source import read_parameters
from medvision.config.suggestions import suggest
from medvision.config.yaml_file import Location
from medvision.errors import ConfigError

OWN_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
STRICT = ConfigDict(extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Kind:
    """A section whose settings belong to a class: the key that names the class, the shipped ones, their base class."""

    key: str
    registry: Mapping[str, str]
    base: str


KINDS: Mapping[str, Kind] = {
    "data": Kind("name", DATAMODULES, "LightningDataModule"),
    "model": Kind("task", TASKS, "LightningModule"),
}


def find_class(section: str, name: str) -> type:
    """Import the class that a section names, by its short name or as `package.module:Class`.

    The current folder is searched too, also where Python was started by a console script.

    Raises:
        ConfigError: there is no such module or class, or it is not of the kind that the section needs.
    """
    kind = KINDS[section]
    module_name, class_name = kind.registry.get(name, name).split(":")
    if name in kind.registry:
        shipped: type = getattr(importlib.import_module(module_name), class_name)
        return shipped
    folder = str(Path.cwd())
    if not {folder, ""} & set(sys.path):
        sys.path.append(folder)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(f"{module_name} cannot be imported: {error}") from error
        raise ConfigError(f"no module '{error.name}', neither installed nor in the folder {folder}") from None
    except (ImportError, SyntaxError) as error:
        raise ConfigError(f"{module_name} cannot be imported: {error}") from error
    cls = getattr(module, class_name, None)
    if not isinstance(cls, type):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"no class '{class_name}' in {module_name}{suggest(class_name, classes)}")
    _check_base(cls, kind)
    return cls


def _check_base(cls: type, kind: Kind) -> None:
    origins = [base.__module__.split(".")[0] for base in cls.__mro__ if base.__name__ == kind.base]
    if "lightning" in origins:
        return
    if origins:
        raise ConfigError(
            f"{cls.__name__} derives from {origins[0]}.{kind.base}; import {kind.base} from lightning instead"
        )
    raise ConfigError(f"{cls.__name__} is not a {kind.base} of lightning")


def find_parameters(section: str, name: str) -> dict[str, Parameter]:
    """The parameters of the class that a section names; shipped classes are not imported for it.

    Raises:
        ConfigError: a user's own class cannot be used.
    """
    kind = KINDS[section]
    if name in kind.registry:
        return read_parameters(kind.registry[name])
    parameters = inspect_parameters(find_class(section, name))
    if kind.key in parameters:
        raise ConfigError(f"the class has a parameter '{kind.key}', which names the class itself here; rename it")
    return parameters


def typed_arguments(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for the constructor, in the types that it declares (a tuple, a Path), of a resolved section.

    Args:
        section: `data` or `model`.
        values: the section as `Experiment` holds it: plain values with the name of the class.
    """
    kind = KINDS[section]
    parameters = find_parameters(section, values[kind.key])
    resolved = _validate(kind, parameters, values)
    return {name: getattr(resolved, f"field_{i}") for i, name in enumerate(parameters)}


def resolve_section(
    section: str, values: Mapping[str, Any], unknown: Callable[[Location], Mistake]
) -> tuple[dict[str, Any], list[Mistake]]:
    """The section as plain values with all defaults filled in, or the mistakes in it.

    Args:
        section: `data` or `model`.
        values: the section as it was read.
        unknown: says what is wrong with a key that does not exist.
    """
    kind = KINDS[section]
    place = (section, kind.key)
    name = values.get(kind.key)
    if name is None:
        return {}, [missing_setting(place, list(kind.registry))]
    if not is_name(name, section):
        return {}, [unknown_name(place, name, list(kind.registry), "; a class of your own is package.module:Class")]
    try:
        parameters = find_parameters(section, name)
        resolved = _validate(kind, parameters, values)
        return {kind.key: name, **resolved.model_dump(mode="json", by_alias=True)}, []
    except ConfigError as error:
        return {}, [Mistake(place, line) for line in error.lines]
    except ValidationError as error:
        return {}, explain(error, values, unknown, (section,))
    except PydanticSerializationError as error:
        return {}, [Mistake(place, f"a default of the class cannot be written to a file: {error}")]


def is_name(name: object, section: str) -> TypeGuard[str]:
    """Whether this is a shipped name, or has the form of the name of a user's own class."""
    return isinstance(name, str) and (name in KINDS[section].registry or OWN_CLASS.fullmatch(name) is not None)


def _validate(kind: Kind, parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> BaseModel:
    # Numbered fields under aliases: no parameter's name can clash with a method of pydantic.
    fields: dict[str, Any] = {}
    for i, (name, parameter) in enumerate(parameters.items()):
        default = ... if parameter.default is REQUIRED else parameter.default
        fields[f"field_{i}"] = (parameter.annotation, Field(default, alias=name))
    try:
        model = create_model("Settings", __config__=STRICT, **fields)
    except PydanticSchemaGenerationError:
        raise ConfigError(*_unfillable(parameters)) from None
    # As JSON, a list fills a tuple and text fills a Path, while "32" still is no number.
    text = json.dumps({key: value for key, value in values.items() if key != kind.key})
    return model.model_validate_json(text, strict=True)


def _unfillable(parameters: Mapping[str, Parameter]) -> list[str]:
    lines = []
    for parameter in parameters.values():
        try:
            TypeAdapter(parameter.annotation)
        except PydanticSchemaGenerationError:
            lines.append(f"no value of a file fits the type {parameter.annotation} of the parameter '{parameter.name}'")
    return lines
