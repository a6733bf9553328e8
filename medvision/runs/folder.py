"""The run folder: the one place that knows its file names, and what may stand behind them."""

import functools
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from medvision.errors import MedvisionError, RunError
from medvision.runs.files import read_text

FOLDER_VARIABLE = "MEDVISION_RUN_FOLDER"
# Of one whose dollar is not doubled, the value would be taken from the environment of whoever opens the run.
_VARIABLE = re.compile(r"(?<!\$)\$\{.{,40}")
P = ParamSpec("P")
R = TypeVar("R")


class Inside:
    """A file or folder inside a run folder.

    Args:
        name: its path, relative to the run folder.
        meaning: what it holds.
    """

    def __init__(self, name: str, meaning: str) -> None:
        self.name = name
        self.__doc__ = meaning

    def __get__(self, run: "RunFolder", kind: type) -> Path:
        """Its path."""
        return run.path / self.name


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run: what was asked, what was trained, how good it is."""

    path: Path

    experiment = Inside("experiment.yaml", "The resolved experiment, YAML.")
    environment = Inside("environment.json", "Versions, device, git commit, seed.")
    split = Inside("split.csv", "Every image with patient, split, fold and the SHA-256 of its file.")
    skipped = Inside("skipped.csv", "Images that were left out, and why.")
    best = Inside("checkpoints/best.ckpt", "The checkpoint that is evaluated.")
    last = Inside("checkpoints/last.ckpt", "The checkpoint from which training goes on.")
    preprocessing = Inside("preprocessing.json", "What must be done to an image before the network sees it.")
    history = Inside("history.csv", "One row an epoch.")
    predictions = Inside("predictions.csv", "The prediction table.")
    metrics = Inside("metrics.json", "{split: {level: {metric: {value, low, high, n}}}}.")
    decision = Inside("decision.json", "Temperature and thresholds, chosen on the validation split: part of the model.")
    curves = Inside("curves.json", "The points of every curve: {split: {level: {curve: points}}}.")
    subgroups = Inside("subgroups.json", "Metrics by metadata: {split: {level: [column]}}.")
    plan = Inside("plan.json", "What a folder of several runs was made for; only there.")
    parts = Inside("parts", "Folder of these runs.")
    folds = Inside("folds.json", "Metrics of every fold, with mean and standard deviation.")
    comparison = Inside("comparison.json", "Differences between models, with intervals and tests.")
    learning_curve = Inside("learning_curve.json", "Metrics by number of training images.")
    training_range = Inside("training_range.json", "What its training images are like: size, shape, storage, features.")
    features = Inside("features.csv", "What a classical baseline measured in every image.")
    choices = Inside("choices", "Folder of several runs: those on inner folds, by which settings were chosen.")
    clustering = Inside("clusters", "Folder of the clusters of what its network sees.")
    embedding = Inside("features.npz", "What the network sees in every image.")
    clusters = Inside("clusters.csv", "The cluster of every image.")
    cluster_scores = Inside("clusters.json", "How far clusters are classes.")
    tracking = Inside("tracking.json", "The W&B run that this run is recorded as.")
    sweep_file = Inside("sweep.yaml", "What a sweep searches, and how: W&B's format.")
    journal = Inside("study.journal", "Every trial of a sweep, as Optuna keeps it.")
    trials = Inside("trials.csv", "The trials of a sweep, one a row.")
    trial_runs = Inside("trials", "Folder of their runs.")
    sweep = Inside("sweep.json", "What a sweep was asked, and its best trial.")
    best_experiment = Inside("best.yaml", "The experiment of the best trial of a sweep.")
    selection = Inside("selection.json", "How this run was chosen among those of a sweep; only there.")
    cases = Inside("cases.json", "The most confident mistakes and the least certain images.")
    case_pictures = Inside("figures/cases", "Folder of their pictures.")
    report = Inside("report.html", "The report, one HTML file.")
    figures = Inside("figures", "Folder of figures.")
    training_batch = Inside("figures/training_batch.png", "What the network saw: augmented training images.")
    masks = Inside("masks", "Folder of predicted masks, at the size of the original images.")
    panels = Inside("figures/panels.png", "Best, median and worst masks beside the true ones.")
    frames = Inside("frames", "Folder of what the network said of some validation images after each epoch.")
    animation_gif = Inside("figures/training.gif", "How the prediction formed during training.")
    animation_webp = Inside("figures/training.webp", "The same in a smaller file.")
    exported = Inside("export", "Folder of exported models, and how far they agree with the run.")
    logs = Inside("logs", "Folder of TensorBoard and W&B files.")

    @property
    def started(self) -> bool:
        """Whether an epoch was finished."""
        return self.last.is_file()

    @property
    def finished(self) -> bool:
        """Whether everything is there: the report is written last."""
        return self.report.is_file()

    def inside(self, name: str) -> Path:
        """The path of a file that a file of the run names.

        Raises:
            RunError: it is not in the run folder.
        """
        path = self.path / name
        if "\0" in name or not path.resolve().is_relative_to(self.path.resolve()):
            raise RunError(f"{self.path}: its files name {name!r}, which lies outside the run folder")
        return path

    def check_links(self) -> None:
        """Refuse links that lead out of the run folder: who follows them reads or writes something else.

        What loggers leave in `logs` is not looked at, and neither read nor written by any other command.

        Raises:
            RunError: the first of them.
        """
        root = self.path.resolve()
        for folder, folders, files in os.walk(root):
            if Path(folder) == root and self.logs.name in folders:
                folders.remove(self.logs.name)
            for path in (Path(folder, name) for name in (*folders, *files)):
                if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                    raise RunError(f"{path}: is a link out of the run folder; put what it leads to in its place")


def reads_run(function: Callable[P, R]) -> Callable[P, R]:
    """For a function that works on the files of a run folder: what does not fit together there is a RunError.

    A run folder may come from another machine, from another version, or from somebody who means harm. The line names
    the place in the program at which it was noticed, and the exception keeps its cause.

    Args:
        function: with a RunFolder among its positional arguments.
    """

    @functools.wraps(function)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        run = next(value for value in args if isinstance(value, RunFolder))
        run.check_links()
        try:
            return function(*args, **kwargs)
        except (MedvisionError, Warning):
            raise
        except Exception as error:
            raise RunError(f"{run.path}: {_misfit(error)}") from error

    return told


def _misfit(error: Exception) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f", {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return f"its files do not fit together, or are of another version of medvision ({reason}{where})"


def create_run(output: Path, name: str) -> RunFolder:
    """A new run folder `<output>/<name>/<time>-<short id>`, with `<output>/<name>/latest` linked to it.

    A process that a multi-device strategy has started finds the folder of its parent instead.
    """
    inherited = os.environ.get(FOLDER_VARIABLE)
    if inherited and os.environ.get("LOCAL_RANK", "0") != "0":
        return RunFolder(Path(inherited))
    # A local time: it is read by the person who started the run.
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    run = RunFolder(output / name / f"{stamp}-{secrets.token_hex(2)}")
    run.path.mkdir(parents=True)
    os.environ[FOLDER_VARIABLE] = str(run.path.resolve())
    link_latest(run)
    return run


def link_latest(run: RunFolder) -> None:
    """Point `latest` beside the run folder at it. Where links are not allowed, `latest` is a file with the name."""
    latest = run.path.parent / "latest"
    fresh = run.path.parent / f".latest-{run.path.name}"
    try:
        fresh.symlink_to(run.path.name)
    except OSError:
        fresh.write_text(run.path.name, encoding="utf-8")
    fresh.replace(latest)


def open_run(name: str | Path, output: Path = Path("runs")) -> RunFolder:
    """An existing run folder.

    Args:
        name: its path; `<output>/<name>` or `<output>/<name>/latest`; or `latest`, the newest of all under `output`.
        output: the folder of all runs.

    Raises:
        RunError: there is no such run; or one that no run of this program can have left so.
    """
    if str(name) == "latest":
        candidates = sorted(output.glob("*/*/experiment.yaml"), key=lambda file: file.stat().st_mtime)
        if not candidates:
            raise RunError(f"{output}: no run here yet; give the path of a run folder")
        return RunFolder(candidates[-1].parent.resolve())
    path = Path(name)
    if path.name == "latest" and path.is_file():
        path = path.parent / Path(read_text(path).strip()).name
    if not (path / "experiment.yaml").is_file() and path.name != "latest" and (path / "latest").exists():
        return open_run(path / "latest")
    run = RunFolder(path.resolve())
    if not path.is_dir():
        raise RunError(f"{name}: no such run folder; `medvision fit` prints the path of the one it writes")
    if not run.experiment.is_file():
        raise RunError(f"{name}: no run folder, it has no experiment.yaml")
    run.check_links()
    variable = _VARIABLE.search(read_text(run.experiment))
    if variable is not None:
        raise RunError(
            f"{run.experiment}: names an environment variable, {variable[0]}; what a run has written has none"
        )
    return run
