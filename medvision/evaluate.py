"""Evaluate a run again from its best checkpoint, on one of its splits.

python -m medvision.evaluate runs/knee_sections/latest --split test
"""

import sys
from pathlib import Path
from typing import Any

from medvision.command import Parser, run
from medvision.config import load_experiment


def main(argv: list[str]) -> dict[str, Any]:
    """Predict a split with the best checkpoint, and write its metrics and the report anew.

    Args:
        argv: the options of the command line.

    Returns:
        The metrics of the split, {level: {metric: {value, low, high, n}}}.

    Raises:
        MedvisionError: everything a user can mend.
    """
    parser = Parser("evaluate", __doc__)
    parser.add_argument("run", metavar="RUN", help="a run folder, or `latest`")
    parser.add_argument("--split", choices=("test", "val", "train"), default="test", help="default: test")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    options = parser.parse(argv)
    # Late imports: torch and Lightning take seconds, which a mistake in the options need not wait for.
    from medvision import training
    from medvision.results import evaluate_splits
    from medvision.runs import open_run

    run_folder = open_run(options.run, options.output)
    training.check_single_run(run_folder)
    experiment = load_experiment([str(run_folder.experiment)], [])
    datamodule = training.build_datamodule(experiment)
    training.check_same_data(run_folder, datamodule)
    metrics = evaluate_splits(experiment, run_folder, datamodule, [options.split])
    print(f"run folder: {run_folder.path}")
    return metrics[options.split]


if __name__ == "__main__":
    sys.exit(run(main))
