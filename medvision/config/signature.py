"""The typed parameters of a datamodule or a task: the settings of its section."""

import dataclasses
import inspect
import sys
from dataclasses import dataclass
from typing import Any

from medvision.errors import ConfigError

# Set by medvision when it builds the object, never in the section of the class.
LINKED = frozenset({"dataset", "optimizer", "schedule", "split", "seed"})
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One parameter of a class; `default` is REQUIRED where it has none."""

    name: str
    annotation: Any
    default: Any


def field_default(field: dataclasses.Field) -> Any:
    """The default of a dataclass field, REQUIRED where it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED if field.default is dataclasses.MISSING else field.default


def inspect_parameters(cls: type) -> dict[str, Parameter]:
    """The parameters of an imported class: the arguments of its `__init__`, less the linked ones.

    Raises:
        ConfigError: parameters without a type, or with one that cannot be looked up.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}
    result: dict[str, Parameter] = {}
    mistakes: list[str] = []
    initializer: Any = inspect.getattr_static(cls, "__init__")
    for parameter in list(inspect.signature(initializer).parameters.values())[1:]:
        name = parameter.name
        if name in LINKED or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.annotation is parameter.empty:
            mistakes.append(f"the parameter '{name}' of {cls.__name__} needs a type, such as {name}: int")
            continue
        try:
            annotation = _annotation(cls, parameter)
        except (NameError, AttributeError, SyntaxError, TypeError) as error:
            mistakes.append(f"the type of the parameter '{name}' of {cls.__name__} cannot be looked up: {error}")
            continue
        default = field_default(fields[name]) if name in fields else parameter.default
        result[name] = Parameter(name, annotation, default)
    if mistakes:
        raise ConfigError(*mistakes)
    return result


def _annotation(cls: type, parameter: inspect.Parameter) -> Any:
    """The type itself where the source gives it as text, looked up where that text stands."""
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    names = inspect.getattr_static(cls, "__init__").__globals__
    if dataclasses.is_dataclass(cls):
        owner = next((base for base in cls.__mro__ if parameter.name in inspect.get_annotations(base)), cls)
        names = vars(sys.modules[owner.__module__])
    return eval(parameter.annotation, dict(names))
