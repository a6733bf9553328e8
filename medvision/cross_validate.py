"""Train and test every fold of an experiment, and score the pooled out-of-fold predictions.

python -m medvision.cross_validate experiments/lung_us.yaml --split.folds=5
python -m medvision.cross_validate FILE --folds 0 2                        # some folds; --resume goes on with the rest
python -m medvision.cross_validate FILE --repeats 3 --devices 2            # split anew three times; two GPUs
python -m medvision.cross_validate FILE --choose optimizer.lr=1e-4,1e-3    # by inner folds, for each fold anew
python -m medvision.cross_validate FILE --parent DIR --folds 3             # one of several machines, or of a job array
"""

import argparse
import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medvision.command import Parser, run
from medvision.config import load_experiment, show
from medvision.config.choices import combinations, parse_choices, to_options
from medvision.config.settings import Experiment
from medvision.errors import ConfigError

if TYPE_CHECKING:
    from medvision.parts import Part
    from medvision.runs import RunFolder

EXAMPLE = "python -m medvision.cross_validate experiments/knee_sections.yaml"


def main(argv: list[str]) -> "RunFolder":
    """Run the folds that are not finished, and pool them when all are.

    Args:
        argv: the options of the command line.

    Returns:
        The folder of all folds.

    Raises:
        MedvisionError: everything a user can mend.
    """
    options = _parser().parse_experiment(argv)
    _check_options(options)
    if options.gather is not None:
        return _gather(options)
    if options.resume is not None:
        return _resume(options)
    experiment = load_experiment(options.files, options.overrides)
    _check_split(experiment)
    choices = parse_choices(options.choose)
    for settings in combinations(choices):
        load_experiment(options.files, [*options.overrides, *to_options(settings)])
    return _begin(experiment, choices, options)


def _parser() -> Parser:
    parser = Parser("cross_validate", __doc__)
    parser.add_experiment(required=False)
    parser.add_argument("--folds", type=int, nargs="+", metavar="K", help="only these folds, counted from 0")
    parser.add_argument(
        "--repeats", type=int, default=1, metavar="R", help="split the images anew so often (default: 1)"
    )
    parser.add_argument(
        "--choose",
        nargs="+",
        default=[],
        metavar="SETTING=A,B",
        help="settings to choose for every fold on inner folds",
    )
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="so many processes, each with its own GPU")
    parser.add_argument(
        "--parent", type=Path, metavar="DIR", help="the folder of all folds; several machines may share it"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a cross-validation; `latest` for the newest run")
    parser.add_argument("--gather", metavar="RUN", help="pool the folds that are finished, and say which are missing")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    return parser


def _check_options(options: argparse.Namespace) -> None:
    """What argparse lets pass."""
    problems = []
    again = [f"--{name}" for name in ("resume", "gather") if getattr(options, name) is not None]
    if again:
        given = [*options.files, *options.overrides, *(["--choose"] if options.choose else [])]
        given += ["--parent"] if options.parent is not None else []
        given += ["--repeats"] if options.repeats != 1 else []
        if given or len(again) == 2:
            problems.append(
                f"{again[0]} takes the experiment of the run itself; leave out {' '.join([*again[1:], *given])}"
            )
    elif not options.files:
        problems.append(f"no experiment file; for instance: {EXAMPLE}")
    if options.repeats < 1 or options.devices < 1:
        name = "repeats" if options.repeats < 1 else "devices"
        problems.append(f"--{name}: expected a number from 1 on, got {getattr(options, name)}")
    if problems:
        raise ConfigError(*problems)


def _check_split(experiment: Experiment) -> None:
    problems = [
        f"split.{name}: {getattr(experiment.split, name)} is one of the folds, and all are run; leave it out{hint}"
        for name, hint in (("fold", ", or give --folds"), ("inner_fold", ""))
        if getattr(experiment.split, name) is not None
    ]
    if problems:
        raise ConfigError(*problems)


def _begin(experiment: Experiment, choices: dict[str, list[str]], options: argparse.Namespace) -> "RunFolder":
    # Late imports: torch and Lightning take seconds, which a mistake in the experiment file need not wait for.
    from medvision.folds import fold_parts, join_parent, make_plan, plan_folds
    from medvision.nodes import RUN_VARIABLE
    from medvision.parts import OpenData, check_one_device
    from medvision.runs import RunFolder, create_run

    # Any fold opens the images; the fractions of a single split may not fit so few.
    opening = fold_parts(experiment, 1)
    check_one_device(opening)
    data = OpenData()
    parts = plan_folds(experiment, data.get(opening[0].experiment), options.repeats)
    wanted = _pick(parts, options.folds, options.repeats)
    # In a run of a sweep the folder is the same however often it is started.
    given = options.parent or os.environ.get(RUN_VARIABLE)
    parent = RunFolder(Path(given).resolve()) if given else create_run(options.output, experiment.name)
    join_parent(parent, show(experiment), make_plan(parts, options.repeats, choices))
    return _run(parent, parts, wanted, options, data)


def _resume(options: argparse.Namespace) -> "RunFolder":
    from medvision.folds import planned_parts, read_plan
    from medvision.parts import OpenData
    from medvision.runs import open_run

    parent = open_run(options.resume, options.output)
    repeats = read_plan(parent)["repeats"]
    parts = planned_parts(parent, load_experiment([parent.experiment], []))
    return _run(parent, parts, _pick(parts, options.folds, repeats), options, OpenData())


def _gather(options: argparse.Namespace) -> "RunFolder":
    from medvision.folds import gather, planned_parts
    from medvision.runs import open_run

    parent = open_run(options.gather, options.output)
    gather(parent, planned_parts(parent, load_experiment([parent.experiment], [])))
    _tell(parent)
    return parent


def _pick(parts: "list[Part]", folds: list[int] | None, repeats: int) -> "list[Part]":
    """The parts of some folds, of every repeat.

    Raises:
        ConfigError: there is no such fold.
    """
    count = len(parts) // repeats
    wrong = [str(fold) for fold in folds or [] if not 0 <= fold < count]
    if wrong:
        raise ConfigError(f"--folds: {', '.join(wrong)}: the folds are numbered 0 to {count - 1}")
    return [part for number, part in enumerate(parts) if folds is None or number % count in folds]


def _run(
    parent: "RunFolder", parts: "list[Part]", wanted: "list[Part]", options: argparse.Namespace, data: Any
) -> "RunFolder":
    from medvision.folds import finish, is_gathered, read_plan, run_folds
    from medvision.parts import unfinished
    from medvision.training import InterruptedTrainingError, TerminatedTrainingError

    again = ["medvision.cross_validate", "--resume", str(parent.path)]
    if options.folds is not None:
        again += ["--folds", *map(str, options.folds)]
    print(f"run folder: {parent.path}", flush=True)
    try:
        choices = read_plan(parent)["choose"]
        run_folds(parent, wanted, choices, devices=options.devices, command=again, data=data)
        tested = parts[0].experiment.evaluation.test is not False or is_gathered(parent)
        left = finish(parent, parts) if tested else unfinished(parent, parts)
    except (InterruptedTrainingError, KeyboardInterrupt) as stop:
        # A scheduler tells by the exit code whether to start the job again.
        kind = TerminatedTrainingError if isinstance(stop, TerminatedTrainingError) else InterruptedTrainingError
        raise kind(f"interrupted; what is finished is kept, this goes on: python -m {' '.join(again)}") from stop
    if left:
        names = ", ".join(part.name for part in left)
        print(f"\nnot pooled yet, these are not finished: {names}")
        print(f"whoever finishes the last one pools all; python -m medvision.cross_validate --resume {parent.path}")
    elif tested:
        _tell(parent)
    else:
        _validate(parent, parts, record=options.resume is None)
    return parent


def _validate(parent: "RunFolder", parts: "list[Part]", *, record: bool) -> None:
    """Print the validation metrics of all folds; a sweep of W&B gets their means from the process it has started."""
    from medvision.folds import validation_values
    from medvision.tracking import log_parent

    values = validation_values(parent, parts)
    if record and "WANDB_SWEEP_ID" in os.environ:
        log_parent(parts[0].experiment, parent, {name: statistics.mean(found) for name, found in values.items()})
    print(f"\n{len(parts)} folds validated, mean ± SD of their best epochs; no test fold was looked at")
    width = max(map(len, values), default=0)
    for name, found in values.items():
        print(f"{name:{width}}  {statistics.mean(found):.4f} ± {statistics.stdev(found):.4f}")
    print(f"run folder: {parent.path}", flush=True)


def _tell(parent: "RunFolder") -> None:
    """Print the pooled metrics, the folds that are missing, and where the report is."""
    from medvision.runs import read_json
    from medvision.scoring import score_report

    saved = read_json(parent.folds)
    print(f"\n{len(saved['parts'])} folds pooled\n{score_report(read_json(parent.metrics)['test'])}")
    if saved["missing"]:
        print(
            f"missing: {', '.join(saved['missing'])}; python -m medvision.cross_validate --resume {parent.path} goes on"
        )
    print(f"report: {parent.report}")
    print(f"run folder: {parent.path}", flush=True)


if __name__ == "__main__":
    sys.exit(run(main))
