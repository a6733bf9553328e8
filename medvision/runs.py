"""The run folder: the one place that knows its file names."""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from medvision.errors import RunError

TEXT_COLUMNS = dict.fromkeys(
    ("image", "label", "mask", "mask_true", "patient", "study", "group", "target", "predicted", "unit"), str
)
FOLDER_VARIABLE = "MEDVISION_RUN_FOLDER"


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run: what was asked, what was trained, how good it is."""

    path: Path

    @property
    def experiment(self) -> Path:
        """The resolved experiment, YAML."""
        return self.path / "experiment.yaml"

    @property
    def environment(self) -> Path:
        """Versions, device, git commit, seed."""
        return self.path / "environment.json"

    @property
    def split(self) -> Path:
        """Every image with patient, split, fold and the SHA-256 of its file."""
        return self.path / "split.csv"

    @property
    def skipped(self) -> Path:
        """Images that were left out, and why."""
        return self.path / "skipped.csv"

    @property
    def best(self) -> Path:
        """The checkpoint that is evaluated."""
        return self.path / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint from which training goes on."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def preprocessing(self) -> Path:
        """What must be done to an image before the network sees it."""
        return self.path / "preprocessing.json"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.path / "history.csv"

    @property
    def predictions(self) -> Path:
        """The prediction table."""
        return self.path / "predictions.csv"

    @property
    def metrics(self) -> Path:
        """{split: {level: {metric: {value, low, high, n}}}}."""
        return self.path / "metrics.json"

    @property
    def decision(self) -> Path:
        """Temperature and thresholds, chosen on the validation split: part of the model."""
        return self.path / "decision.json"

    @property
    def curves(self) -> Path:
        """The points of every curve: {split: {level: {curve: points}}}."""
        return self.path / "curves.json"

    @property
    def subgroups(self) -> Path:
        """Metrics by metadata: {split: {level: [column]}}."""
        return self.path / "subgroups.json"

    @property
    def plan(self) -> Path:
        """What a folder of several runs was made for; only there."""
        return self.path / "plan.json"

    @property
    def parts(self) -> Path:
        """Folder of these runs."""
        return self.path / "parts"

    @property
    def folds(self) -> Path:
        """Metrics of every fold, with mean and standard deviation."""
        return self.path / "folds.json"

    @property
    def comparison(self) -> Path:
        """Differences between models, with intervals and tests."""
        return self.path / "comparison.json"

    @property
    def learning_curve(self) -> Path:
        """Metrics by number of training images."""
        return self.path / "learning_curve.json"

    @property
    def features(self) -> Path:
        """What a classical baseline measured in every image."""
        return self.path / "features.csv"

    @property
    def clusters(self) -> Path:
        """The cluster of every image."""
        return self.path / "clusters.csv"

    @property
    def cluster_scores(self) -> Path:
        """How far clusters are classes."""
        return self.path / "clusters.json"

    @property
    def cases(self) -> Path:
        """The most confident mistakes and the least certain images."""
        return self.path / "cases.json"

    @property
    def case_pictures(self) -> Path:
        """Folder of their pictures."""
        return self.figures / "cases"

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.path / "report.html"

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self.path / "figures"

    @property
    def training_batch(self) -> Path:
        """What the network saw: a contact sheet of augmented training images."""
        return self.figures / "training_batch.png"

    @property
    def masks(self) -> Path:
        """Folder of predicted masks, at the size of the original images."""
        return self.path / "masks"

    @property
    def panels(self) -> Path:
        """Best, median and worst masks beside the true ones."""
        return self.figures / "panels.png"

    @property
    def frames(self) -> Path:
        """Folder of what the network said of some validation images after each epoch."""
        return self.path / "frames"

    @property
    def animation_gif(self) -> Path:
        """How the prediction formed during training."""
        return self.figures / "training.gif"

    @property
    def animation_webp(self) -> Path:
        """The same in a smaller file."""
        return self.figures / "training.webp"

    @property
    def logs(self) -> Path:
        """Folder of TensorBoard and W&B files."""
        return self.path / "logs"

    @property
    def started(self) -> bool:
        """Whether an epoch was finished."""
        return self.last.is_file()

    @property
    def finished(self) -> bool:
        """Whether everything is there: the report is written last."""
        return self.report.is_file()


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
        RunError: there is no such run.
    """
    if str(name) == "latest":
        candidates = sorted(output.glob("*/*/experiment.yaml"), key=lambda file: file.stat().st_mtime)
        if not candidates:
            raise RunError(f"{output}: no run here yet; give the path of a run folder")
        return RunFolder(candidates[-1].parent.resolve())
    path = Path(name)
    if path.name == "latest" and path.is_file():
        path = path.parent / path.read_text(encoding="utf-8").strip()
    if not (path / "experiment.yaml").is_file() and (path / "latest").exists():
        return open_run(path / "latest")
    run = RunFolder(path.resolve())
    if not path.is_dir():
        raise RunError(f"{name}: no such run folder; `medvision fit` prints the path of the one it writes")
    if not run.experiment.is_file():
        raise RunError(f"{name}: no run folder, it has no experiment.yaml")
    return run


def write_json(path: Path, value: Any) -> None:
    """Write plain values; the file appears complete or not at all."""
    replace_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a text file; it appears complete or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> Any:
    """Read plain values.

    Raises:
        RunError: the file is absent: the run did not get that far.
    """
    return json.loads(_require(path).read_text(encoding="utf-8"))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; the file appears complete or not at all."""
    part = path.with_name(f".{path.name}.part")
    table.to_csv(part, index=False)
    part.replace(path)


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV of a run folder; names stay text, an empty one stays empty.

    Raises:
        RunError: the file is absent: the run did not get that far.
    """
    header = pd.read_csv(_require(path), nrows=0).columns
    text = {name: kind for name, kind in TEXT_COLUMNS.items() if name in header}
    table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={c: [""] for c in header if c not in text})
    return table.astype(dict.fromkeys(text, object))


def _require(path: Path) -> Path:
    if not path.is_file():
        raise RunError(
            f"{path}: not there; the run did not get that far, `medvision fit --resume {path.parent}` goes on"
        )
    return path
