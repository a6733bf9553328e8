"""One YAML file as plain values, with the place of every key."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
import yaml.reader

from medvision.config.suggestions import suggest_file
from medvision.config.yaml_dialect import COLLECTION_TAGS, MERGE_TAG, STRING_TAG, Loader, resolve_scalar, scalar_value
from medvision.errors import ConfigError

Location = tuple[str, ...]

# A file of a few lines can unfold into billions of values through anchors.
MOST_VALUES = 10_000
# Reading YAML takes a second for some hundred thousand characters.
MOST_BYTES = 500_000
VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}|\$\{")


@dataclass(frozen=True, order=True)
class Place:
    """Where a setting was said: the rank of the layer, the line, and both in words."""

    layer: int
    line: int
    text: str


@dataclass
class Layer:
    """Settings, and the place of every key among them."""

    origin: Place
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Location, Place] = field(default_factory=dict)

    def place(self, location: Location) -> Place:
        """The place of the setting, or of the nearest section around it that was said."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.places:
                return self.places[location[:end]]
        return self.origin


def read_file(path: str, rank: int, mistakes: list[str], *, expand: bool = True) -> Layer:
    """Read one file; what is wrong with it is appended to `mistakes`, a line each.

    Args:
        path: of the file.
        rank: of the file among all.
        mistakes: found so far.
        expand: replace `${NAME}` by environment variables; False where it means something else.
    """
    layer = Layer(Place(rank, 0, path))
    text = _read_text(path, mistakes)
    if text is not None:
        _fill(layer, text, mistakes, expand)
    return layer


def _fill(layer: Layer, text: str, mistakes: list[str], expand: bool) -> None:
    path = layer.origin.text
    try:
        root = yaml.compose(text, Loader)
        if root is None:
            mistakes.append(f"{path}: the file is empty; expected 'key: value' lines")
        elif not isinstance(root, yaml.MappingNode):
            mistakes.append(f"{path}:{root.start_mark.line + 1}: expected 'key: value' lines at the top of the file")
        else:
            layer.values = NodeReader(layer, mistakes, expand=expand).mapping(root, (), ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark is not None else path
        mistakes.append(f"{place}: not valid YAML: {_explain_syntax(error, text)}")
    except yaml.reader.ReaderError as error:
        mistakes.append(f"{path}: not valid YAML: the character {chr(error.character)!r} may not stand in it")
    except RecursionError:
        mistakes.append(f"{path}: nested too deeply")


def read_values(path: Path) -> dict[str, Any]:
    """The plain values of a YAML file that a run has written; `${NAME}` is text.

    Raises:
        ConfigError: all that is wrong with the file, a line each.
    """
    mistakes: list[str] = []
    text = _read_text(str(path), mistakes)
    if text is None:
        raise ConfigError(*mistakes)
    return values_of(text, str(path))


def values_of(text: str, origin: str = "experiment") -> dict[str, Any]:
    """The same of the text of a file.

    Args:
        text: YAML.
        origin: its path, for the messages.

    Raises:
        ConfigError: all that is wrong with it, a line each.
    """
    mistakes: list[str] = []
    layer = Layer(Place(0, 0, origin))
    _fill(layer, text, mistakes, expand=False)
    if mistakes:
        raise ConfigError(*mistakes)
    return layer.values


def _read_text(path: str, mistakes: list[str]) -> str | None:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) <= MOST_BYTES:
            return content.decode("utf-8-sig")
        mistakes.append(f"{path}: more than {MOST_BYTES} bytes; this is no experiment file")
    except FileNotFoundError:
        mistakes.append(f"{path}: no such file" + suggest_file(Path(path)))
    except IsADirectoryError:
        mistakes.append(f"{path}: is a folder; expected a YAML file")
    except UnicodeDecodeError as error:
        mistakes.append(f"{path}: not UTF-8 text (byte {error.start}); expected a YAML file")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        mistakes.append(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
    return None


def _explain_syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    message = error.problem or error.context or "broken"
    mark, context = error.problem_mark, error.context_mark
    if mark is not None and context is not None and context.line != mark.line:
        message += f" ({error.context}, line {context.line + 1})"
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "${" in line:
        message += '; between { and } put quotes around it: "${NAME}"'
    elif "\t" in line:
        message += "; indent with spaces, not with tabs"
    return message


class NodeReader:
    """Turns YAML nodes into plain values and enters the place of every key into `layer`.

    Args:
        layer: takes the places.
        mistakes: takes the mistakes, a line each.
        expand: replace `${NAME}` by the environment variable.
    """

    def __init__(self, layer: Layer, mistakes: list[str], *, expand: bool = True) -> None:
        self._layer = layer
        self._mistakes = mistakes
        self._expand = expand
        self._values_left = MOST_VALUES

    def value(self, node: yaml.Node, location: Location, parents: tuple[int, ...]) -> Any:
        """The plain value of a node; `parents` are the nodes it stands in, by identity."""
        self._values_left -= 1
        if self._values_left <= 0:
            if self._values_left == 0:
                self._mistake(node, f"more than {MOST_VALUES} values; this is no experiment file")
            return None
        if id(node) in parents:
            self._mistake(node, "this anchor contains itself")
            return None
        if isinstance(node, yaml.CollectionNode) and node.tag not in COLLECTION_TAGS:
            self._mistake(node, f"the tag {node.tag!r} is not known here")
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, location, parents)
        if isinstance(node, yaml.SequenceNode):
            inner = (*parents, id(node))
            return [self._entry(item, item, (*location, str(i)), inner) for i, item in enumerate(node.value)]
        return self._scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def mapping(self, node: yaml.MappingNode, location: Location, parents: tuple[int, ...]) -> dict[str, Any]:
        """The values of a mapping; keys are text."""
        inner = (*parents, id(node))
        result: dict[str, Any] = {}
        for base in self._merged_mappings(node):
            merged = self.value(base, location, inner)
            result = (merged or {}) | result
        own: set[str] = set()
        for key, value in node.value:
            if key.tag == MERGE_TAG:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._mistake(key, "a key must be a word")
                continue
            if key.value in own:
                self._mistake(key, f"'{'.'.join((*location, key.value))}' is set twice")
            own.add(key.value)
            result[key.value] = self._entry(key, value, (*location, key.value), inner)
        return result

    def _entry(self, key: yaml.Node, value: yaml.Node, location: Location, parents: tuple[int, ...]) -> Any:
        line = key.start_mark.line + 1
        origin = self._layer.origin
        self._layer.places[location] = Place(origin.layer, line, f"{origin.text}:{line}")
        return self.value(value, location, parents)

    def _merged_mappings(self, node: yaml.MappingNode) -> Iterator[yaml.MappingNode]:
        for key, value in node.value:
            if key.tag != MERGE_TAG:
                continue
            for base in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(base, yaml.MappingNode):
                    yield base
                else:
                    self._mistake(base, "'<<' takes an anchor of a mapping, such as *base, or a list of them")

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            if not self._expand or node.tag != STRING_TAG or "${" not in node.value:
                return scalar_value(node)
            text = VARIABLE.sub(_variable, node.value)
            return text if node.style is not None else resolve_scalar(text)
        except ValueError as error:
            self._mistake(node, str(error))
            return None

    def _mistake(self, node: yaml.Node, message: str) -> None:
        self._mistakes.append(f"{self._layer.origin.text}:{node.start_mark.line + 1}: {message}")


def _variable(match: re.Match[str]) -> str:
    name, default = match[1], match[2]
    if match[0] == "$${":
        return "${"
    if name is None:
        raise ValueError("expected ${NAME} or ${NAME:-default}; the characters themselves are written $${")
    value = os.environ.get(name) or default
    if value is None:
        state = "empty" if name in os.environ else "not set"
        raise ValueError(f"the environment variable {name} is {state}; set it or write ${{{name}:-default}}")
    return value
