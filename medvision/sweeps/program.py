"""The command of a trial: W&B's macros filled in, and what it runs."""

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medvision.config import Experiment, load_experiment
from medvision.config.suggestions import suggest
from medvision.errors import ConfigError
from medvision.sweeps.distributions import Spec, ppf
from medvision.sweeps.file import Sweep
from medvision.sweeps.points import nested

VERBS = ("fit", "cross_validate")
FIELDS = tuple(Experiment.model_fields)
QUANTILES = (1e-6, 1 - 1e-6)
ENVIRONMENT_VARIABLE = re.compile(r"\$\{envvar:([A-Za-z0-9_]*)\}")
MACRO = re.compile(r"\$\{[^}]*\}")
KNOWN = (
    "${env}",
    "${interpreter}",
    "${program}",
    "${args}",
    "${args_no_equals}",
    "${args_no_hyphens}",
    "${args_no_boolean_flags}",
    "${args_json}",
    "${args_json_file}",
)


@dataclass(frozen=True)
class Program:
    """What a sweep runs.

    Args:
        verb: `fit` or `cross_validate`.
        files: the experiment files.
        options: settings that are the same in all trials.
    """

    verb: str
    files: Sequence[str]
    options: Sequence[str]


def fill_in(command: Sequence[str], settings: Mapping[str, Any], *, program: str, json_file: Path) -> list[str]:
    """The command line of a trial, as a W&B agent makes it: values as Python writes them, names sorted.

    Args:
        command: of the sweep file.
        settings: of the trial; nested parameters are mappings.
        program: what `${program}` stands for.
        json_file: receives the settings where the command asks for such a file.
    """
    flags = [f"{name}={value}" for name, value in sorted(settings.items())]
    true_flags = [name for name, value in settings.items() if value is True]
    no_flags = [name for name, value in settings.items() if value is False]
    words: dict[str, list[str]] = {
        "${env}": ["/usr/bin/env"],
        "${interpreter}": [sys.executable],
        "${program}": [program],
        "${args}": [f"--{flag}" for flag in flags],
        "${args_no_hyphens}": flags,
        "${args_no_equals}": [word for flag in flags for word in (f"--{flag}".split("=", 1))],
        "${args_no_boolean_flags}": [
            f"--{name}" if name in true_flags else f"--{flag}"
            for flag in flags
            if (name := flag.partition("=")[0]) not in no_flags
        ],
        "${args_json}": [json.dumps(dict(sorted(settings.items())))],
        "${args_json_file}": [str(json_file)],
    }
    if "${args_json_file}" in command:
        json_file.write_text(json.dumps(settings), encoding="utf-8")
    filled = [word for item in command for word in words.get(item, [item])]
    return [ENVIRONMENT_VARIABLE.sub(lambda match: os.environ.get(match[1], match[1]), word) for word in filled]


def read_program(command: Sequence[str], program: str | None) -> Program:
    """What a command runs.

    Args:
        command: of the sweep file.
        program: of the sweep file.

    Raises:
        ConfigError: an unknown macro, or a command that runs no training of medvision.
    """
    for item in command:
        macro = MACRO.search(item)
        if macro and item not in KNOWN and not ENVIRONMENT_VARIABLE.search(item):
            raise ConfigError(f"command: unknown macro '{item}'{suggest(item, KNOWN)}; known: {', '.join(KNOWN)}")
    words = [program or item if item == "${program}" else item for item in command]
    for place, word in enumerate(words):
        verb = word.removeprefix("medvision.")
        if verb in VERBS and (verb != word or Path(words[place - 1]).name == "medvision"):
            return _read_arguments(verb, words[place + 1 :])
    raise ConfigError(
        'command: runs neither medvision.fit nor medvision.cross_validate; write for instance command: ["${env}", '
        '"${interpreter}", -m, medvision.fit, experiments/knee_sections.yaml, "${args}"]'
    )


def _read_arguments(verb: str, words: Sequence[str]) -> Program:
    options = [word for word in words if word.startswith("--") and "=" in word]
    settings = [word for word in options if "." in word.partition("=")[0] or word[2:].partition("=")[0] in FIELDS]
    return Program(verb, [word for word in words if word.endswith((".yaml", ".yml")) and word[0] != "-"], settings)


def check_program(sweep: Sweep) -> Experiment | None:
    """Load the experiments of the ends of every parameter, before the first trial is begun.

    Args:
        sweep: that was read.

    Returns:
        One of them; None where the command names no experiment file.

    Raises:
        ConfigError: what no trial could run with, a line each.
    """
    program = read_program(list(map(str, sweep.file.command)), sweep.file.program)
    if program.verb == "cross_validate" and sweep.file.early_terminate is not None:
        raise ConfigError(
            f"{sweep.source}: early_terminate: a cross-validation has one value, at its end, so that none can be "
            "stopped by it; leave it out"
        )
    if not program.files:
        return None
    problems: dict[str, None] = {}
    experiment = None
    ends = {name: _ends(spec) for name, spec in sweep.specs.items()}
    for turn in range(max(map(len, ends.values()))):
        point = {name: values[turn % len(values)] for name, values in ends.items()}
        # JSON is YAML: the values keep their types.
        options = [f"--{name}={json.dumps(value)}" for name, value in nested(point).items()]
        try:
            experiment = load_experiment(program.files, [*program.options, *options])
        except ConfigError as error:
            problems |= {f"{sweep.source}: {line}" if line.startswith("--") else line: None for line in error.lines}
    if problems:
        raise ConfigError(*problems)
    return experiment


def _ends(spec: Spec) -> list[Any]:
    """Every category, or the ends of a distribution; of one without ends what lies far out."""
    return spec["values"] if "values" in spec else [ppf(spec, u) for u in QUANTILES]
