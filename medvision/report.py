"""Write the report of runs anew, from the files in their folders: no model, no images, no GPU.

python -m medvision.report runs/knee_sections/latest
python -m medvision.report runs/*/latest
"""

import sys
from pathlib import Path

from medvision.command import Parser, run
from medvision.errors import RunError


def main(argv: list[str]) -> list[Path]:
    """Write `report.html` and its figures for each run, and print where it is.

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
    from medvision.reports.run_report import write_report
    from medvision.runs import open_run

    pages: list[Path] = []
    problems: list[str] = []
    for name in options.runs:
        try:
            folder = open_run(name, options.output)
            write_report(folder)
        except RunError as error:
            problems += error.lines
        else:
            pages.append(folder.report)
            print(folder.report)
    if problems:
        raise RunError(*problems)
    return pages


if __name__ == "__main__":
    sys.exit(run(main))
