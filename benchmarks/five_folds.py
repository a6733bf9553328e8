"""Train the folds of an experiment one after the other and score their pooled out-of-fold predictions.

    python benchmarks/five_folds.py experiments/knee_xray.yaml [--output runs] [--section.key=value ...]

Every image is predicted once, by a network that has seen no other image of its patient.
"""

import sys
import time
from pathlib import Path

import pandas as pd

from medvision import fit
from medvision.command import Parser, run
from medvision.config import load_experiment
from medvision.evaluation.decision import Decision
from medvision.runs import read_json, read_table
from medvision.scoring import Scoring, score_report


def main(argv: list[str]) -> dict:
    parser = Parser("five_folds", __doc__)
    parser.add_experiment()
    parser.add_argument("--output", type=Path, default=Path("runs"))
    options = parser.parse_experiment(argv)
    experiment = load_experiment(options.files, options.overrides)
    start = time.perf_counter()
    runs = [
        fit.main([*options.files, *options.overrides, f"--split.fold={fold}", f"--output={options.output}"])
        for fold in range(experiment.split.folds)
    ]
    pooled = pd.concat([read_table(done.predictions).query("split == 'test'") for done in runs], ignore_index=True)
    data = read_json(runs[0].environment)["data"]
    scoring = Scoring(
        classes=data["classes"],
        mask_classes=data["mask_classes"],
        multilabel=data["multilabel"],
        evaluation=experiment.evaluation,
        seed=experiment.seed,
    )
    metrics = scoring.metrics(pooled, Decision(aggregate=experiment.evaluation.aggregate))
    minutes = (time.perf_counter() - start) / 60
    print(f"\n{experiment.name}, {len(runs)} folds pooled, {minutes:.1f} min\n{score_report(metrics)}")
    return metrics


if __name__ == "__main__":
    sys.exit(run(main))
