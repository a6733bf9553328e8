"""A folder of clusters made of drawn features, without images of a data set and without a network."""

from dataclasses import replace

import numpy as np

from medvision.evaluation.cluster_study import EVERYTHING, ClusterSettings, probe_images, score_probes, study_clusters
from medvision.evaluation.probes import Sides
from medvision.reports.cluster_pictures import save_exemplar
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table
from tests.evaluation.test_cluster_study import CLASSES, SETTINGS, drawn

DATA = {
    "simulated": False,
    "citation": "Drawn by hand.",
    "licence": "MIT",
    "url": "",
    "multilabel": False,
    "classes": CLASSES,
}


def clustered(path, *, run=None, k=None, simulated=False, labels=True, probes=True):
    """Write `clusters.csv`, `clusters.json` and the pictures; the folder, what is told, and the table."""
    folder = RunFolder(path)
    folder.path.mkdir(parents=True, exist_ok=True)
    features, images, target = drawn()
    fold = images["fold"].to_numpy()
    split = EVERYTHING if run is None else np.array(["test", "val", "train", "train"], dtype=object)[fold]
    settings: ClusterSettings = replace(SETTINGS, k=k)
    shown = images if labels else images.drop(columns="label")
    study = study_clusters(features, shown.assign(split=split), CLASSES if labels else [], settings)
    write_table(folder.clusters, study.table)
    for row in np.flatnonzero(study.table["exemplar"] > 0):
        name = f"{study.table['cluster'][row]:02d}_{study.table['exemplar'][row]}.jpg"
        save_exemplar(np.full((40, 60), row, dtype=np.uint8), folder.case_pictures / name, simulated=simulated)
    told = {"metrics": {}, "why": "the images have no labels"}
    if labels and probes:
        rows = {0: Sides(np.flatnonzero(fold > 1), np.flatnonzero(fold == 1), np.flatnonzero(fold == 0))}
        answers, chosen = probe_images(features, images, target, CLASSES, rows, multilabel=False)
        metrics = score_probes(answers, CLASSES, settings, multilabel=False)
        told = {"folds": None if run else 4, "settings": chosen, "metrics": metrics}
    summary = {
        "name": "knees",
        "run": run,
        "network": {"name": "resnet18", "weights": "resnet18.safetensors"},
        "seed": 4,
        "map": "pca",
        "seconds": {"features": 2.5, "analysis": 0.5},
        "data": {**DATA, "simulated": simulated, "classes": CLASSES if labels else []},
        **study.summary,
        "probes": told,
    }
    write_json(folder.cluster_scores, summary)
    return folder, read_json(folder.cluster_scores), read_table(folder.clusters)
