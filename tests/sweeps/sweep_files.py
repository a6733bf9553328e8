"""Sweeps over a training that is only played, for tests of what surrounds it."""

from pathlib import Path
from typing import Any

import yaml

from medvision.runs import RunFolder
from medvision.sweeps.file import Sweep, read_sweep
from medvision.sweeps.storage import create_study, join_study
from medvision.sweeps.study import TrialStore

FAKE = Path(__file__).with_name("fake_fit.py")
CONTENT = {
    "method": "grid",
    "metric": {"name": "val/score", "goal": "maximize"},
    "command": ["${interpreter}", str(FAKE), "medvision.fit", "${args}"],
    "parameters": {"lr": {"values": [0.1, 0.3, 0.6]}},
}


def write_sweep(folder: Path, **changes: Any) -> Path:
    """A sweep file; None leaves a key out."""
    content = {key: value for key, value in {**CONTENT, **changes}.items() if value is not None}
    path = folder / "tries.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def begin(folder: Path, **changes: Any) -> tuple[RunFolder, Sweep, TrialStore]:
    """The folder of a new sweep, as the command makes it."""
    sweep = read_sweep(write_sweep(folder, **changes))
    run = RunFolder(folder / "sweep-tries" / "1")
    run.path.mkdir(parents=True)
    store = TrialStore(run, sweep, *create_study(run, sweep, 7))
    run.sweep_file.write_text(sweep.text)
    return run, sweep, store


def join(run: RunFolder) -> tuple[Sweep, TrialStore]:
    """The same sweep, as another process finds it."""
    sweep = read_sweep(run.sweep_file)
    return sweep, TrialStore(run, sweep, *join_study(run))
