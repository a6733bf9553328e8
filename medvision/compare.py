"""Compare models on the same patients: experiments that are run for it, or runs that are finished.

python -m medvision.compare experiments/lung_us.yaml experiments/lung_us_scratch.yaml --cross-validate
python -m medvision.compare runs/lung_us/latest runs/lung_us_scratch/latest
python -m medvision.compare A.yaml B.yaml --train-images 100 300 1000 --repeats 3      # learning curves
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medvision.command import Parser, run
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.errors import ConfigError

if TYPE_CHECKING:
    from medvision.parts import OpenData
    from medvision.runs import RunFolder

LONGEST_NAME = 100


def main(argv: list[str]) -> "RunFolder":
    """Run what is not finished, compare, write the page, and print the table.

    Args:
        argv: the options of the command line.

    Returns:
        The folder of the comparison, or of the learning curves.

    Raises:
        MedvisionError: everything a user can mend.
    """
    options = _parse(argv)
    # Late imports, here and below: torch and Lightning take seconds, which a mistake in the options need not wait for.
    if options.resume is not None:
        from medvision.runs import open_run

        return _go_on(open_run(options.resume, options.output), options.devices)
    if not all(map(_is_experiment, options.inputs)):
        return _compare_folders(options.inputs, options.output)
    experiments = [load_experiment([name], options.overrides) for name in options.inputs]
    if options.train_images is not None:
        return _compare_sizes(experiments, options)
    return _compare_files(experiments, options)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("compare", __doc__)
    parser.add_argument("inputs", nargs="*", metavar="FILE|RUN", help="experiment files, or folders of finished runs")
    parser.add_argument("--cross-validate", action="store_true", help="every fold of every file, the same for all")
    parser.add_argument("--train-images", nargs="+", type=int, metavar="N", help="learning curves over these sizes")
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="of folds or of sizes, other seeds each")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="so many processes share the work")
    parser.add_argument("--resume", metavar="FOLDER", help="go on with a comparison; `latest` for the newest run")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    parser.epilog = "Every setting of an experiment is an option too, and holds for all files: --trainer.max_epochs=5"
    options = parser.parse_experiment(argv)
    problems = []
    if options.repeats < 1 or options.devices < 1:
        problems.append(f"--repeats and --devices count from 1, got {options.repeats} and {options.devices}")
    if options.cross_validate and options.train_images is not None:
        problems.append("--cross-validate and --train-images are two questions; leave one out")
    if options.repeats > 1 and not options.cross_validate and options.train_images is None:
        problems.append("--repeats: of what? give --cross-validate or --train-images too")
    asked = [*options.inputs, *options.overrides]
    if options.resume is not None and (asked or options.cross_validate or options.train_images is not None):
        problems.append("--resume takes everything from the folder; leave out files, settings and what to compare")
    folders = [name for name in options.inputs if not _is_experiment(name)]
    files = [name for name in options.inputs if _is_experiment(name)]
    trained = options.cross_validate or options.train_images is not None or options.overrides
    if folders and (files or trained):
        problems.append(
            f"{folders[0]}: no experiment file; settings, folds and sizes are for files, and runs are finished"
        )
    if options.resume is None and len(options.inputs) < (1 if options.train_images is not None else 2):
        problems.append(f"two files or two runs make a comparison, got {len(options.inputs)}; see --help")
    if problems:
        raise ConfigError(*problems)
    return options


def _is_experiment(name: str) -> bool:
    return Path(name).suffix.lower() in (".yaml", ".yml")


def _compare_folders(names: list[str], output: Path) -> "RunFolder":
    from medvision.candidates import check_candidates, name_runs, read_candidate
    from medvision.comparing import make_plan
    from medvision.runs import open_run, replace_text, write_json

    runs = name_runs([open_run(name, output) for name in names])
    candidates = [read_candidate(name, found) for name, found in runs.items()]
    check_candidates(candidates)
    parent = _create(output, "compare", [str(one.experiment["name"]) for one in candidates])
    replace_text(parent.experiment, candidates[0].run.experiment.read_text(encoding="utf-8"))
    experiments = {one.name: one.experiment for one in candidates}
    cross_validated = all(one.cross_validated for one in candidates)
    plan = make_plan(parent, runs, experiments, trained=False, cross_validated=cross_validated)
    write_json(parent.plan, plan)
    return _go_on(parent)


def _compare_files(experiments: list[Experiment], options: argparse.Namespace) -> "RunFolder":
    from medvision.comparing import begin_comparison, check_experiments
    from medvision.parts import OpenData

    data, repeats = OpenData(), options.repeats if options.cross_validate else None
    parts = check_experiments(experiments, data, repeats)
    parent = _create(options.output, "compare", [experiment.name for experiment in experiments])
    begin_comparison(parent, experiments, parts, repeats)
    return _go_on(parent, options.devices, data)


def _compare_sizes(experiments: list[Experiment], options: argparse.Namespace) -> "RunFolder":
    from medvision.comparing import begin_learning_curves
    from medvision.learning_curves import learning_curve_parts
    from medvision.parts import OpenData

    data, sizes = OpenData(), list(options.train_images)
    learning_curve_parts(experiments, sizes, options.repeats, data)
    parent = _create(options.output, "learning-curves", [experiment.name for experiment in experiments])
    begin_learning_curves(parent, experiments, sizes, options.repeats)
    return _go_on(parent, options.devices, data)


def _create(output: Path, kind: str, names: list[str]) -> "RunFolder":
    from medvision.runs import create_run

    joined = f"{kind}-{'-'.join(dict.fromkeys(names))}"
    parent = create_run(output, joined if len(joined) <= LONGEST_NAME else f"{kind}-{len(names)}-models")
    print(f"run folder: {parent.path}", flush=True)
    return parent


def _go_on(parent: "RunFolder", devices: int = 1, data: "OpenData | None" = None) -> "RunFolder":
    """Run what is not finished; compare when nothing is left to any process."""
    from medvision.comparing import finish
    from medvision.training import InterruptedTrainingError

    try:
        left = finish(parent, devices=devices, data=data)
    except InterruptedTrainingError as stop:
        raise type(stop)(
            "interrupted; what is finished is kept, and this goes on: "
            f"python -m medvision.compare --resume {parent.path}"
        ) from stop
    if left:
        print(f"{left} parts are being run by other processes; the last of them compares, and so does --resume")
    else:
        print(f"report: {parent.report}")
    return parent


if __name__ == "__main__":
    sys.exit(run(main))
