"""Weights & Biases, private unless asked: nothing of the machine, the code, the patients or the images is recorded."""

import hmac
import os
import secrets
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, Literal

import wandb
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from medvision.config.settings import Experiment, TrackingSettings
from medvision.errors import ConfigError, MedvisionError
from medvision.runs import RunFolder, read_json, write_json

Mode = Literal["off", "offline", "online"]

# Offline mode still posts telemetry without the first of these. The client reads them when it opens its first run, not
# when it is imported, which timm does.
PRIVATE = {
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SAVE_CODE": "false",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_CONSOLE": "off",
    "WANDB_X_DISABLE_MACHINE_INFO": "true",
    "WANDB_X_DISABLE_META": "true",
    "WANDB_X_SAVE_REQUIREMENTS": "false",
    "WANDB_PROGRAM": "medvision.fit",
    "WANDB_HOST": "hidden",
}
MODES: dict[str, Mode] = {
    "online": "online",
    "offline": "offline",
    "disabled": "off",
    # Older names.
    "run": "online",
    "dryrun": "offline",
}
HASH_LENGTH = 10
# Seconds until a user is told what is being waited for.
PATIENCE = 10
# Folders of the runs of a cross-validation and of a sweep.
PARTS, TRIALS = "parts", "trials"


class TrackingError(MedvisionError):
    """W&B did not take the run."""


class _CompleteLogger(WandbLogger):
    """Lightning's logger on a run whose config was complete from the beginning."""

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Add nothing: the arguments of a task tell folders, and are in the config already."""


@dataclass(frozen=True)
class _Opened:
    """The W&B run of this process, its folder, and the variables of the environment that were set for it."""

    tracked: wandb.Run
    run: RunFolder
    variables: tuple[str, ...]


_opened: _Opened | None = None


def wandb_mode(tracking: TrackingSettings) -> Mode:
    """Whether W&B records a run: what `WANDB_MODE` says, else `online` in a run of its sweeps, else what the file says.

    Raises:
        ConfigError: `WANDB_MODE` is no mode.
    """
    asked = os.environ.get("WANDB_MODE")
    if asked:
        if asked not in MODES:
            raise ConfigError(f"WANDB_MODE: '{asked}' is none of online, offline, disabled")
        return MODES[asked]
    return "online" if os.environ.get("WANDB_SWEEP_ID") else tracking.wandb


def wandb_logger(experiment: Experiment, run: RunFolder) -> list[Logger]:
    """A logger for W&B, whose run is open from now on; none on every device but the first, or if nothing is recorded.

    A run that is resumed goes on in its W&B run. In a run of a W&B sweep the folds of a cross-validation record
    nothing: all of them are one W&B run, see `log_parent`.

    Raises:
        ConfigError: `WANDB_MODE` is no mode.
        TrackingError: W&B did not take the run.
    """
    mode = wandb_mode(experiment.tracking)
    part_of_sweep_run = os.environ.get("WANDB_SWEEP_ID") and run.path.parent.name == PARTS
    if mode == "off" or rank_zero_only.rank != 0 or part_of_sweep_run or experiment.trainer.get("fast_dev_run"):
        return []
    return [_CompleteLogger(experiment=_open(experiment, run), save_dir=run.logs, log_model=False)]


def log_parent(experiment: Experiment, parent: RunFolder, values: Mapping[str, float]) -> None:
    """Record a cross-validation that is one run of a W&B sweep: the means over its folds, by which the sweep chooses.

    Args:
        experiment: of all folds.
        parent: of the folds.
        values: by the names of the metrics, such as `val/auroc`.

    Raises:
        ConfigError: `WANDB_MODE` is no mode.
        TrackingError: W&B did not take the run.
    """
    if rank_zero_only.rank == 0 and wandb_mode(experiment.tracking) != "off":
        _open(experiment, parent).log(dict(values))
        finish(0)


def current_run() -> wandb.Run | None:
    """The W&B run of this process that is open; None for none."""
    return None if _opened is None else _opened.tracked


def finish(exit_code: int) -> None:
    """Close the W&B run of this process, if one is open, and wait until everything is sent or written.

    Args:
        exit_code: 0 where the run came to its end.
    """
    global _opened
    if _opened is None:
        return
    opened, _opened = _opened, None
    tracked = opened.tracked
    # Of a run that was resumed, a folder for each time.
    folders = sorted((opened.run.logs / "wandb").glob(f"*run-*-{tracked.id}*"))
    names = [f"wandb/{folder.name}" for folder in folders]
    later = f"cd {shlex.quote(str(opened.run.logs.resolve()))} && wandb sync {shlex.join(names)}"
    try:
        with _told_if_slow(f"W&B: still sending; Ctrl-C leaves it to: {later}"):
            tracked.finish(exit_code=exit_code)
    finally:
        _close_session(opened.variables)
    if tracked.settings.mode == "offline":
        print(f"W&B: not sent; this sends it: {later}", flush=True)
    else:
        # Second copies of what has been sent.
        shutil.rmtree(_copies(opened.run), ignore_errors=True)


@contextmanager
def _told_if_slow(text: str) -> Iterator[None]:
    """Print what is being waited for, after a while."""
    timer = Timer(PATIENCE, print, [text], {"flush": True})
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _close_session(variables: Iterable[str]) -> None:
    """Let the client forget its settings, which it would keep for the next run of this process, and ours."""
    wandb.teardown()
    for name in variables:
        os.environ.pop(name, None)


def _open(experiment: Experiment, run: RunFolder) -> wandb.Run:
    """Open the W&B run of a folder, the same one each time."""
    global _opened
    if wandb.run is not None:
        raise ConfigError("W&B: this process has a run open already; wandb.finish() closes it")
    # The client reads the environment once, at its first run.
    wandb.teardown()
    run.logs.mkdir(parents=True, exist_ok=True)
    copies = str(_copies(run))
    variables = {**PRIVATE, "WANDB_SILENT": "true", "WANDB_DATA_DIR": copies, "WANDB_CACHE_DIR": copies}
    added = tuple(name for name in variables if name not in os.environ)
    os.environ.update({name: variables[name] for name in added})
    known: dict[str, Any] = read_json(run.tracking) if run.tracking.is_file() else {"salt": secrets.token_hex(16)}
    name, group = _names(experiment, run)
    mode = wandb_mode(experiment.tracking)
    assert mode != "off"
    try:
        # Artifacts tell from where they are sent: relative to here, which tells nothing.
        with chdir(run.logs):
            wandb.setup()
        with _told_if_slow("W&B: waiting for an answer of its server"):
            tracked = wandb.init(
                dir=run.logs.resolve(),
                name=name,
                group=group,
                tags=["simulated"] if _simulated(run) else None,
                config=without_folders(experiment.model_dump(mode="json")),
                mode=mode,
                resume="allow",
                **_place(experiment.tracking, known),
            )
    except wandb.Error as error:
        _close_session(added)
        told = " ".join(str(error).split()).rstrip(".")
        raise TrackingError(f"W&B: {told}; without it: --tracking.wandb=offline, or WANDB_MODE=offline") from error
    _opened = _Opened(tracked, run, added)
    place = {"id": tracked.id, "project": tracked.project, "entity": tracked.entity, "url": tracked.url}
    write_json(run.tracking, {**known, **place})
    # What Lightning's logger does for the runs that it opens itself.
    tracked.define_metric("trainer/global_step")
    tracked.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    if tracked.url:
        print(f"W&B: {tracked.settings.base_url}, run {tracked.url}", flush=True)
    return tracked


def _place(tracking: TrackingSettings, known: Mapping[str, Any]) -> dict[str, Any]:
    """Where the run is recorded; in a run of a sweep its agent has said so."""
    if os.environ.get("WANDB_SWEEP_ID"):
        return {}
    return {
        "project": known.get("project") or os.environ.get("WANDB_PROJECT") or tracking.project,
        "entity": known.get("entity") or os.environ.get("WANDB_ENTITY") or tracking.entity,
        "id": known.get("id") or os.environ.get("WANDB_RUN_ID"),
    }


def _names(experiment: Experiment, run: RunFolder) -> tuple[str, str]:
    """What the run is called, and its group: the runs of an experiment, of a cross-validation, or of a sweep.

    >>> experiment = Experiment(name="knees", data={}, model={})
    >>> _names(experiment, RunFolder(Path("runs/knees/0607-ab")))
    ('0607-ab', 'knees')
    >>> _names(experiment, RunFolder(Path("runs/knees/0607-ab/parts/fold-0")))
    ('0607-ab/fold-0', '0607-ab')
    """
    path, parts = run.path, [run.path.name]
    while path.parent.name in (PARTS, TRIALS):
        # The runs on inner folds are in a folder of their own.
        path = path.parents[2] if path.parents[1].name == "choices" else path.parents[1]
        parts.insert(0, path.name)
    return "/".join(parts), "/".join(parts[:-1]) or experiment.name


def _copies(run: RunFolder) -> Path:
    """Where the client puts copies of tables and checkpoints; without this, in the home folder."""
    return run.logs.resolve() / "wandb_copies"


def _simulated(run: RunFolder) -> bool:
    """Whether the images were drawn by a program; a cross-validation does not say so itself."""
    return run.environment.is_file() and bool(read_json(run.environment)["data"]["simulated"])


def hash_name(name: str, salt: str) -> str:
    """A name as others may see it: the beginning of its HMAC-SHA-256 under a random salt that is never sent.

    >>> hash_name("Anna", "a"), hash_name("Anna", "b")
    ('ab1032e00e', '2ca1bad8ed')
    """
    return hmac.new(salt.encode(), name.encode(), "sha256").hexdigest()[:HASH_LENGTH]


def without_folders(value: Any) -> Any:
    """Plain values in which of every absolute path only the last part is left: the rest says who works where."""
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    if isinstance(value, str) and (value.startswith("~") or Path(value).is_absolute()):
        return Path(value).name
    return value
