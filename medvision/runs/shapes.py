"""What shape the JSON files of a run folder have, as far as the program relies on it without looking again."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from medvision.errors import RunError

# One folder below another: no such name leads elsewhere.
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Data(_Shape):
    classes: list[str] = []
    mask_classes: list[str] = []
    multilabel: bool = False
    simulated: bool = False
    citation: str = ""
    licence: str = ""
    url: str = ""


class _Environment(_Shape):
    data: _Data | None = None


class _Decision(_Shape):
    model_config = ConfigDict(extra="forbid")

    temperature: Annotated[float, Field(gt=0)]
    aggregate: Literal["mean", "max", "noisy_or"] = "mean"
    rule: float | str = 0.5
    thresholds: dict[str, dict[str, float]] = {}
    chosen_on: dict[str, Any] | None = None
    notes: list[str]


class _FoldDecisions(_Shape):
    folds: dict[str, _Decision]


class _Model(_Shape):
    name: str
    run: str
    experiment: dict[str, Any]


class _Plan(_Shape):
    kind: str
    folds: Annotated[int, Field(ge=1)] = 1
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    parts: list[_Name] = []
    choose: dict[str, list[str]] = {}
    models: list[_Model] = []
    sizes: list[int] = []
    experiments: list[dict[str, Any]] = []


class _Folds(_Shape):
    parts: dict[_Name, dict[str, Any]]
    missing: list[str] = []


class _Case(_Shape):
    kind: str
    image: str
    picture: str | None = None
    map: str | None = None


_SHAPES: dict[str, TypeAdapter[Any]] = {
    "environment.json": TypeAdapter(_Environment),
    "decision.json": TypeAdapter(_FoldDecisions | _Decision),
    "metrics.json": TypeAdapter(dict[str, dict[str, dict[str, dict[str, Any]]]]),
    "curves.json": TypeAdapter(dict[str, Any]),
    "subgroups.json": TypeAdapter(dict[str, Any]),
    "plan.json": TypeAdapter(_Plan),
    "folds.json": TypeAdapter(_Folds),
    "cases.json": TypeAdapter(list[_Case]),
}


def check_shape(path: Path, value: Any) -> None:
    """Refuse a file that does not hold what its name promises; files of other names may hold anything.

    Args:
        path: of the file, for its name and the message.
        value: what it holds.

    Raises:
        RunError: the first thing that is wrong, and where in the file.
    """
    shape = _SHAPES.get(path.name)
    if shape is None:
        return
    try:
        shape.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise RunError(f"{path}: damaged, or of another version of medvision: {where}: {first['msg']}") from error
