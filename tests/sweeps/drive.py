"""A process that works on a sweep over the played training: `python drive.py FOLDER WORKERS`."""

from pathlib import Path

from medvision.command import run
from medvision.runs import RunFolder
from medvision.sweeps import worker
from tests.sweeps.sweep_files import join


def main(argv: list[str]) -> None:
    folder = RunFolder(Path(argv[0]))
    worker.PAUSE = 0.05
    worker.Worker(folder, *join(folder), int(argv[1])).run()


if __name__ == "__main__":
    run(main)
