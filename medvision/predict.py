"""Ask a trained run, or all folds of a cross-validation, which class images show.

Only the run folder and the images are needed, not the data set:

    python -m medvision.predict runs/double_contour/latest new/knee_1.png new/knee_2.png --output answers.csv

In Python: `from medvision.predict import predict; predict("runs/double_contour/latest", "new/knee_1.png")`.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from medvision.command import Parser, run
from medvision.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from medvision.runs import RunFolder

MOST_COLUMNS = 4


def main(argv: list[str]) -> "pd.DataFrame":
    """Answer for each image, print a line each, and write them where `--output` says.

    Args:
        argv: the options of the command line.

    Returns:
        The answers, as `predict` gives them.

    Raises:
        MedvisionError: everything a user can mend.
    """
    parser = Parser("predict", __doc__)
    parser.add_argument("run", metavar="RUN", help="a run folder, that of a cross-validation, or `latest`")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image files, or folders that are searched for them")
    parser.add_argument("--output", metavar="FILE.csv", type=Path, help="write the answers into this table, too")
    options = parser.parse(argv)
    if options.output is not None and (options.output.is_dir() or not options.output.parent.is_dir()):
        raise ConfigError(f"--output: {options.output} cannot be written; name a file in a folder that exists")
    # Late imports: torch and Lightning take seconds, which a mistake in the options need not wait for.
    from medvision.answers import answer, count_patients, open_members
    from medvision.runs import write_table

    members = open_members(options.run)
    table = answer(members, options.images)
    print(as_text(table, count_patients(members), len(members)))
    if options.output is not None:
        write_table(options.output, table)
        print(f"answers: {options.output}")
    return table


def predict(run: "str | Path | RunFolder", images: str | Path | Iterable[str | Path]) -> "pd.DataFrame":
    """Which class each image shows, as the run answers for new patients.

    Probabilities are calibrated, tiles of an image are united, and the answer follows from thresholds, all as the run
    has chosen them on its validation split (`decision.json`). The folds of a cross-validation answer together: with the
    mean of their probabilities, and the mean of their thresholds.

    Args:
        run: a run folder, that of a cross-validation, or `latest`.
        images: files, or folders that are searched for images; a file with several frames is as many images.

    Returns:
        One row an image: `image`; `predicted`, a class or several joined by `|`; `p_<class>` in [0, 1]; of folds also
        `sd_<class>`, the standard deviation over them; `trained_on`, whether a network has learned from this very image
        or was tuned on it, so that the answer says nothing of new ones.

    Raises:
        RunError: no trained run, or one without classes.
        DataError: images that are missing or cannot be read, a line each.
    """
    # A late import: torch takes seconds, for which `--help` of the command need not wait.
    from medvision.answers import answer, open_members

    return answer(open_members(run), [images] if isinstance(images, str | Path) else images)


def as_text(table: "pd.DataFrame", patients: int, networks: int) -> str:
    """The answers for the terminal, a line each, and what must be known of them.

    Args:
        table: from `predict`.
        patients: that the thresholds were chosen on; probabilities get as many decimals as these support.
        networks: how many have answered.
    """
    # Late imports: these bring pandas along, see above.
    from medvision.evaluation.decimals import supported_decimals
    from medvision.evaluation.text import align

    digits = supported_decimals(patients)
    columns = [str(name) for name in table if str(name).startswith("p_")]
    # Of two classes the probability of the second says both.
    shown = columns[1:] if len(columns) == 2 else columns if len(columns) <= MOST_COLUMNS else []
    rows = [["image", "answer", *(name.removeprefix("p_") for name in shown)]]
    for row in table.to_dict("records"):
        cells = [f"{row[name]:.{digits}f}" for name in shown]
        if networks > 1:
            spread = [row[f"sd_{name.removeprefix('p_')}"] for name in shown]
            cells = [f"{cell} ± {sd:.{digits}f}" for cell, sd in zip(cells, spread, strict=True)]
        mark = " (trained on)" if row["trained_on"] else ""
        rows.append([row["image"], f"{row['predicted'] or 'none'}{mark}", *cells])
    lines = [align(rows)]
    if networks > 1:
        lines.append(f"Mean of {networks} networks ± standard deviation over them.")
    if table["trained_on"].any():
        lines.append(
            f"{int(table['trained_on'].sum())} of {len(table)} images are among those that the run has learned from or "
            "was tuned on: these answers do not tell how it does on new ones."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))
