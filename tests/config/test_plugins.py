import json
import sys
from pathlib import Path

import pytest

from medvision.config import find_class, load_experiment, show, typed_arguments
from medvision.errors import ConfigError

BREAST = """\
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
import numpy as np
from lightning import LightningDataModule, LightningModule
from pydantic import PositiveInt
from medvision.datamodules.base import DataModule

@dataclass(kw_only=True, eq=False)
class Breast(DataModule):
    view: Literal["cc", "mlo"] = "cc"
    size: tuple[PositiveInt, PositiveInt] = (2, 3)
    labels: Path | None = None
    json: dict[str, int] = field(default_factory=dict)

class Plain(LightningDataModule):
    def __init__(self, root: "str", split, copy: bool = False, **more) -> None: ...

class Task(LightningModule):
    def __init__(self, dataset, optimizer, schedule, width: int = 3) -> None: ...

class Untyped(LightningDataModule):
    def __init__(self, root, depth=3) -> None: ...

class Unknown(LightningDataModule):
    def __init__(self, root: "NotThere") -> None: ...

class Array(LightningDataModule):
    def __init__(self, root: np.ndarray) -> None: ...

class Unwritable(LightningDataModule):
    def __init__(self, root: object = np) -> None: ...

class Named(LightningDataModule):
    def __init__(self, name: str) -> None: ...

class Nothing: ...

not_a_class = 3
"""


@pytest.fixture
def plugin(write, monkeypatch: pytest.MonkeyPatch):
    """A user's own module in the current folder."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    write()
    Path("breast_plugin.py").write_text(BREAST, encoding="utf-8")
    yield
    sys.modules.pop("breast_plugin", None)


def load(data: str, model: str = "{task: classification}"):
    Path("x.yaml").write_text(f"name: x\ndata: {data}\nmodel: {model}\n", encoding="utf-8")
    return load_experiment(["x.yaml"], [])


def mistakes(data: str, model: str = "{task: classification}") -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(data, model)
    return list(error.value.lines)


@pytest.mark.usefixtures("plugin")
def test_a_class_of_the_users_own():
    experiment = load("{name: breast_plugin:Breast, root: r, size: [4, 5], labels: a.csv, json: {a: 1}}")
    assert experiment.data["name"] == "breast_plugin:Breast"
    assert experiment.data["view"] == "cc"
    assert experiment.data["size"] == [4, 5]
    assert json.loads(json.dumps(experiment.data)) == experiment.data
    arguments = typed_arguments("data", experiment.data)
    assert arguments["size"] == (4, 5)
    assert arguments["labels"] == Path("a.csv")
    assert "name" not in arguments
    assert find_class("data", "breast_plugin:Breast")(**arguments).view == "cc"
    Path("shown.yaml").write_text(show(experiment), encoding="utf-8")
    assert load_experiment(["shown.yaml"], []) == experiment


@pytest.mark.usefixtures("plugin")
def test_classes_with_an_initializer():
    experiment = load("{name: breast_plugin:Plain, root: r}", "{task: breast_plugin:Task, width: 4}")
    assert experiment.data == {"name": "breast_plugin:Plain", "root": "r", "copy": False}
    assert experiment.model == {"task": "breast_plugin:Task", "width": 4}


@pytest.mark.usefixtures("plugin")
def test_settings_of_an_own_class_are_strict():
    assert mistakes("{name: breast_plugin:Breast, root: r, veiw: cc, size: [0, 1], json: {a: b}}") == [
        "x.yaml:2: data.size.0: expected a value greater than 0, got 0",
        "x.yaml:2: data.json.a: expected a whole number, got 'b'",
        "x.yaml:2: unknown setting 'data.veiw'; did you mean 'view'?",
    ]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("breast_plugin:Brest", "no class 'Brest' in breast_plugin; did you mean 'Breast'?"),
        ("breast_plugin:not_a_class", "no class 'not_a_class' in breast_plugin"),
        ("no_such_module:Breast", "no module 'no_such_module', neither installed nor in the folder"),
        ("breast_plugin.inner:Breast", "breast_plugin.inner"),
        ("breast_plugin:Nothing", "Nothing is not a LightningDataModule of lightning"),
        ("breast_plugin:Task", "Task is not a LightningDataModule of lightning"),
        ("breast_plugin:Unknown", "the type of the parameter 'root' of Unknown cannot be looked up: name 'NotThere'"),
        ("breast_plugin:Array", "no value of a file fits the type <class 'numpy.ndarray'> of the parameter 'root'"),
        ("breast_plugin:Unwritable", "a default of the class cannot be written to a file"),
        ("breast_plugin:Named", "the class has a parameter 'name', which names the class itself here; rename it"),
        ("breast_plugin.Breast", "; a class of your own is package.module:Class"),
    ],
)
def test_an_unusable_class_is_one_line(name, expected):
    (line,) = mistakes(f"{{name: '{name}'}}")
    assert line.startswith("x.yaml:2: data.name: ")
    assert expected in line


@pytest.mark.usefixtures("plugin")
def test_parameters_without_a_type():
    assert mistakes("{name: breast_plugin:Untyped}") == [
        "x.yaml:2: data.name: the parameter 'root' of Untyped needs a type, such as root: int",
        "x.yaml:2: data.name: the parameter 'depth' of Untyped needs a type, such as depth: int",
    ]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import no_such_thing\n", "broken_plugin cannot be imported: No module named 'no_such_thing'"),
        ("class A(:\n", "broken_plugin cannot be imported: "),
        ("from medvision.errors import Nothing\n", "broken_plugin cannot be imported: cannot import name 'Nothing'"),
        ("class LightningDataModule: ...\nLightningDataModule.__module__ = 'pytorch_lightning.core'\n"
         "class A(LightningDataModule): ...\n", "A derives from pytorch_lightning.LightningDataModule; import"),
    ],
)  # fmt: skip
def test_a_module_that_cannot_be_used(text, expected):
    Path("broken_plugin.py").write_text(text, encoding="utf-8")
    sys.modules.pop("broken_plugin", None)
    (line,) = mistakes("{name: 'broken_plugin:A', roto: r}")[:1]
    assert expected in line
