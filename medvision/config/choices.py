"""Settings with several values, of which a nested cross-validation chooses one: `optimizer.lr=1e-4,1e-3`."""

import itertools
from collections.abc import Mapping, Sequence

from medvision.errors import ConfigError

# With another value of these a network would be tested on other patients, or asked another question.
FIXED = ("name", "question", "seed", "split", "evaluation", "tracking", "data.name", "data.root", "model.task")
OPENING, CLOSING, QUOTES = "[{(", "]})", "\"'"

Settings = dict[str, str]


def parse_choices(words: Sequence[str]) -> dict[str, list[str]]:
    """What may be chosen between.

    >>> parse_choices(["optimizer.lr=1e-4,1e-3", "model.trainable=all,[layer4, fc]"])
    {'optimizer.lr': ['1e-4', '1e-3'], 'model.trainable': ['all', '[layer4, fc]']}

    Args:
        words: each `section.setting=value,value`.

    Returns:
        {setting: values}, as text.

    Raises:
        ConfigError: words of another form, or settings that cannot be chosen so, a line each.
    """
    choices: dict[str, list[str]] = {}
    problems = []
    for word in words:
        setting, equals, text = word.removeprefix("--").partition("=")
        values = split_values(text)
        if not equals or "" in values or len(set(values)) < max(2, len(values)):
            problems.append(f"--choose {word}: write two different values or more, such as optimizer.lr=1e-4,1e-3")
        elif any(setting == name or setting.startswith(f"{name}.") for name in FIXED):
            problems.append(f"--choose {word}: '{setting}' is the same for all folds; choose settings of the training")
        elif setting in choices:
            problems.append(f"--choose {word}: '{setting}' stands there twice; give all its values at once")
        else:
            choices[setting] = values
    if problems:
        raise ConfigError(*problems)
    return choices


def split_values(text: str) -> list[str]:
    """The text cut at the commas that stand in no brackets and in no quotes.

    >>> split_values("all, [layer4, fc]")
    ['all', '[layer4, fc]']
    """
    values, depth, quote = [""], 0, ""
    for letter in text:
        if letter == "," and not depth and not quote:
            values.append("")
            continue
        values[-1] += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        else:
            depth += (letter in OPENING) - (letter in CLOSING)
    return [value.strip() for value in values]


def combinations(choices: Mapping[str, Sequence[str]]) -> list[Settings]:
    """Every combination of the values, the last setting changing fastest.

    >>> combinations({"a": ["1", "2"], "b": ["x"]})
    [{'a': '1', 'b': 'x'}, {'a': '2', 'b': 'x'}]
    """
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def to_options(settings: Mapping[str, str]) -> list[str]:
    """Settings as options of the command line.

    >>> to_options({"optimizer.lr": "1e-4"})
    ['--optimizer.lr=1e-4']
    """
    return [f"--{name}={value}" for name, value in settings.items()]
