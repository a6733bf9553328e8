"""What features say by themselves: K-means clusters of images against their classes and their patients.

Features come from the best checkpoint of a run, or from a frozen backbone and the images of an experiment file; a
linear probe and nearest neighbours tell how much of the classes is in them.

    python -m medvision.cluster runs/knee_xray/latest -k 4
    python -m medvision.cluster experiments/knee_xray.yaml --map umap
    python -m medvision.cluster experiments/knee_xray.yaml --backbone resnet18 --pretrained true
"""

import importlib.util
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medvision.command import Parser, run
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from medvision.datamodules.base import DataModule
    from medvision.evaluation.cluster_study import ClusterSettings, ClusterStudy
    from medvision.evaluation.probes import Sides
    from medvision.runs import RunFolder

NEIGHBOURS = 15


def main(argv: list[str]) -> "RunFolder":
    """Cluster the images of a run or an experiment, score the clusters, and write their report.

    Args:
        argv: the options of the command line.

    Returns:
        The folder with `features.npz`, `clusters.csv`, `clusters.json`, `predictions.csv` of the probes and
        `report.html`.

    Raises:
        MedvisionError: everything a user can mend.
    """
    parser = Parser("cluster", __doc__)
    parser.add_experiment(required=False)
    parser.add_argument("-k", type=int, help="how many clusters (default: 2 to 10, by the silhouette)")
    parser.add_argument("--backbone", help="a frozen network for an experiment file, any timm name")
    parser.add_argument("--pretrained", help="its weights: a file, or true for the published ones")
    parser.add_argument("--map", choices=("pca", "umap"), default="pca", help="in two dimensions (default: pca)")
    parser.add_argument("--seed", type=int, help="of K-means, map and intervals (default: the experiment's)")
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder of all runs (default: runs)")
    options = parser.parse_experiment(argv)
    of_run = _check(options)
    # Late imports: torch and scikit-learn take seconds, which a mistake in the options need not wait for.
    from medvision import training
    from medvision.features import frozen_embedder, image_features, run_embedder

    start = time.perf_counter()
    if of_run:
        source = _open_single_run(options.files[0], options.output)
        experiment = load_experiment([str(source.experiment)], [])
        if experiment.model["task"] == "baseline":
            raise ConfigError(
                f"{options.files[0]}: a baseline has trained no network; cluster its images by a frozen one: "
                f"python -m medvision.cluster {options.files[0]}/experiment.yaml --backbone NAME --pretrained FILE"
            )
        datamodule = training.build_datamodule(experiment)
        training.check_same_data(source, datamodule)
        embedder = run_embedder(experiment, source, datamodule)
    else:
        source = None
        experiment = load_experiment(options.files, options.overrides)
        datamodule = training.build_datamodule(experiment)
        embedder = frozen_embedder(experiment, datamodule, options.backbone, _weights(options.pretrained))
    features = image_features(datamodule, embedder)
    told = {
        "name": experiment.name,
        "run": None if source is None else source.path.name,
        "network": _network(experiment, options),
        "seed": experiment.seed if options.seed is None else options.seed,
        "map": options.map,
        "seconds": {"features": round(time.perf_counter() - start, 2)},
    }
    folder = _make_folder(source, options.output, experiment.name)
    _write(folder, experiment, datamodule, features, options.k, told)
    print(f"report: {folder.report}")
    return folder


def _check(options: Namespace) -> bool:
    """Whether a run is asked for, after everything that can be refused without reading anything.

    Raises:
        ConfigError: what does not go together.
    """
    if not options.files:
        raise ConfigError("no run and no experiment file; for instance: python -m medvision.cluster runs/knee/latest")
    of_run = not all(Path(name).suffix in (".yaml", ".yml") for name in options.files)
    if of_run and len(options.files) > 1:
        raise ConfigError(f"one run at a time, or experiment files alone, not {' '.join(options.files)}")
    given = [f"--{name}" for name in ("backbone", "pretrained") if getattr(options, name) is not None]
    refused = [*given, *options.overrides] if of_run else []
    if refused:
        raise ConfigError(
            f"{' '.join(refused)}: a run has its own network and images; for a frozen backbone give its file, "
            f"{options.files[0]}/experiment.yaml"
        )
    if options.map == "umap" and importlib.util.find_spec("umap") is None:
        raise ConfigError("--map umap needs a package: pip install 'medvision-lightning[umap]'; --map pca needs none")
    return of_run


def _open_single_run(name: str, output: Path) -> "RunFolder":
    from medvision.runs import open_run

    found = open_run(name, output)
    if found.plan.is_file():
        parts = sorted(part.name for part in found.parts.glob("*/"))
        raise ConfigError(
            f"{name} holds several runs, each with features of its own; take one of them, such as "
            f"{found.parts / parts[0] if parts else found.parts}"
        )
    return found


def _weights(given: str | None) -> bool | str | None:
    """`--pretrained` as the experiment file has it."""
    return {"true": True, "false": False}.get(given, given) if given is not None else None


def _network(experiment: Experiment, options: Namespace) -> dict[str, Any]:
    """What made the features; of a weight file its name alone, as the page may travel."""
    model = experiment.model
    name = options.backbone or model.get("backbone") or model.get("encoder") or model.get("task")
    own = model.get("pretrained", False) if options.backbone is None else False
    weights = own if options.pretrained is None else _weights(options.pretrained)
    return {"name": str(name), "weights": Path(weights).name if isinstance(weights, str) else bool(weights)}


def _make_folder(source: "RunFolder | None", output: Path, name: str) -> "RunFolder":
    from medvision.runs import RunFolder, create_run

    if source is not None:
        folder = RunFolder(source.clustering)
        folder.path.mkdir(exist_ok=True)
        return folder
    return create_run(output, f"{name}-clusters")


def _write(
    folder: "RunFolder",
    experiment: Experiment,
    datamodule: "DataModule",
    features: "np.ndarray",
    k: int | None,
    told: dict[str, Any],
) -> None:
    import numpy as np
    from threadpoolctl import threadpool_limits

    from medvision.evaluation.cluster_study import ClusterSettings, study_clusters
    from medvision.reports.cluster_page import write_cluster_report
    from medvision.reports.cluster_sentences import terminal_text
    from medvision.runs import read_json, write_json, write_table

    start = time.perf_counter()
    evaluation = experiment.evaluation
    settings = ClusterSettings(k=k, seed=told["seed"], resamples=evaluation.resamples, interval=evaluation.interval)
    images = _images(datamodule, learned=told["run"] is not None)
    classes = _partition_names(datamodule)
    project = None if told["map"] == "pca" else _umap(told["seed"])
    # Small matrices: on a machine that is busy, threads wait for each other many times longer than one of them works.
    with threadpool_limits(1):
        study = study_clusters(features, images, classes, settings, project)
        probes = _probe(folder, datamodule, features, settings, learned=told["run"] is not None)
    np.savez_compressed(folder.embedding, image=np.array(images["image"], dtype=str), features=features)
    write_table(folder.clusters, study.table)
    _save_exemplars(folder, datamodule, study)
    told["seconds"]["analysis"] = round(time.perf_counter() - start, 2)
    of_data = ("simulated", "citation", "licence", "url", "multilabel")
    data = {**{name: getattr(datamodule, name) for name in of_data}, "classes": datamodule.class_names}
    write_json(folder.cluster_scores, {**told, "data": data, **study.summary, "probes": probes})
    write_cluster_report(folder)
    print(terminal_text(read_json(folder.cluster_scores)))


def _images(datamodule: "DataModule", *, learned: bool) -> "pd.DataFrame":
    """The image table with split and fold; one part where the network has learned from no image."""
    from medvision.evaluation.cluster_study import EVERYTHING

    assigned = datamodule.assignment.table
    split = assigned["split"] if learned else EVERYTHING
    return datamodule.image_table.assign(split=split, fold=assigned["fold"])


def _partition_names(datamodule: "DataModule") -> list[str]:
    """The classes, each image in one; of several labels an image each combination is one."""
    if datamodule.multilabel:
        return sorted(set(datamodule.image_table["label"].fillna("")))
    return datamodule.class_names


def _umap(seed: int) -> Any:
    from umap import UMAP

    def project(points: "np.ndarray") -> "np.ndarray":
        neighbours = min(NEIGHBOURS, len(points) - 1)
        return UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(points)

    return project


def _probe(
    folder: "RunFolder",
    datamodule: "DataModule",
    features: "np.ndarray",
    settings: "ClusterSettings",
    *,
    learned: bool,
) -> dict[str, Any]:
    """What the probes say, after writing their predictions; why there are none where they cannot be asked."""
    from medvision.errors import DataError
    from medvision.evaluation.cluster_study import probe_images, score_probes
    from medvision.runs import write_table

    folder.predictions.unlink(missing_ok=True)
    if datamodule.targets is None:
        return {"metrics": {}, "why": "the images have no labels"}
    try:
        sides = _sides(datamodule, learned=learned)
    except DataError as error:
        return {"metrics": {}, "why": f"there are no folds: {error.lines[0]}"}
    classes, multilabel = datamodule.class_names, datamodule.multilabel
    table, chosen = probe_images(
        features, datamodule.image_table, datamodule.targets, classes, sides, multilabel=multilabel
    )
    write_table(folder.predictions, table)
    metrics = score_probes(table, classes, settings, multilabel=multilabel)
    return {"folds": len(sides) if -1 not in sides else None, "settings": chosen, "metrics": metrics}


def _sides(datamodule: "DataModule", *, learned: bool) -> "dict[int, Sides]":
    """The split of a run, of which the network knows all but the test images; else the folds of a cross-validation."""
    from medvision.data.folds import fold_count
    from medvision.evaluation.probes import Sides

    def of(assignment: Any) -> Sides:
        return Sides(*(assignment.rows(name) for name in ("train", "val", "test")))

    split = datamodule.split
    if learned:
        return {-1: of(datamodule.assignment)}
    if split.fold is not None:
        return {split.fold: of(datamodule.assignment)}
    found = {}
    for fold in range(fold_count(datamodule.image_table, split)):
        one = split.model_copy(update={"fold": fold})
        found[fold] = of(datamodule.with_split(one, datamodule.seed).assignment)
    return found


def _save_exemplars(folder: "RunFolder", datamodule: "DataModule", study: "ClusterStudy") -> None:
    """Pictures of the images nearest each centre, as the network sees them."""
    import shutil

    from medvision.reports.cluster_pictures import save_exemplar

    if folder.case_pictures.is_dir():
        shutil.rmtree(folder.case_pictures)
    shown = study.table[study.table["exemplar"] > 0]
    for row, cluster, rank in zip(shown.index, shown["cluster"], shown["exemplar"], strict=True):
        file = folder.case_pictures / f"{cluster:02d}_{rank}.jpg"
        save_exemplar(datamodule.pixels[row], file, simulated=datamodule.simulated)


if __name__ == "__main__":
    sys.exit(run(main))
