"""How far is the head circumference that a run of fetal_head_us measures from the sonographer's?

    python benchmarks/head_circumference.py runs/fetal_head_us/latest

An ellipse is fitted to the outline of each predicted mask of the test split; its circumference in mm is compared with
the column head_circumference_mm. Intervals: bootstrap over patients.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from medvision.evaluation.bootstrap import bootstrap_metrics
from medvision.evaluation.intervals import percentile_interval
from medvision.mask_scoring import read_saved_mask
from medvision.runs import open_run, read_table

HEAD = 1
RESAMPLES = 2000


def main() -> None:
    run = open_run(sys.argv[1] if len(sys.argv) > 1 else Path("runs/fetal_head_us"))
    table = read_table(run.predictions).query("split == 'test'").reset_index(drop=True)
    measured = np.array([circumference(read_saved_mask(run.path / name)) for name in table["mask"]])
    error = measured * table["row_mm"].to_numpy() - table["head_circumference_mm"].to_numpy(dtype=float)
    groups = pd.factorize(table["patient"], sort=True)[0]
    for title, values in (("mean absolute error", np.abs(error)), ("mean difference", error)):
        drawn = bootstrap_metrics(
            lambda w, v=values: {"mean": (w * v[:, None]).sum(0) / w.sum(0)}, groups, RESAMPLES, 0
        )
        low, high = percentile_interval(drawn["mean"])
        print(f"{title}: {values.mean():.2f} mm [{low:.2f} to {high:.2f}]")
    limits = error.mean() + np.array([-1.96, 1.96]) * error.std(ddof=1)
    print(f"limits of agreement: {limits[0]:.2f} to {limits[1]:.2f} mm")
    print(f"{len(table)} test images of {groups.max() + 1} patients")


def interval(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    def mean(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"mean": (weights * values[:, None]).sum(axis=0) / weights.sum(axis=0)}

    found = percentile_interval(bootstrap_metrics(mean, groups, RESAMPLES, seed=0)["mean"])
    assert found is not None
    return found


def circumference(mask: np.ndarray) -> float:
    """Circumference in pixels of the ellipse that fits the largest region, after Ramanujan; nan without one."""
    outlines, _ = cv2.findContours((mask == HEAD).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(outlines, key=cv2.contourArea, default=None)
    if largest is None or len(largest) < 5:
        return float("nan")
    a, b = (axis / 2 for axis in cv2.fitEllipse(largest)[1])
    # The outline runs through the centres of the outermost pixels: half a pixel inside of the region.
    a, b = a + 0.5, b + 0.5
    h = ((a - b) / (a + b)) ** 2
    return float(np.pi * (a + b) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h))))


if __name__ == "__main__":
    main()
