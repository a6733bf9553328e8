"""Train and evaluate the experiment of a YAML file.

Later files win over earlier ones, and options over files:

    python -m medvision.fit experiments/knee_sections.yaml --optimizer.lr=3e-4 --trainer.max_epochs=5
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medvision.command import Parser, run
from medvision.config import load_experiment, show
from medvision.config.settings import Experiment
from medvision.errors import ConfigError

if TYPE_CHECKING:
    from medvision.runs import RunFolder


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
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    options = parser.parse_experiment(argv)
    if options.resume is not None:
        return _resume(options.resume, options.files, options.overrides, options.output)
    if not options.files:
        raise ConfigError("no experiment file; for instance: python -m medvision.fit experiments/knee_sections.yaml")
    experiment = load_experiment(options.files, options.overrides)
    if options.show:
        print(show(experiment), end="")
        return None
    return _fit(experiment, options.output)


def _fit(experiment: Experiment, output: Path) -> "RunFolder":
    # Late imports: torch and Lightning take seconds, which a mistake in the experiment file need not wait for.
    from medvision import execution, training
    from medvision.runs import create_run

    datamodule = training.build_datamodule(experiment)
    task = training.build_task(experiment, datamodule.summary())
    run_folder = create_run(output, experiment.name)
    print(f"run folder: {run_folder.path}", flush=True)
    execution.begin(experiment, run_folder, datamodule, task)
    execution.train_and_evaluate(experiment, run_folder, datamodule, task)
    return run_folder


def _resume(name: str, files: list[str], overrides: list[str], output: Path) -> "RunFolder":
    from medvision import execution, training
    from medvision.runs import open_run

    allowed = ("--trainer.", "--evaluation.")
    refused = [option for option in overrides if not option.startswith(allowed)]
    if files or refused:
        raise ConfigError(
            f"--resume takes the experiment of the run itself; leave out {' '.join([*files, *refused])} "
            "(only --trainer.… and --evaluation.… may change)"
        )
    run_folder = open_run(name, output)
    experiment = load_experiment([str(run_folder.experiment)], overrides)
    print(f"run folder: {run_folder.path}", flush=True)
    execution.execute(experiment, run_folder, training.build_datamodule(experiment))
    return run_folder


if __name__ == "__main__":
    sys.exit(run(main))
