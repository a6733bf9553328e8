"""Search for the best settings of an experiment: a W&B sweep file, run without a server.

python -m medvision.sweep experiments/sweeps/knee_sections.yaml --workers 2
python -m medvision.sweep --resume latest                  # go on, or help from another machine
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medvision.command import Parser, run
from medvision.config.settings import Experiment
from medvision.errors import ConfigError, RunError

if TYPE_CHECKING:
    from medvision.runs import RunFolder
    from medvision.sweeps.file import Sweep
    from medvision.sweeps.study import TrialStore

EXAMPLE = "python -m medvision.sweep experiments/sweeps/knee_sections.yaml --workers 2"
DEFAULT_SEED = 42


def main(argv: list[str]) -> "RunFolder":
    """Run the trials of a sweep that are not finished, and score the best one on the test split.

    Args:
        argv: the options of the command line.

    Returns:
        The folder of the sweep.

    Raises:
        MedvisionError: everything a user can mend.
    """
    options = _parse(argv)
    if options.resume is not None:
        return _resume(options)
    sweep, experiment = _read(options.file)
    # Late imports, here and below: Optuna and torch take seconds, which a mistake in the files need not wait for.
    from medvision.runs import create_run, replace_text
    from medvision.sweeps.storage import create_study
    from medvision.sweeps.study import TrialStore

    folder = create_run(options.output, f"sweep-{sweep.name}")
    folder = type(folder)(folder.path.resolve())
    seed = DEFAULT_SEED if options.seed is None else options.seed
    store = TrialStore(folder, sweep, *create_study(folder, sweep, seed, options.storage))
    # Last: whoever finds it finds a sweep that can be joined.
    replace_text(folder.sweep_file, sweep.text)
    return _run(folder, sweep, store, experiment, options)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("sweep", __doc__)
    parser.add_argument("file", nargs="?", metavar="FILE", help="a sweep file in W&B's format")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="so many trials at a time (default: 1)")
    parser.add_argument("--resume", metavar="SWEEP", help="go on with a sweep, or join it; `latest` for the newest")
    parser.add_argument("--storage", metavar="URL", help="a database for the trials, such as postgresql://…")
    parser.add_argument("--seed", type=int, metavar="N", help=f"of random draws (default: {DEFAULT_SEED})")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    options = parser.parse(argv)
    problems = []
    if options.workers < 1:
        problems.append(f"--workers: expected a number from 1 on, got {options.workers}")
    if options.seed is not None and options.seed < 0:
        problems.append(f"--seed: expected a number from 0 on, got {options.seed}")
    if options.resume is None and options.file is None:
        problems.append(f"no sweep file; for instance: {EXAMPLE}")
    if options.resume is not None and (options.file is not None or options.seed is not None):
        given = options.file or f"--seed={options.seed}"
        problems.append(f"--resume takes the sweep file and the seed of the sweep itself; leave out {given}")
    if problems:
        raise ConfigError(*problems)
    return options


def _read(path: str | Path) -> "tuple[Sweep, Experiment | None]":
    """A sweep file, and the experiment that its trials vary, if it is one of ours; both are checked."""
    # Late: quantiles bring scipy, for which `--help` need not wait.
    from medvision.sweeps.file import read_sweep
    from medvision.sweeps.program import check_program

    sweep = read_sweep(path)
    return sweep, check_program(sweep)


def _resume(options: argparse.Namespace) -> "RunFolder":
    from medvision.sweeps.storage import join_study
    from medvision.sweeps.study import TrialStore

    folder = _open(options.resume, options.output)
    if folder.finished:
        print(f"this sweep is finished\nreport: {folder.report}\nsweep folder: {folder.path}")
        return folder
    sweep, experiment = _read(folder.sweep_file)
    store = TrialStore(folder, sweep, *join_study(folder, options.storage))
    return _run(folder, sweep, store, experiment, options)


def _open(name: str, output: Path) -> "RunFolder":
    """The folder of a sweep: its path, that of the folder of several, or `latest`.

    Raises:
        RunError: there is none.
    """
    from medvision.runs import RunFolder

    path = Path(name)
    if name == "latest" or not (path / "sweep.yaml").is_file():
        pattern = "*/*/sweep.yaml" if name == "latest" else "*/sweep.yaml"
        place = output if name == "latest" else path
        found = sorted(place.glob(pattern), key=lambda file: file.stat().st_mtime)
        if not found:
            raise RunError(f"{place}: no sweep here; `medvision sweep` prints the folder of the one it runs")
        path = found[-1].parent
    return RunFolder(path.resolve())


def _run(
    folder: "RunFolder", sweep: "Sweep", store: "TrialStore", experiment: Experiment | None, options: argparse.Namespace
) -> "RunFolder":
    from filelock import FileLock

    from medvision.sweeps.storage import telling_of_loss
    from medvision.sweeps.worker import Worker

    print(f"sweep folder: {folder.path}", flush=True)
    if experiment is not None and experiment.monitor != sweep.file.metric.name:
        print(
            f"note: trials are compared by the best epoch of {sweep.file.metric.name}, but each keeps the network that "
            f"is best by {experiment.monitor}; checkpoint.monitor: {sweep.file.metric.name} makes them one"
        )
    with telling_of_loss(folder):
        Worker(folder, sweep, store, options.workers).run()
        rows = store.rows()
    # Late, as it brings the datamodules and the tasks.
    from medvision.sweeps.winner import end_sweep

    with FileLock(folder.path / ".end.lock"):
        # Of several machines the first one ends the sweep.
        if not folder.finished:
            test = experiment is None or experiment.evaluation.test is not False
            found = end_sweep(folder, sweep, rows, name=store.name, seed=store.seed, test=test)
            if found["best"] is None:
                raise RunError(f"no trial has a value of {sweep.file.metric.name}; see {folder.trials}")
    print(f"best experiment: {folder.best_experiment}")
    print(f"report: {folder.report}\nsweep folder: {folder.path}", flush=True)
    return folder


if __name__ == "__main__":
    sys.exit(run(main))
