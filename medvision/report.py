"""Write the report of runs anew, from the files in their folders: no model, no images, no GPU.

python -m medvision.report runs/knee_sections/latest
python -m medvision.report runs/*/latest
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from medvision.command import Parser, run
from medvision.errors import RunError

if TYPE_CHECKING:
    from medvision.runs import RunFolder


def main(argv: list[str]) -> list[Path]:
    """Write `report.html` and its figures for each run, or what else has a page; print where it is.

    A run that cannot be told of does not keep the others from being written.

    Args:
        argv: the options of the command line.

    Returns:
        The pages, in the order of the runs.

    Raises:
        MedvisionError: everything a user can mend; a line for each run that was not evaluated.
    """
    parser = Parser("report", __doc__)
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders, or `latest`")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    options = parser.parse(argv)
    # Late imports: pandas, scikit-learn and matplotlib take seconds, which a mistake in the options need not wait for.
    from medvision.runs import RunFolder, open_run, reads_run

    pages: list[Path] = []
    problems: list[str] = []
    for name in options.runs:
        try:
            folder = RunFolder(Path(name).resolve())
            if not folder.cluster_scores.is_file() and not folder.sweep.is_file():
                folder = open_run(name, options.output)
            reads_run(_write)(folder)
        except RunError as error:
            problems += error.lines
        else:
            pages.append(folder.report)
            print(folder.report)
    if problems:
        raise RunError(*problems)
    return pages


def _write(folder: "RunFolder") -> None:
    from medvision.learning_curves import write_learning_curves
    from medvision.reports.cluster_page import write_cluster_report
    from medvision.reports.comparison_report import write_comparison
    from medvision.reports.run_report import write_report
    from medvision.reports.sweep_page import write_sweep_report
    from medvision.runs import read_json

    kind = read_json(folder.plan)["kind"] if folder.plan.is_file() else "run"
    if folder.cluster_scores.is_file():
        write_cluster_report(folder)
    elif folder.sweep.is_file():
        write_sweep_report(folder)
    elif kind == "comparison":
        write_comparison(folder)
    elif kind == "learning_curves":
        write_learning_curves(folder)
    else:
        write_report(folder)


if __name__ == "__main__":
    sys.exit(run(main))
