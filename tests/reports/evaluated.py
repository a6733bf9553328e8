"""Makes a drawn run complete: decision, metrics, curves, subgroups and cases, as an evaluation leaves them."""

import numpy as np
import pandas as pd
from PIL import Image

from medvision.config.settings import EvaluationSettings
from medvision.evaluation.decision import UNCHANGED, apply_decision
from medvision.evaluation.notable import notable_cases
from medvision.reports.run_report import write_report
from medvision.runs import read_json, read_table, write_json, write_table
from medvision.scoring import Scoring
from tests.reports.reading import Page

SITES = ("North", "South")


def noise(height, width, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8))


def add_metadata(table, sites=SITES):
    """Sex, age and site of the patients; the sex of some is not known."""
    patients = table["patient"].unique()
    random = np.random.default_rng(1)
    drawn = {
        "sex": random.choice(["F", "M", ""], len(patients), p=[0.5, 0.4, 0.1]),
        "age": random.integers(20, 80, len(patients)),
        "site": random.choice(list(sites), len(patients)),
    }
    return table.assign(
        **{name: table["patient"].map(dict(zip(patients, v, strict=True))) for name, v in drawn.items()}
    )


def complete(run, *, rule=0.5, resamples=40, sites=SITES, side=48):
    """Evaluate the drawn predictions of a run as `medvision.results` does."""
    environment = read_json(run.environment)
    data = environment["data"]
    scoring = Scoring(
        classes=data["classes"],
        mask_classes=data.get("mask_classes", []),
        multilabel=data["multilabel"],
        evaluation=EvaluationSettings(resamples=resamples, threshold=rule),
        seed=0,
    )
    table, decision = add_metadata(read_table(run.predictions), sites), UNCHANGED
    if data["classes"]:
        decision = scoring.decide(table[table["split"] == "val"].reset_index(drop=True))
        write_json(run.decision, decision.to_json())
        table = apply_decision(table, data["classes"], decision, multilabel=data["multilabel"])
    write_table(run.predictions, table)
    rows = {split: table[table["split"] == split].reset_index(drop=True) for split in ("val", "test")}
    write_json(run.metrics, {split: scoring.metrics(part, decision) for split, part in rows.items()})
    write_json(run.curves, {"test": scoring.curves(rows["test"], decision)})
    write_json(run.subgroups, {"test": scoring.subgroups(rows["test"], decision)})
    if data["classes"]:
        write_cases(run, rows["test"], data, decision, side)
    spent = {"devices": 0, "seconds_per_image": 0.0125, "peak_memory_mib": 2048}
    write_json(run.environment, {**environment, **spent})
    return run


def write_cases(run, table, data, decision, side):
    """Choose the notable images of a split, and write `cases.json` with pictures of noise."""
    run.case_pictures.mkdir(parents=True, exist_ok=True)
    chosen = notable_cases(table, data["classes"], multilabel=data["multilabel"], decision=decision)
    cases = []
    for number, case in enumerate(chosen.to_dict("records"), start=1):
        row = table.iloc[case["row"]]
        files = {"picture": f"figures/cases/{number:02d}.jpg", "map": f"figures/cases/{number:02d}_map.jpg"}
        for k, file in enumerate(files.values()):
            noise(side, side, 2 * number + k).save(run.path / file, quality=90)
        told = {"target": row["target"], "predicted": row["predicted"]}
        told = {name: "" if pd.isna(value) else value for name, value in told.items()}
        shown = {"class_shown": case["class_shown"], "probability": float(case["probability"])}
        told |= {"split": "test", "kind": case["kind"], "image": row["image"], "patient": f"patient {number}"}
        cases.append({**told, **shown, **files, "no_evidence": number == 1, "note": ""})
    write_json(run.cases, cases)


def raw_page(run):
    """The text of the page of a run, made anew."""
    write_report(run)
    return run.report.read_text()


def page_of(run):
    """The page of a run, made anew and read."""
    return Page(raw_page(run))


def told(run, name):
    """What a JSON file of a run holds, such as `metrics`."""
    return read_json(getattr(run, name))
