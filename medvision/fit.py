"""Train and evaluate the experiment of a YAML file.

Later files win over earlier ones, and options over files:

    python -m medvision.fit experiments/knee_sections.yaml --optimizer.lr=3e-4 --trainer.max_epochs=5

With --run-folder the same command goes on with what it finds there, on one machine or on several:

    torchrun --nnodes=2 … -m medvision.fit FILE --run-folder runs/knee_sections/two_machines
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medvision.command import Parser, run
from medvision.config import load_experiment, show
from medvision.config.differences import differences
from medvision.config.settings import Experiment
from medvision.errors import ConfigError

if TYPE_CHECKING:
    from medvision.runs import RunFolder

# Sections that say how a run is computed and scored, not what it is.
MAY_CHANGE = {"trainer", "evaluation"}


def main(argv: list[str]) -> "RunFolder | None":
    """Train, evaluate and report one experiment.

    Args:
        argv: the options of the command line.

    Returns:
        The run folder; None where only the experiment was shown.

    Raises:
        MedvisionError: everything a user can mend.
    """
    parser = Parser("fit", __doc__)
    parser.add_experiment(required=False)
    parser.add_argument("--show", action="store_true", help="print the resolved experiment and stop")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run; `latest` for the newest one")
    # Not `--run`: torchrun would take that for an abbreviation of an option of its own.
    parser.add_argument("--run-folder", metavar="DIR", help="the folder of the run: begun, or gone on with")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    options = parser.parse_experiment(argv)
    if options.resume is not None:
        if options.run_folder is not None:
            raise ConfigError("--resume and --run-folder both name the run folder; leave one out")
        return _resume(options.resume, options.files, options.overrides, options.output)
    if not options.files:
        raise ConfigError("no experiment file; for instance: python -m medvision.fit experiments/knee_sections.yaml")
    experiment = load_experiment(options.files, options.overrides)
    if options.show:
        print(show(experiment), end="")
        return None
    return _fit(experiment, options.output, options.run_folder)


def _fit(experiment: Experiment, output: Path, given: str | None) -> "RunFolder":
    # Late imports: torch and Lightning take seconds, which a mistake in the experiment file need not wait for.
    from medvision import execution, nodes, training

    experiment = nodes.match_launch(experiment)
    fixed = nodes.fixed_run(experiment, output, given)
    # What has no finished epoch has nothing to lose, and may have been another experiment.
    if fixed is not None and (fixed.started or fixed.plan.is_file()):
        return _join(experiment, fixed)
    datamodule = training.build_datamodule(experiment)
    task = training.build_task(experiment, datamodule.summary())
    run_folder = nodes.begin_run(experiment, output, fixed)
    with nodes.claimed(run_folder, experiment):
        if nodes.is_first(experiment):
            print(f"run folder: {run_folder.path}", flush=True)
            execution.begin(experiment, run_folder, datamodule, task)
        execution.train_and_evaluate(experiment, run_folder, datamodule, task)
    return run_folder


def _join(experiment: Experiment, run_folder: "RunFolder") -> "RunFolder":
    """Go on with a run of the same experiment, perhaps on other devices."""
    from medvision import nodes, training

    training.check_single_run(run_folder)
    before = load_experiment([str(run_folder.experiment)], [])
    differing = differences(before.model_dump(exclude=MAY_CHANGE), experiment.model_dump(exclude=MAY_CHANGE))
    if differing:
        raise ConfigError(f"{run_folder.path}: holds another run: {differing}; give another --run-folder")
    # Several processes would not all see it before the first of them goes on.
    if nodes.is_alone(experiment.trainer) and run_folder.finished and before == experiment:
        print(f"finished already; report: {run_folder.report}\nrun folder: {run_folder.path}", flush=True)
        return run_folder
    return _go_on(experiment, run_folder)


def _resume(name: str, files: list[str], overrides: list[str], output: Path) -> "RunFolder":
    from medvision import nodes
    from medvision.runs import open_run

    allowed = tuple(f"--{section}." for section in MAY_CHANGE)
    refused = [option for option in overrides if not option.startswith(allowed)]
    if files or refused:
        raise ConfigError(
            f"--resume takes the experiment of the run itself; leave out {' '.join([*files, *refused])} "
            "(only --trainer.… and --evaluation.… may change)"
        )
    run_folder = open_run(name, output)
    return _go_on(nodes.match_launch(load_experiment([str(run_folder.experiment)], overrides)), run_folder)


def _go_on(experiment: Experiment, run_folder: "RunFolder") -> "RunFolder":
    from medvision import execution, nodes, training

    if nodes.is_first(experiment):
        print(f"run folder: {run_folder.path}", flush=True)
    datamodule = training.build_datamodule(experiment)
    with nodes.claimed(run_folder, experiment):
        execution.execute(experiment, run_folder, datamodule)
    return run_folder


if __name__ == "__main__":
    sys.exit(run(main))
