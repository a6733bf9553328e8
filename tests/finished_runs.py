"""Run folders as an evaluation leaves them, of drawn predictions: what compares runs needs no training."""

import pandas as pd
import yaml

from medvision.evaluation.decision import UNCHANGED
from medvision.runs import RunFolder, write_json, write_table
from tests.reports.compared import RUN, SKILLS, draw_table, experiment

CLASSES = ("whole", "torn")


def write_finished_run(path, name="scratch", *, seed=0, classes=CLASSES, table=None, **changes):
    """A finished run; `changes` are entries of its `environment.json`."""
    run = RunFolder(path)
    run.figures.mkdir(parents=True)
    settings = {**experiment(name), "evaluation": {"resamples": 40, "interval": "percentile"}}
    run.experiment.write_text(yaml.safe_dump(settings))
    data = {"classes": list(classes), "mask_classes": [], "multilabel": False, "simulated": True}
    data |= {"citation": "Drawn by a program.", "licence": "CC0", "url": ""}
    model = {"parameters": 1234, "trained_parameters": 1234}
    write_json(run.environment, {"seed": 7, "python": "3.11", "data": data, "model": model, **RUN, **changes})
    drawn = draw_table(SKILLS[name], seed, classes) if table is None else table
    other = drawn.iloc[:4].assign(split="val", image=[f"val{k}.png" for k in range(4)])
    write_table(run.predictions, pd.concat([drawn, other], ignore_index=True))
    write_json(run.decision, UNCHANGED.to_json())
    return run
