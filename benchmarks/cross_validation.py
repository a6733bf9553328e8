"""What does a cross-validation cost, beside as many fits of single folds, each in a process of its own?

    python benchmarks/cross_validation.py experiments/lung_us.yaml [--rounds 3] [--section.key=value ...]

Each round times both in turn, the one first that was second before: `python -m medvision.cross_validate`, pooling and
report included, and `python -m medvision.fit --split.fold=k` for every fold k. Both begin with an empty cache of
decoded pixels, which the single fits share too. The ratio is to be at most 0.9, and every fold has to end with the
same predictions, to the last bit; otherwise the exit code is 1.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from medvision.command import Parser
from medvision.config import load_experiment

LARGEST_RATIO = 0.9


def main(argv: list[str]) -> bool:
    parser = Parser("cross_validation", __doc__)
    parser.add_experiment()
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_experiment(argv)
    experiment = load_experiment(options.files, options.overrides)
    asked = [*options.files, *options.overrides]
    ratios, same = [], True
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            together, apart = Path(folder, "together"), Path(folder, "apart")
            sides = [
                (together, [["medvision.cross_validate", *asked]]),
                (apart, [["medvision.fit", *asked, f"--split.fold={k}"] for k in range(experiment.split.folds)]),
            ]
            spent = {output: timed(commands, output) for output, commands in (sides if number % 2 else sides[::-1])}
            same &= same_predictions(together, apart)
        ratios.append(spent[together] / spent[apart])
        print(
            f"round {number + 1}: {experiment.split.folds} folds in {spent[together]:.1f} s, "
            f"as single fits {spent[apart]:.1f} s: × {ratios[-1]:.3f}",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"cross-validation / single fits: × {median:.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")
    print(f"predictions of all folds: {'the same to the last bit' if same else 'DIFFERENT'}")
    return same and median <= LARGEST_RATIO


def timed(commands: list[list[str]], output: Path) -> float:
    """Seconds that commands take one after the other, with an empty cache of their own."""
    environment = {**os.environ, "MEDVISION_CACHE": str(output / "cache")}
    start = time.perf_counter()
    for command in commands:
        subprocess.run(
            [sys.executable, "-m", *command, f"--output={output / 'runs'}"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return time.perf_counter() - start


def same_predictions(together: Path, apart: Path) -> bool:
    """Whether both have written the same prediction table of every fold."""
    folds = sorted(together.glob("runs/*/2*/parts/*/predictions.csv"), key=lambda file: int(file.parent.name[5:]))
    singles = sorted(apart.glob("runs/*/2*/predictions.csv"), key=lambda file: file.stat().st_mtime)
    pairs = zip(folds, singles, strict=True)
    return all(fold.read_bytes() == single.read_bytes() for fold, single in pairs)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
