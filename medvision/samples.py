"""Draw a simulated data set in the layout of a real one.

The images are drawn, not seen by a device: they are for a first run and for tests, never for findings. Each carries
SIMULATED in its metadata, and the folder a file SIMULATED.json by which runs and reports know it.
"""

from pathlib import Path

from medvision.command import Parser, run
from medvision.config.registry import DATAMODULES


def main(argv: list[str]) -> Path:
    """Draw the set that the arguments name, and print where it is.

    Raises:
        ConfigError: an option or the name is wrong.
        DataError: the folder holds something.
    """
    parser = Parser("samples", __doc__)
    parser.add_argument("name", help=f"one of {', '.join(DATAMODULES)}")
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (default 0)")
    parser.add_argument("--patients", type=int, help="how many")
    parser.add_argument("--images", type=int, help="of each view (section, joint, study, video) of a patient")
    options = parser.parse(argv)
    # A late import: drawing needs OpenCV, for which --help need not wait.
    from medvision.phantoms.sets import generate

    folder = generate(options.name, options.folder, seed=options.seed, patients=options.patients, images=options.images)
    drawn = sum(1 for file in folder.rglob("*") if file.suffix in (".png", ".jpg"))
    print(f"simulated data set: {folder}" + (f", {drawn} images" if drawn else ""))
    print(f"what reads it: {folder / 'README.txt'}")
    return folder


if __name__ == "__main__":
    run(main)
