"""Files and options of the command line, laid over each other."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from medvision.config.sweep_values import contradictions, sweep_values
from medvision.config.yaml_dialect import Loader, is_unicode, resolve_scalar
from medvision.config.yaml_file import Layer, Location, NodeReader, Place, read_file
from medvision.errors import ConfigError

# A later layer that changes this key speaks of another class; the earlier settings of the section are not its own.
DISCRIMINATORS: Mapping[Location, str] = {("data",): "name", ("model",): "task", ("schedule",): "name"}
OPTION = re.compile(r"--([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)(?:=(.*))?", re.DOTALL)


def read_layers(files: Sequence[str | Path], options: Sequence[str]) -> Layer:
    """Lay the files over each other in their order, and the options over all of them.

    Sections are merged key by key; the value of a setting, be it a list or a mapping, is replaced as a whole. Of an
    option that a sweep has chosen, the value is the sweep's own and not the text on the command line.

    Raises:
        ConfigError: every mistake in reading the files, every option that is not `--key=value` and every one that
            contradicts the sweep.
    """
    chosen = sweep_values()
    mistakes = contradictions(options, chosen)
    result = Layer(Place(0, 0, str(files[0]) if files else ""))
    for rank, path in enumerate(files):
        result = _lay_over(result, read_file(str(path), rank, mistakes), DISCRIMINATORS)
    spoken = Layer(result.origin)
    for rank, option in enumerate(options, start=len(files)):
        try:
            # An agent passes options sorted by name: among them, the order must not decide what is dropped.
            spoken = _lay_over(spoken, _read_option(option, rank, chosen), {})
        except ConfigError as error:
            mistakes += error.lines
    if mistakes:
        raise ConfigError(*mistakes)
    return _lay_over(result, spoken, DISCRIMINATORS)


def parse_value(text: str) -> Any:
    """The value of an option, read as in a file; what is no number, list or the like is text as it stands.

    A regular expression such as `[a-z]+_(.*)` is no YAML list, and `a: b # c` is no mapping with a comment.
    """
    try:
        node = yaml.compose(text, Loader)
        structure = isinstance(node, yaml.CollectionNode) and node.flow_style
        quoted = isinstance(node, yaml.ScalarNode) and node.style in ("'", '"')
        if node is None or not (structure or quoted):
            return resolve_scalar(text)
        mistakes: list[str] = []
        value = NodeReader(Layer(Place(0, 0, "")), mistakes, expand=False).value(node, (), ())
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return text if mistakes else value


def _read_option(option: str, rank: int, chosen: Mapping[str, Any]) -> Layer:
    match = OPTION.fullmatch(option)
    if match is None:
        raise ConfigError(f"{option}: expected --section.key=value")
    key, text = match[1], match[2]
    if text is None:
        raise ConfigError(f"{option}: write {option}=value")
    if not is_unicode(text):
        raise ConfigError(f"--{key}: the value holds characters that are not valid Unicode")
    location = tuple(key.split("."))
    value = chosen[key] if key in chosen else parse_value(text)
    for part in reversed(location):
        value = {part: value}
    place = Place(rank, 0, f"sweep parameter {key}" if key in chosen else f"--{key}")
    return Layer(place, value, {location: place})


def _lay_over(below: Layer, above: Layer, discriminators: Mapping[Location, str]) -> Layer:
    replaced: set[Location] = set()
    values = _merge(below.values, above, (), discriminators, replaced)
    places = {
        location: place
        for location, place in below.places.items()
        if not any(location[:end] in replaced for end in range(1, len(location) + 1))
    }
    anew = {
        location: above.place((*location, name)) for location, name in discriminators.items() if location in replaced
    }
    return Layer(below.origin, values, places | anew | above.places)


def _merge(
    below: Mapping[str, Any],
    above: Layer,
    location: Location,
    discriminators: Mapping[Location, str],
    replaced: set[Location],
) -> dict[str, Any]:
    given = above.values
    for part in location:
        given = given[part]
    name = discriminators.get(location)
    if name is not None and name in below and name in given and below[name] != given[name]:
        replaced.add(location)
        return dict(given)
    merged = dict(below)
    for key, value in given.items():
        inner = (*location, key)
        # `--data.mask_values.0=rest` gives one entry of a mapping, `mask_values: {...}` all of them.
        opened = len(inner) == 1 or inner not in above.places
        if opened and isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], above, inner, discriminators, replaced)
        else:
            replaced.add(inner)
            merged[key] = value
    return merged
