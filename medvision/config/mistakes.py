"""What pydantic finds wrong, in one line a mistake and in the words of the experiment file."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from medvision.config.suggestions import nearest
from medvision.config.yaml_file import Layer, Location

LONGEST_VALUE = 60

EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "'key: value' settings",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "'key: value' settings",
    "none_required": "null",
    "string_type": "text",
    "tuple_type": "a list",
}
# What words say better than a regular expression.
PATTERNS = {
    "monitor": "a metric such as val/loss, val/f1 or val/auroc",
    "name": "letters, digits, '.', '_' and '-' only",
}


@dataclass(frozen=True)
class Mistake:
    """A mistake and the setting that it is about. `detached`: the message does not name the setting by itself."""

    location: Location
    message: str
    detached: bool = True

    def line(self, layer: Layer) -> str:
        """The mistake with file and line, or with the option that made it."""
        place = layer.place(self.location).text
        path = ".".join(self.location)
        named = place in (f"--{path}", f"sweep parameter {path}")
        message = f"{path}: {self.message}" if self.detached and not named else self.message
        return f"{place}: {message}" if place else message


def to_lines(mistakes: Iterable[Mistake], layer: Layer) -> list[str]:
    """All mistakes as lines, in the order of the files and options, each once."""
    ordered = sorted(mistakes, key=lambda mistake: layer.place(mistake.location))
    return list(dict.fromkeys(mistake.line(layer) for mistake in ordered))


def explain(
    error: ValidationError,
    values: Mapping[str, Any],
    unknown: Callable[[Location], Mistake],
    section: Location = (),
) -> list[Mistake]:
    """The mistakes that pydantic found, one a setting.

    Args:
        error: what pydantic found.
        values: the values that it looked at.
        unknown: says what is wrong with a key that does not exist.
        section: where the values stand in the experiment.
    """
    groups: dict[Location, list[dict[str, Any]]] = {}
    for details in error.errors(include_url=False):
        groups.setdefault((*section, *_location(details, values)), []).append(dict(details))
    deepest = [here for here in groups if not any(here != other and here == other[: len(here)] for other in groups)]
    return [_explain_one(here, groups[here], unknown) for here in deepest]


def unknown_name(location: Location, value: object, known: Sequence[str], otherwise: str = "") -> Mistake:
    """A value that is none of the known names."""
    match = nearest(value, known) if isinstance(value, str) else None
    end = f"; did you mean '{match}'?" if match is not None else otherwise
    return Mistake(location, f"{render(value)} is none of {', '.join(known)}{end}")


def missing_setting(location: Location, known: Sequence[str] = ()) -> Mistake:
    """A setting without a default that was not given."""
    end = f"; known: {', '.join(known)}" if known else ""
    return Mistake(location, f"'{'.'.join(location)}' is missing{end}", detached=False)


def render(value: object) -> str:
    """A value as it stands in a file, cut to a readable length."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _location(details: Mapping[str, Any], values: Any) -> Location:
    """The keys of the error's path, without the names of union members that pydantic puts between them."""
    path = details["loc"]
    result: list[str] = []
    for i, part in enumerate(path):
        absent = i == len(path) - 1 and details["type"] == "missing"
        if isinstance(values, Mapping) and (part in values or absent):
            result.append(str(part))
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int):
            result.append(str(part))
            values = values[part]
    return tuple(result)


def _explain_one(
    location: Location, errors: Sequence[Mapping[str, Any]], unknown: Callable[[Location], Mistake]
) -> Mistake:
    first = errors[0]
    context, value = first.get("ctx", {}), first["input"]
    match first["type"]:
        case "extra_forbidden":
            return unknown(location)
        case "missing":
            return missing_setting(location)
        case "union_tag_not_found":
            return missing_setting((*location, context["discriminator"].strip("'")))
        case "union_tag_invalid":
            tag_location = (*location, context["discriminator"].strip("'"))
            return unknown_name(tag_location, context["tag"], _quoted(context["expected_tags"]))
        case "literal_error" if len(errors) == 1:
            return unknown_name(location, value, _quoted(context["expected"]))
        case "string_pattern_mismatch" if location[-1] in PATTERNS:
            return Mistake(location, f"expected {PATTERNS[location[-1]]}, got {render(value)}{_stage(location, value)}")
        case "value_error":
            return Mistake(location, str(context["error"]))
    expected = " or ".join(dict.fromkeys(_expected(details) for details in errors))
    number = isinstance(value, int | float) and all(details["type"] == "string_type" for details in errors)
    end = f"; write '{value}' in quotes" if number and not isinstance(value, bool) else ""
    return Mistake(location, f"expected {expected}, got {render(value)}{end}")


def _expected(details: Mapping[str, Any]) -> str:
    if details["type"] == "literal_error":
        return ", ".join(_quoted(details["ctx"]["expected"]))
    if details["type"] in EXPECTED:
        return EXPECTED[details["type"]]
    message = str(details["msg"]).removeprefix("Input should be ").split(", got ")[0]
    return f"a value {message}" if message.startswith(("greater", "less")) else message


def _quoted(text: str) -> list[str]:
    """The names in pydantic's `'a', 'b' or 3`."""
    return list(dict.fromkeys(part.strip("' ") for part in re.split(r", | or ", text)))


def _stage(location: Location, value: object) -> str:
    bare = location[-1] == "monitor" and isinstance(value, str) and re.fullmatch(r"[a-z0-9_]+", value)
    return f"; did you mean 'val/{value}'?" if bare else ""
