"""Ask a trained run, all folds of a cross-validation, or an exported model what images show: classes, masks, or both.

Only the run folder and the images are needed, not the data set; of an exported model its file (.onnx, needs no torch)
or its folder. Images are files, folders, patterns ("scans/*.png"), DICOM folders, or a table (.csv) with a column
`image` of paths below its folder:

    python -m medvision.predict runs/double_contour/latest new/knee_1.png new/knee_2.png
    python -m medvision.predict runs/nerve_us/latest scans --output answers --overlay
    python -m medvision.predict nerve_us.onnx scans --output answers

A run that was stopped goes on with the same command. Images that cannot be read are listed and left out: exit code 3.
In Python: `from medvision.predict import predict; predict("runs/double_contour/latest", "new/knee_1.png")`.
"""

import importlib.util
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medvision import DISTRIBUTION
from medvision.command import Parser, run
from medvision.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from medvision.answering.asked import Source
    from medvision.answering.model import Model
    from medvision.answering.records import Answers
    from medvision.runs import RunFolder

FORMATS = ("csv", "json", "parquet")
MOST_COLUMNS = 4
MOST_LISTED = 10


class SkippedImagesError(DataError):
    """Some images could not be read; the others were answered."""

    exit_code = 3


def main(argv: list[str]) -> "Answers":
    """Answer for each image, print a line each, and write what `--output` is for.

    Args:
        argv: the options of the command line.

    Returns:
        The answers, without masks: these are in the folder.

    Raises:
        SkippedImagesError: images that cannot be read, after everything else was done.
        MedvisionError: everything a user can mend.
    """
    options = _parse(argv)
    # Late imports: torch and Lightning take seconds, which a mistake in the options need not wait for.
    from medvision.answering.asked import find_images

    asked = find_images(options.images, without=options.output)
    from medvision.answering.folder import plain_rows
    from medvision.answering.session import Extras, answer

    model = _open(options.run)
    answers = answer(
        model,
        asked,
        output=options.output,
        words=[str(Path(word).absolute()) for word in options.images],
        extras=Extras(overlay=options.overlay, gradcam=options.gradcam, dicom_seg=options.dicom_seg),
        kind=options.format or "csv",
        keep_masks=False,
    )
    if options.output is None and options.format == "csv":
        print(answers.images.to_csv(index=False), end="")
    elif options.output is None and options.format == "json":
        import json

        print(json.dumps(plain_rows(answers.images), indent=2))
    else:
        print(as_text(model, answers))
    if options.output is not None:
        print(f"answers: {options.output}")
    _tell_skipped(answers, options.output)
    return answers


def _parse(argv: list[str]) -> Namespace:
    """The options, after everything that can be refused without reading anything."""
    parser = Parser("predict", __doc__)
    parser.add_argument(
        "run", metavar="RUN", help="a run folder, that of a cross-validation, `latest`, or an exported model"
    )
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="files, folders, patterns, or tables of images")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write tables, masks and pictures into this folder")
    parser.add_argument(
        "--format", choices=FORMATS, help="of the tables (default: csv); without --output, what is printed"
    )
    parser.add_argument("--overlay", action="store_true", help="pictures of the masks over the images")
    parser.add_argument("--gradcam", action="store_true", help="pictures of the evidence for the class of each image")
    parser.add_argument("--dicom-seg", action="store_true", help="masks of DICOM images as DICOM segmentations, too")
    options = parser.parse(argv)
    if options.output is not None and (options.output.suffix.lower() in (".csv", ".json", ".parquet")):
        raise ConfigError(
            f"--output: {options.output} looks like a file; give a folder, in which {FORMATS[0]}, json or parquet is "
            "chosen by --format"
        )
    if options.output is not None and options.output.exists() and not options.output.is_dir():
        raise ConfigError(f"--output: {options.output} is a file; give a folder")
    if options.output is None:
        given = [
            f"--{name.replace('_', '-')}" for name in ("overlay", "gradcam", "dicom_seg") if getattr(options, name)
        ]
        given += ["--format parquet"] if options.format == "parquet" else []
        if given:
            raise ConfigError(f"{', '.join(given)}: needs a folder; name one with --output DIR")
    if options.format == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(f"--format parquet needs an extra: pip install '{DISTRIBUTION}[parquet]'")
    return options


def predict(
    run: "str | Path | RunFolder",
    images: "Source | Iterable[Source]",
    *,
    output: str | Path | None = None,
    overlay: bool = False,
    gradcam: bool = False,
    on_bad_image: Literal["error", "skip"] = "error",
) -> "pd.DataFrame":
    """What each image shows, as the run answers for new patients.

    Probabilities are calibrated, tiles of an image are united, and the answer follows from thresholds, all as the run
    has chosen them on its validation split (`decision.json`). The folds of a cross-validation answer together: with the
    mean of their probabilities and maps, and the mean of their thresholds.

    Args:
        run: a run folder, that of a cross-validation, or `latest`; or what `medvision.export` has written of one: an
            ONNX file, or a folder as the Hugging Face Hub has it.
        images: one or several: files; folders, which are searched; patterns such as `scans/*.png`; tables (`.csv`) with
            a column `image`; arrays (H, W) or (H, W, 3), RGB, uint8 or uint16. A file with several frames is as many
            images.
        output: a folder for tables, masks and pictures, from which a call that was stopped goes on; None for none.
        overlay: write pictures of the masks over the images; needs `output`.
        gradcam: write pictures of the evidence for the class of each image; needs `output`.
        on_bad_image: where an image cannot be read, `error` says so once the others are answered, `skip` leaves it out.

    Returns:
        One row an image: `image`; `patient` and `study`, where a table or DICOM header says them. With labels:
        `predicted`, a class or several joined by `|`; `p_<class>` in [0, 1]; of folds also `sd_<class>`, the standard
        deviation over them. With masks: `area_<class>` in the square of `unit` (`mm` where the spacing is known, `px`
        elsewhere), of folds also `sd_area_<class>`; `mask`, an array (H, W) uint8 of class numbers at the size of the
        original, or with `output` the path of its file below it. `unlike`, in what the image differs from those of the
        training, empty where in nothing (absent where the run does not know). `trained_on`, whether a network has
        learned from this very file or was tuned on it, so that the answer says nothing of new ones; None of an array,
        and of an exported model, which takes no list of files along.

    Raises:
        RunError: no trained run.
        ModelError: an exported model that cannot be asked, or an extra that it needs.
        DataError: images that are missing or cannot be read, a line each.
        ConfigError: pictures without a folder, or a folder that holds other things.
    """
    # A late import: torch takes seconds, for which `--help` of the command need not wait.
    import numpy as np

    from medvision.answering.asked import find_images
    from medvision.answering.session import Extras, answer

    several = [images] if isinstance(images, str | Path | np.ndarray) else list(images)
    folder = None if output is None else Path(output)
    asked = find_images(several, without=folder)
    words = [f"array {one.shape}" if isinstance(one, np.ndarray) else str(Path(one).absolute()) for one in several]
    extras = Extras(overlay=overlay, gradcam=gradcam)
    answers = answer(_open(run), asked, output=folder, words=words, extras=extras)
    if on_bad_image == "error" and len(answers.skipped):
        raise DataError(*answers.skipped["reason"])
    return answers.images


def _open(run: "str | Path | RunFolder") -> "Model":
    """A run, or an exported model; what asks an ONNX file imports no torch."""
    path = Path(run) if isinstance(run, str | Path) else run.path
    # Late imports: torch takes seconds, and need not be installed to ask an ONNX file.
    if path.suffix.lower() == ".onnx" and not path.is_dir():
        from medvision.answering.exported import open_exported

        return open_exported(path)
    if path.is_file() and path.name != "latest":
        raise ConfigError(f"{path}: is a file; expected a run folder, an exported folder, or an .onnx file")
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"{path}: a run needs torch: pip install {DISTRIBUTION}; an .onnx file does without")
    if (path / "config.json").is_file() and not (path / "experiment.yaml").is_file():
        from medvision.exporting.huggingface import open_huggingface

        return open_huggingface(path)
    from medvision.answers import open_model

    return open_model(run)


def _tell_skipped(answers: "Answers", output: Path | None) -> None:
    skipped = list(answers.skipped["reason"])
    if skipped:
        count, total = len(skipped), len(skipped) + len(answers.images)
        listed = f"; {output / 'skipped.csv'} lists them" if output is not None else ""
        more = [f"and {count - MOST_LISTED} more"] if count > MOST_LISTED else []
        raise SkippedImagesError(
            f"{count} of {total} images cannot be read and were left out{listed}", *skipped[:MOST_LISTED], *more
        )


def as_text(model: "Model", answers: "Answers") -> str:
    """The answers for the terminal, a line each, and what must be known of them.

    Args:
        model: that has answered; probabilities get as many decimals as its validation patients support.
        answers: of the model.
    """
    # Late imports: these bring pandas along, see above.
    from medvision.answering.sentences import notes, rows_of
    from medvision.evaluation.text import align

    lines = [align(rows_of(model, answers.images, "image"))] if len(answers.images) else []
    for level, table in (("study", answers.studies), ("patient", answers.patients)):
        if table is not None:
            lines += ["", align(rows_of(model, table, level))]
    return "\n".join([*lines, *notes(model, answers.images)])


if __name__ == "__main__":
    sys.exit(run(main))
