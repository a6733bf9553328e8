"""The tables of the reference, made from the code: what is written here cannot fall behind it."""

import importlib
import re
from argparse import SUPPRESS, Action
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import yaml
from docstrings import arguments, body, paragraphs, summary
from pydantic import TypeAdapter

from medvision import command
from medvision.__main__ import VERBS
from medvision.command import Parser
from medvision.config import settings
from medvision.config.registry import DATAMODULES, TASKS
from medvision.config.signature import REQUIRED, inspect_parameters
from medvision.config.trainer import RESERVED, TrainerArguments
from medvision.data.augmentation import PRESETS
from medvision.datamodules.base import DataModule
from medvision.datamodules.masked import MaskedDataModule
from medvision.errors import MedvisionError
from medvision.models.segmenters import ARCHITECTURES
from medvision.models.small import SMALL
from medvision.phantoms.sets import SETS
from medvision.runs import Inside, RunFolder
from medvision.tasks.base import Task
from medvision.tasks.mask_losses import MaskLoss

Schema = dict[str, Any]
OPTION = re.compile(r"(?<![`\w-])--[a-z][\w.=-]*(?!`)")
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "to below"}
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false", "null": "null"}


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown; a bar or the end of a line in a cell does not end it."""
    lines = [list(header), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def code(value: object) -> str:
    """A value as it is written in YAML, in the type of code."""
    if isinstance(value, str) and value:
        return f"`{value}`"
    # Behind a plain value PyYAML writes three dots.
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
    return f"`{text}`"


# Commands


def commands() -> str:
    """Every command with its options, from the parser that reads them."""
    return "\n\n".join(_command(verb, find_parser(verb)) for verb in VERBS)


def find_parser(verb: str) -> Parser:
    """The parser that a command builds for itself: the one that would print `--help`."""
    found: list[Parser] = []
    main = importlib.import_module(f"medvision.{verb}").main
    with patch.object(Parser, "print_help", lambda self, file=None: found.append(self)), suppress(SystemExit):
        main(["--help"])
    return found[0]


def _command(verb: str, parser: Parser) -> str:
    parts = [f"## {verb}"]
    for is_command, text in paragraphs(parser.description or ""):
        parts.append(f"```sh\n{text}\n```" if is_command else OPTION.sub(r"`\g<0>`", text))
    actions = [action for action in parser._actions if action.help != SUPPRESS and action.dest != "help"]
    parts.append(table(["argument", "meaning"], ([_spelling(action), _meaning(parser, action)] for action in actions)))
    if parser.epilog:
        first, _, rest = parser.epilog.partition(":\n")
        parts.append(f"{first}: `{rest.strip()}`" if rest else OPTION.sub(r"`\g<0>`", first))
    return "\n\n".join(parts)


def _spelling(action: Action) -> str:
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if not action.option_strings:
        return f"`{value}`" + (" …" if action.nargs in ("+", "*") else "")
    more = " …" if action.nargs in ("+", "*") else ""
    return ", ".join(f"`{f'{name} {value}'.strip()}`" for name in action.option_strings) + more


def _meaning(parser: Parser, action: Action) -> str:
    # argparse fills in %(default)s here, as it does for --help.
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return text if action.choices is None else f"{text} ({', '.join(map(code, action.choices))})".strip()


# The experiment file


def experiment() -> str:
    """Every section of the experiment file whose settings do not belong to a class."""
    schema = settings.Experiment.model_json_schema()
    parts = ["## At the top level", body(settings.Experiment)]
    parts.append(_settings_table(settings.Experiment, schema, ["name", "question", "seed"]))
    parts.append("The sections `data` and `model` are on pages of their own: [](datasets.md) and [](models.md).")
    for name, field in settings.Experiment.model_fields.items():
        kinds = [kind for kind in _models_in(field.annotation) if kind.__name__ in schema["$defs"]]
        if not kinds:
            continue
        parts.append(f"## {name}")
        parts += ["Off, unless the section is written."] if field.default is None else []
        for kind in kinds:
            defined = schema["$defs"][kind.__name__]
            parts += [body(kind), _settings_table(kind, {**defined, "$defs": schema["$defs"]}, list(kind.model_fields))]
    parts += ["## trainer", body(TrainerArguments), _trainer_table()]
    return "\n\n".join(parts)


def _models_in(annotation: Any) -> list[type[settings.Section]]:
    """The sections that a type is made of: one, several that a `name` tells apart, or none."""
    if isinstance(annotation, type) and issubclass(annotation, settings.Section):
        return [annotation]
    return [kind for part in getattr(annotation, "__args__", ()) for kind in _models_in(part)]


def _settings_table(kind: type[settings.Section], schema: Schema, names: list[str]) -> str:
    meanings = arguments(kind)
    rows = []
    for name in names:
        described = schema["properties"][name]
        default = "required" if name in schema.get("required", []) else code(described.get("default"))
        rows.append([f"`{name}`", _values(described), default, meanings.get(name, "")])
    return _without_empty(["setting", "values", "default", "meaning"], rows)


def _trainer_table() -> str:
    described = TrainerArguments.model_json_schema()["properties"]
    rows = [[f"`{name}`", _values(value), ""] for name, value in described.items()]
    rows += [[f"`{name}`", "", f"refused: {why}"] for name, why in RESERVED.items()]
    return _without_empty(["argument", "values", "here"], rows)


def _without_empty(header: list[str], rows: list[list[str]]) -> str:
    kept = [place for place in range(len(header)) if any(row[place] for row in rows)]
    return table([header[place] for place in kept], ([row[place] for place in kept] for row in rows))


def _values(schema: Schema) -> str:
    """What a JSON schema lets through, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_values(part) for part in schema["anyOf"]))
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_values(schema['items'])}" if schema.get("items") else "list"
    if "type" not in schema:
        return "mapping"
    bounds = " ".join(f"{word} {schema[key]:g}" for key, word in BOUNDS.items() if key in schema)
    pattern = f"matching `{schema['pattern']}`" if "pattern" in schema else ""
    return " ".join(filter(None, [TYPES.get(schema["type"], "mapping"), bounds, pattern]))


# Data sets and models


def datasets() -> str:
    """The settings that all data sets share, those of masks, and what each shipped data set adds."""
    parts = ["## Of every data set", _parameters_table(DataModule, known=set())]
    parts += ["## Of every data set with masks", body(MaskedDataModule)]
    parts.append(_parameters_table(MaskedDataModule, known=set(inspect_parameters(DataModule))))
    for name, target in DATAMODULES.items():
        kind = _load(target)
        base: type = MaskedDataModule if issubclass(kind, MaskedDataModule) else DataModule
        parts += [f"## {name}", body(kind)]
        if base is MaskedDataModule:
            parts.append("It has masks.")
        if getattr(kind, "licence", "") and getattr(kind, "url", ""):
            parts.append(f"{kind.citation}. <{kind.url}> Licence: {kind.licence}.")
        parts.append(_parameters_table(kind, known=_same_parameters(kind, base)))
        parts.append(_simulated(name))
    return "\n\n".join(filter(None, parts))


def _simulated(name: str) -> str:
    """How to draw a set of the same layout, and what an experiment must say for it."""
    drawn = SETS[name]
    told = f"`python -m medvision.samples {name} FOLDER` draws {drawn.patients} simulated patients in this layout."
    what, _, settings_for = drawn.reads.partition(": ")
    if what.startswith("for "):
        return f"{told} {what.capitalize()}: `{settings_for}`."
    return f"{told} They need `{drawn.reads}`." if drawn.reads else told


def models() -> str:
    """What each task can be told, and the names that its settings take."""
    parts = []
    for name, target in TASKS.items():
        kind = _load(target)
        assert issubclass(kind, Task)
        parts += [f"## {name}", body(kind), _parameters_table(kind, known=set())]
        monitored = ", ".join(f"`val/{metric}`" for metric in kind.metric_names)
        parts.append(f"To be monitored by `early_stopping`, `checkpoint` and `schedule`: {monitored}.")
    parts.append("## Networks of our own")
    parts += [f"`{name}`: {body(build)}" for name, build in SMALL.items()]
    parts += ["## Architectures for masks", ", ".join(map(code, ARCHITECTURES)) + "."]
    parts += ["## Losses of masks", body(MaskLoss)]
    return "\n\n".join(parts)


def augmentations() -> str:
    """The presets with their steps, as albumentations calls them."""
    rows = []
    for name, steps in PRESETS.items():
        words = [f"{step['__class_fullname__'].rpartition('.')[2]} (p {step['p']:g})" for step in steps]
        rows.append([f"`{name}`", ", ".join(words) or "nothing"])
    return table(["`data.augmentation`", "steps, each with its probability"], rows)


def _same_parameters(kind: type, base: type) -> set[str]:
    """Names of the parameters that a class has from its base, with the same default."""
    own = inspect_parameters(kind)
    return {name for name, one in inspect_parameters(base).items() if own[name].default == one.default}


def _parameters_table(kind: type, known: set[str]) -> str:
    meanings = arguments(kind)
    rows = []
    for name, one in inspect_parameters(kind).items():
        if name not in known:
            default = "required" if one.default is REQUIRED else code(one.default)
            rows.append([f"`{name}`", _values(TypeAdapter(one.annotation).json_schema()), default, meanings[name]])
    return table(["setting", "values", "default", "meaning"], rows) if rows else ""


def _load(target: str) -> type:
    module, name = target.split(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


# Run folders and exit codes


def run_folder() -> str:
    """Every file and folder that a run folder can hold."""
    rows = [
        [f"`{one.name}`", one.__doc__ or "", f"`RunFolder.{name}`"]
        for name, one in vars(RunFolder).items()
        if isinstance(one, Inside)
    ]
    return table(["path", "meaning", "in Python"], rows)


def exit_codes() -> str:
    """What a command ends with, from the classes of its mistakes."""
    for verb in VERBS:
        find_parser(verb)
    for module in ("medvision.training", "medvision.sweeps.worker"):
        importlib.import_module(module)
    reasons: dict[int, list[str]] = {0: ["Everything was done."], MedvisionError.exit_code: [summary(MedvisionError)]}
    for kind in _below(MedvisionError):
        if kind.exit_code != MedvisionError.exit_code:
            reasons.setdefault(kind.exit_code, []).append(summary(kind))
    reasons.setdefault(command.INTERRUPTED, []).append("Ctrl-C, anywhere else.")
    reasons.setdefault(command.BROKEN_PIPE, []).append("Whoever was reading the output, such as `head`, has gone.")
    reasons[1] = ["A traceback: a mistake of medvision itself. Please report it."]
    return table(
        ["code", "meaning"], ([f"`{number}`", " ".join(dict.fromkeys(reasons[number]))] for number in sorted(reasons))
    )


def _below(kind: type[MedvisionError]) -> list[type[MedvisionError]]:
    return [one for child in kind.__subclasses__() for one in (child, *_below(child))]


PARTS: dict[str, Callable[[], str]] = {
    part.__name__.replace("_", "-"): part
    for part in (commands, experiment, datasets, models, augmentations, run_folder, exit_codes)
}
