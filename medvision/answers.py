"""Trained networks answer for image files that belong to no data set."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from medvision.config import find_class, load_experiment, typed_arguments
from medvision.config.settings import Experiment
from medvision.config.tiles import TileGrid
from medvision.data.images import frames_of, parse_image_name
from medvision.data.sources import ImageDecoder
from medvision.data.tiles import parse_tile_name, tile_names
from medvision.datamodules.base import DataModule
from medvision.datamodules.folder import is_image
from medvision.datamodules.tiled import TiledDataModule
from medvision.errors import DataError, ImageError, RunError
from medvision.evaluation.cases import aggregate_probabilities
from medvision.evaluation.decision import apply_decision
from medvision.evaluation.operating_point import UNCHANGED, Decision, decide
from medvision.evaluation.predictions import join_names, probability_columns, shortest_decimals
from medvision.folds import fold_runs
from medvision.runs import RunFolder, open_run, read_json, read_table
from medvision.tasks.base import Task
from medvision.training import build_task

Floats = npt.NDArray[np.float64]
LEARNED_FROM = ("train", "val")


@dataclass(frozen=True)
class Member:
    """A trained network with all that is needed to ask it.

    Args:
        folder: its run.
        experiment: the resolved experiment.
        task: with the weights of the best checkpoint, on the device that answers.
        decision: temperature, aggregate and thresholds that the run has chosen.
        classes: in the order of the outputs.
        multilabel: several classes an image, or none.
    """

    folder: RunFolder
    experiment: Experiment
    task: Task
    decision: Decision
    classes: list[str]
    multilabel: bool


def open_members(run: str | Path | RunFolder) -> list[Member]:
    """The network of a run, or those of all folds of a cross-validation.

    Raises:
        RunError: no run, one without a checkpoint, or one that is not asked for classes.
    """
    folder = run if isinstance(run, RunFolder) else open_run(run)
    if not folder.plan.is_file():
        return [_load(folder)]
    if read_json(folder.plan).get("kind") != "cross_validation":
        raise RunError(f"{folder.path}: holds runs of several experiments; name one of them, below {folder.parts}")
    return [_load(fold) for fold in fold_runs(folder)]


def _load(folder: RunFolder) -> Member:
    experiment = load_experiment([str(folder.experiment)], [])
    data = read_json(folder.environment)["data"]
    if not data["classes"]:
        raise RunError(
            f"{folder.path}: a run for masks, and this command says which class an image shows; "
            f"`medvision evaluate {folder.path}` draws the masks of its own data set"
        )
    if not folder.best.is_file():
        raise RunError(f"{folder.best}: no checkpoint; the run was stopped before its first epoch was validated")
    task = build_task(experiment, data, weights=False)
    task.load_state_dict(torch.load(folder.best, weights_only=True, map_location="cpu")["state_dict"])
    task.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    decision = Decision.from_json(read_json(folder.decision)) if folder.decision.is_file() else UNCHANGED
    return Member(folder, experiment, task, decision, list(data["classes"]), bool(data["multilabel"]))


def answer(members: Sequence[Member], paths: Iterable[str | Path]) -> pd.DataFrame:
    """What the networks say together of every image; see `medvision.predict.predict`.

    Args:
        members: of one experiment.
        paths: image files, or folders that are searched for them.

    Raises:
        DataError: images that are missing or cannot be read, a line each.
    """
    first, images = members[0], find_images(paths)
    reader = _Reader.of(first.experiment)
    names = reader.inputs(images)
    united = [_unite(member, said, len(images), reader) for member, said in _ask(members, reader, names)]
    mean = np.mean(united, axis=0)
    table = pd.DataFrame({"image": images, "predicted": _decide(members, mean, reader)})
    table[probability_columns(first.classes)] = shortest_decimals(mean)
    if len(members) > 1:
        table[[f"sd_{name}" for name in first.classes]] = shortest_decimals(np.std(united, axis=0, ddof=1))
    known = _known_digests(members)
    seen = np.array([reader.digest(name) in known for name in names]).reshape(len(images), -1)
    table["trained_on"] = np.asarray(seen.any(axis=1), dtype=bool)
    return table


def find_images(paths: Iterable[str | Path]) -> list[str]:
    """The names of all images, those of its frames where a file has several; each once, in the order given.

    Args:
        paths: image files, or folders that are searched for them.

    Raises:
        DataError: files that are missing or no images, folders without images, a line each.
    """
    found: dict[str, None] = {}
    problems: list[str] = []
    for path in map(Path, paths):
        files = sorted(filter(_is_shown, path.rglob("*"))) if path.is_dir() else [path]
        if not files:
            problems.append(f"{path}: no image below this folder")
        for file in files:
            try:
                frames = frames_of(file)
            except ImageError as error:
                problems += error.lines
            else:
                found |= dict.fromkeys([str(file)] if frames == 1 else [f"{file}#{k}" for k in range(frames)])
    if problems or not found:
        raise DataError(*(problems or ["no image was named; give files or folders"]))
    return list(found)


def _is_shown(file: Path) -> bool:
    return file.name[0] not in "._" and is_image(file)


@dataclass(frozen=True)
class _Reader:
    """Reads images as the datamodule of an experiment does, whose data set may be elsewhere or gone.

    Args:
        datamodule: not set up.
    """

    datamodule: DataModule

    @classmethod
    def of(cls, experiment: Experiment) -> "_Reader":
        kind = find_class("data", experiment.data["name"])
        settings = typed_arguments("data", experiment.data)
        return cls(kind(**settings, split=experiment.split, seed=experiment.seed))

    @property
    def grid(self) -> TileGrid | None:
        """The tiles that the network was trained on; None for whole images."""
        return self.datamodule.tiles if isinstance(self.datamodule, TiledDataModule) else None

    @property
    def level(self) -> str:
        """Whose thresholds decide: an image in tiles is a study."""
        return "image" if self.grid is None else "study"

    def inputs(self, images: Sequence[str]) -> list[str]:
        """What the network sees, image by image, under whole paths."""
        whole = [str(Path(name).absolute()) for name in images]
        return whole if self.grid is None else [tile for name in whole for tile in tile_names(name, self.grid)]

    def batches(self, names: Sequence[str]) -> Iterable[torch.Tensor]:
        """uint8 (B, C, S, S); after a mistake no more of them, but all mistakes at once.

        Raises:
            DataError: images that cannot be read, a line each.
        """
        data, problems = self.datamodule, dict[str, None]()
        read = data.read_pixels if self._knows_files(names) else partial(DataModule.read_pixels, data)
        decode = ImageDecoder(read, data.digest, data.image_size, data.resize)
        # Images that keep their own sizes do not fit into one batch.
        size = 1 if data.resize == "none" else data.batch_size
        for start in range(0, len(names), size):
            pixels = []
            for name in names[start : start + size]:
                try:
                    pixels.append(decode.pixels(name))
                except ImageError as error:
                    problems |= dict.fromkeys(error.lines)
            if not problems:
                batch = torch.from_numpy(np.stack(pixels))
                yield batch.unsqueeze(1) if batch.ndim == 3 else batch.permute(0, 3, 1, 2)
        if problems:
            raise DataError(*problems)

    def digest(self, name: str) -> str:
        """The SHA-256 that `split.csv` would hold; empty for a file where it holds those of an archive."""
        return self.datamodule.digest(name) if self._knows_files([name]) else ""

    def _knows_files(self, names: Sequence[str]) -> bool:
        """Whether its own way of reading is for files; that of an archive is for what lies within."""
        return all(self.datamodule.file_of(name) == _file(name) for name in names)


def _file(name: str) -> Path:
    return Path(parse_image_name(parse_tile_name(name)[0])[0])


def _ask(members: Sequence[Member], reader: _Reader, names: Sequence[str]) -> list[tuple[Member, Floats]]:
    """What each network says of each input, (n, K); every image is read once for all of them."""
    said: list[list[np.ndarray]] = [[] for _ in members]
    for batch in reader.batches(names):
        for member, parts in zip(members, said, strict=True):
            with torch.inference_mode():
                rows = member.task.predict_rows(batch.to(member.task.device))
            parts.append(rows["probabilities"].float().cpu().numpy())
    return [(member, shortest_decimals(np.concatenate(p))) for member, p in zip(members, said, strict=True)]


def _unite(member: Member, said: Floats, images: int, reader: _Reader) -> Floats:
    """Calibrated probabilities of each image, (n, K), from those of its tiles where it has them."""
    columns = probability_columns(member.classes)
    raw = pd.DataFrame(said, columns=columns)
    table = apply_decision(raw, member.classes, member.decision, multilabel=member.multilabel)
    calibrated = table[columns].to_numpy(dtype=np.float64)
    if reader.grid is None:
        return calibrated
    tiles = np.repeat(np.arange(images), len(said) // images)
    return aggregate_probabilities(calibrated, tiles, member.decision.aggregate, multilabel=member.multilabel)


def _decide(members: Sequence[Member], mean: Floats, reader: _Reader) -> list[str]:
    """The answer for each image: folds answer with the mean of their thresholds."""
    classes, level = members[0].classes, reader.level
    thresholds = {
        name: float(np.mean([member.decision.threshold(level, name) for member in members])) for name in classes
    }
    together = Decision(thresholds={level: thresholds})
    answers = decide(mean, classes, together, level, multilabel=members[0].multilabel)
    return [join_names(classes, row) for row in answers]


def count_patients(members: Sequence[Member]) -> int:
    """How many patients temperatures and thresholds were chosen on, by all networks together."""
    tables = [read_table(member.folder.split) for member in members]
    return len({group for table in tables for group in table.loc[table["split"] == "val", "group"]})


def _known_digests(members: Sequence[Member]) -> set[str]:
    """The SHA-256 of all images that any of the networks has learned from, or was tuned on."""
    tables = [read_table(member.folder.split) for member in members]
    return {digest for table in tables for digest in table.loc[table["split"].isin(LEARNED_FROM), "sha256"]}
