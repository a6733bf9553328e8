"""What an exported file tells of its network: all that asking it needs, and what must be known of it; no patient."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from medvision.answering.inputs import Fit, Preparation
from medvision.answering.model import Member, Model
from medvision.config.tiles import TileGrid
from medvision.errors import ModelError, RunError
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import TrainingRange
from medvision.runs.shapes import check_shape

KEY = "medvision"
"""Under which the object stands in the metadata of an ONNX file and in `config.json`."""

Precision = Literal["fp32", "fp16", "int8"]
# More would not be a network for images, but a file that wants all memory: a batch of inputs in bytes.
_MOST_BYTES = 2**31
_Names = tuple[Annotated[str, Field(min_length=1, max_length=200)], ...]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Features(_Plain):
    mean: list[float]
    deviation: list[PositiveFloat]
    farthest: NonNegativeFloat
    images: NonNegativeInt

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if not 0 < len(self.mean) == len(self.deviation):
            raise ValueError(f"{len(self.mean)} means and {len(self.deviation)} deviations")
        return self


class _Range(_Plain):
    longer: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
    proportions: Annotated[list[PositiveFloat], Field(min_length=2, max_length=2)]
    storages: list[str]
    features: _Features | None


class ModelInfo(_Plain):
    """What an exported network is, plain values.

    Args:
        format: of this object.
        name: of the experiment.
        identity: SHA-256 of weights, decision and training range of the run, as `Model.identity`.
        task: of the experiment, such as `classification`.
        question: that the experiment answers, in a sentence; may be empty.
        classes: of the labels, in the order of the outputs; none without labels.
        multilabel: several labels an image, or none.
        mask_classes: of the pixels, the background first; none without masks.
        image_size: side of the square, or of a window, in pixels.
        resize: how an image becomes the square.
        channels: 1 for grey, 3 for RGB.
        tiles: `rows` and `columns` that an image is cut into; None for whole images.
        window_overlap: share that neighbouring windows have in common, with `resize: none`; None otherwise.
        batch_size: inputs at a time.
        patients: that temperature and thresholds were chosen on.
        decision: what `Decision.to_json` gives. The graph of an ONNX file holds the temperature already.
        training_range: what `TrainingRange.to_json` gives; None where the run does not know.
        pixel_spacing: distances of rows and of columns in mm of the original images; None where it is not known or
            not the same for all.
        simulated: whether it was trained on images that a program drew.
        precision: of the network in the file.
        medvision: version that has exported it.
        created: when, UTC, ISO 8601.
        licence: of the data.
        citation: of the data.
        data: {split: {`images`, `patients` (None where nobody says), `classes` (their counts)}}.
        metrics: {split: {level: {metric: entry}}} of validation and test, as in `metrics.json`.
        intended_use: what it may be used for, in sentences.
        experiment: the resolved experiment, without where the data lie and whose account tracks it.
    """

    model_config = ConfigDict(protected_namespaces=())

    format: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
    identity: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    task: str
    question: str
    classes: _Names
    multilabel: bool
    mask_classes: _Names
    image_size: PositiveInt
    resize: Fit
    channels: Literal[1, 3]
    tiles: TileGrid | None
    window_overlap: Annotated[float, Field(ge=0, lt=1)] | None
    batch_size: PositiveInt
    patients: NonNegativeInt
    decision: dict[str, Any]
    training_range: dict[str, Any] | None
    pixel_spacing: tuple[PositiveFloat, PositiveFloat] | None
    simulated: bool
    precision: Precision
    medvision: str
    created: str
    licence: str
    citation: str
    data: dict[str, Any]
    metrics: dict[str, Any]
    intended_use: str
    experiment: dict[str, Any]

    @field_validator("decision")
    @classmethod
    def _check_decision(cls, decision: dict[str, Any]) -> dict[str, Any]:
        try:
            check_shape(Path("decision.json"), decision)
            Decision.from_json(decision)
        except (RunError, LookupError, TypeError) as error:
            raise ValueError(f"is none: {error}") from error
        return decision

    @field_validator("training_range")
    @classmethod
    def _check_range(cls, saved: dict[str, Any] | None) -> dict[str, Any] | None:
        if saved is not None:
            _Range.model_validate(saved)
        return saved

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.classes and not self.mask_classes:
            raise ValueError("neither classes nor mask_classes")
        for names in (self.classes, self.mask_classes):
            if len(set(names)) < len(names) or len(names) == 1:
                raise ValueError(f"expected two classes or more of different names, got {', '.join(names)}")
        if (self.resize == "none") != (self.window_overlap is not None):
            raise ValueError("window_overlap belongs to resize: none")
        inputs = max(self.batch_size, 1 if self.tiles is None else self.tiles.rows * self.tiles.columns)
        if inputs * self.channels * self.image_size**2 > _MOST_BYTES:
            raise ValueError(f"batches of {inputs} images of {self.image_size} pixels are more than 2 GiB")
        return self

    @property
    def preparation(self) -> Preparation:
        """What is done to an image."""
        return Preparation(self.image_size, self.resize, self.channels, self.tiles)

    @property
    def range(self) -> TrainingRange | None:
        """What its training images are like."""
        return None if self.training_range is None else TrainingRange.from_json(self.training_range)

    def to_model(self, member: Member, where: str, identity: str) -> Model:
        """The model to be asked.

        Args:
            member: its one network.
            where: name of the file or folder that it comes from.
            identity: of all that this file holds: files of one run that differ in precision answer differently.
        """
        return Model(
            name=f"{self.name}/{where}",
            identity=identity,
            members=(member,),
            classes=self.classes,
            multilabel=self.multilabel,
            mask_classes=self.mask_classes,
            preparation=self.preparation,
            batch_size=self.batch_size,
            patients=self.patients,
            known=None,
            simulated=self.simulated,
        )


def read_info(text: str, where: str) -> ModelInfo:
    """What an exported file tells, which somebody else may have written.

    Args:
        text: JSON.
        where: of which file, for the message.

    Raises:
        ModelError: the first thing that is wrong.
    """
    try:
        return ModelInfo.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, (KEY, *first["loc"])))[:100]
        reason = " ".join(first["msg"].split())[:200]
        raise ModelError(
            f"{where}: its metadata is damaged, or of another version of medvision: {place}: {reason}"
        ) from error
