"""Write a trained run as one file that answers without medvision: ONNX, torch.export, or a Hugging Face folder.

Resizing, normalisation, network, temperature and masks at the size of the original lie inside the file; what it is,
what it was trained on and what it may be used for stand in it. It is compared with the run on every validation image,
and not left behind if it says something else: exit code 4, and RUN/export/parity.csv tells of every image.

    python -m medvision.export runs/double_contour/latest --format onnx
    python -m medvision.export runs/nerve_us/latest --format onnx --precision fp32 fp16 int8
    python -m medvision.export runs/double_contour/latest --format huggingface --output handed_on
"""

import importlib.util
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medvision import DISTRIBUTION
from medvision.command import Parser, run
from medvision.errors import ConfigError, MedvisionError
from medvision.exporting.formats import EXTRAS, PRECISIONS, TABLE

if TYPE_CHECKING:
    from medvision.exporting.session import Exported


class ParityError(MedvisionError):
    """What was exported says something else than its run, and was not left behind."""

    exit_code = 4


def main(argv: list[str]) -> "list[Exported]":
    """Export a run, and print how far each file is from it.

    Args:
        argv: the options of the command line.

    Returns:
        What became of each precision.

    Raises:
        ParityError: a file is further from the run than it may be.
        MedvisionError: everything a user can mend.
    """
    options = _parse(argv)
    # Late imports: torch and Lightning take seconds, which a mistake in the options need not wait for.
    from medvision.exporting.session import export_run
    from medvision.exporting.source import open_source
    from medvision.runs import open_run

    folder = open_run(options.run)
    source = open_source(folder)
    output = folder.exported if options.output is None else options.output
    done = export_run(source, options.format, options.precision, output, options.tolerance)
    print(as_text(done))
    failures = [f"{one.path.name} was not exported: {failure}" for one in done for failure in one.failures]
    if failures:
        table = folder.exported / TABLE
        raise ParityError(*failures, f"{table} tells of every image; --tolerance SHARE accepts larger differences")
    return done


def _parse(argv: list[str]) -> Namespace:
    """The options, after everything that can be refused without reading anything."""
    parser = Parser("export", __doc__)
    parser.add_argument("run", metavar="RUN", help="a run folder, or `latest`")
    parser.add_argument("--format", choices=PRECISIONS, required=True, help="of the file")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS["onnx"], default=["fp32"], help="of the network (default: fp32)"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the files (default: RUN/export)")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="SHARE",
        help="probabilities may differ by it, so many answers may be others, and Dice may be so far below 1",
    )
    options = parser.parse(argv)
    able = PRECISIONS[options.format]
    impossible = [name for name in options.precision if name not in able]
    if impossible:
        raise ConfigError(f"--precision {impossible[0]}: --format {options.format} has {', '.join(able)}")
    if options.tolerance is not None and not 0 <= options.tolerance <= 1:
        raise ConfigError(f"--tolerance: expected a share from 0 to 1, got {options.tolerance:g}")
    if options.output is not None and options.output.exists() and not options.output.is_dir():
        raise ConfigError(f"--output: {options.output} is a file; give a folder")
    missing = [name for name in EXTRAS.get(options.format, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"--format {options.format} needs {', '.join(missing)}: pip install '{DISTRIBUTION}[onnx]'")
    return options


def as_text(done: "Sequence[Exported]") -> str:
    """What was exported for the terminal: files, sizes, speeds, and how far they are from the run."""
    # A late import: it brings pandas along, see above.
    from medvision.exporting.sentences import tell

    return "\n".join(line for one in done for line in tell(one))


if __name__ == "__main__":
    sys.exit(run(main))
