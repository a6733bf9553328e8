import dataclasses
import math
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, PositiveInt

from medvision.config import source
from medvision.config.plugins import KINDS, find_class
from medvision.config.settings import SplitSettings
from medvision.config.signature import REQUIRED, inspect_parameters
from medvision.config.source import read_parameters

FILES = {
    "base.py": """
        import math
        from dataclasses import dataclass, field
        from pathlib import Path
        from typing import Annotated, Any, ClassVar, Literal
        import torch
        from pydantic import Field, PositiveInt
        from medvision.config.settings import SplitSettings
        from medvision.shapes import Side, LARGEST

        Mode = Literal["a", "b"]
        DEFAULT: Mode = "a"

        @dataclass(kw_only=True, eq=False)
        class Base(torch.Module):
            root: str
            size: PositiveInt = 224
            side: Side = "left"
            mode: "Mode" = DEFAULT
            pair: tuple[int, int] = field(default_factory=lambda: (LARGEST, 2))
            path: Path | None = Path("x")
            rate: Annotated[float, Field(gt=0)] = math.pi
            hidden: int = field(default=3, init=False)
            split: SplitSettings = field(default_factory=SplitSettings)
            device: ClassVar[torch.device] = torch.device("cpu")
        """,
    "child.py": """
        from dataclasses import dataclass
        from medvision.base import Base as Parent

        @dataclass(kw_only=True, eq=False)
        class Child(Parent):
            size: int = 64
            extra: str | None = None

        class Same(Child):
            size: int = 3
        """,
    "shapes/__init__.py": 'from typing import Literal\nSide = Literal["left", "right"]\nLARGEST = 4 * 10\n',
    "task.py": """
        from __future__ import annotations
        import torch

        class Task(torch.Module):
            def __init__(self, dataset: torch.Tensor, optimizer, width: int, *, loss: str = "", deep: bool): ...

        class Heavy(torch.Module):
            def __init__(self, net: torch.Module) -> None: ...

        class Untyped(torch.Module):
            def __init__(self, width=3) -> None: ...
        """,
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, text in FILES.items():
        path = tmp_path / "medvision" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line.removeprefix(" " * 8) for line in text.splitlines()), encoding="utf-8")
    monkeypatch.setattr(source, "PACKAGE", tmp_path / "medvision")
    source._Source.of.cache_clear()
    yield
    source._Source.of.cache_clear()


@pytest.mark.usefixtures("package")
def test_fields_of_a_dataclass():
    parameters = read_parameters("medvision.base:Base")
    rate = parameters.pop("rate")
    assert (str(rate.annotation), rate.default) == (str(Annotated[float, Field(gt=0)]), math.pi)
    assert {name: (p.annotation, p.default) for name, p in parameters.items()} == {
        "root": (str, REQUIRED),
        "size": (PositiveInt, 224),
        "side": (Literal["left", "right"], "left"),
        "mode": (Literal["a", "b"], "a"),
        "pair": (tuple[int, int], (40, 2)),
        "path": (Path | None, Path("x")),
    }


@pytest.mark.usefixtures("package")
def test_fields_of_base_classes_come_first():
    parameters = read_parameters("medvision.child:Child")
    assert list(parameters) == ["root", "size", "side", "mode", "pair", "path", "rate", "extra"]
    assert parameters["size"].annotation is int
    assert read_parameters("medvision.child:Same")["size"].default == 64


@pytest.mark.usefixtures("package")
def test_arguments_of_an_initializer():
    parameters = read_parameters("medvision.task:Task")
    assert {name: (p.annotation, p.default) for name, p in parameters.items()} == {
        "width": (int, REQUIRED),
        "loss": (str, ""),
        "deep": (bool, REQUIRED),
    }


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(("name", "words"), [("Heavy", "without importing torch"), ("Untyped", "'width' has no type")])
def test_what_cannot_be_read_is_our_own_mistake(name, words):
    with pytest.raises(LookupError, match=words):
        read_parameters(f"medvision.task:{name}")


@pytest.mark.parametrize(
    ("section", "name"), [(section, name) for section, kind in KINDS.items() for name in kind.registry]
)
def test_shipped_classes_are_read_as_they_are(section, name):
    read = read_parameters(KINDS[section].registry[name])
    imported = inspect_parameters(find_class(section, name))
    # As text: pydantic's Field(gt=0) differs from itself in another place.
    assert [(p.name, str(p.annotation), p.default) for p in read.values()] == [
        (p.name, str(p.annotation), p.default) for p in imported.values()
    ]


def test_parameters_of_an_imported_class():
    @dataclasses.dataclass
    class Data:
        root: str
        sizes: "list[int]" = dataclasses.field(default_factory=lambda: [1])
        split: SplitSettings = dataclasses.field(default_factory=SplitSettings)

    assert {name: (p.annotation, p.default) for name, p in inspect_parameters(Data).items()} == {
        "root": (str, REQUIRED),
        "sizes": (list[int], [1]),
    }
