import math

import pytest
import yaml

from medvision.config.yaml_dialect import Dumper, Loader, resolve_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("1e-05", 1e-5), ("1.e-3", 1e-3), ("1.5e+3", 1500.0), (".5", 0.5), ("-1.", -1.0), ("3", 3),
        ("-3", -3), ("0", 0), (".inf", math.inf), ("None", None), ("null", None), ("~", None), ("", None),
        ("true", True), ("False", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"),
        ("n", "n"), ("007", "007"), ("0x1F", "0x1F"), ("1:30", "1:30"), ("2024-01-31", "2024-01-31"),
        ("1_000", "1_000"), ("=", "="), ("nothing", "nothing"), ("1e", "1e"), ("<<", "<<"), ("16-mixed", "16-mixed"),
    ],
)  # fmt: skip
def test_plain_scalars(text, value):
    got = resolve_scalar(text)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        "1e-3",
        "None",
        "no",
        "007",
        "true",
        "",
        "a: b",
        "#",
        "[x",
        "1.5",
        "~",
        "ä",
        "a\nb",
        " a",
        "=",
        "<<",
        "!x",
        "*a",
        1e-5,
        1e22,
        0.1,
        3,
        None,
        True,
        [],
        {},
        [1, [2]],
        {"a": {"b": None}},
    ],
)
def test_what_is_written_is_read_back(value):
    text = yaml.dump({"key": value}, Dumper=Dumper, allow_unicode=True)
    assert yaml.load(text, Loader) == {"key": value}
