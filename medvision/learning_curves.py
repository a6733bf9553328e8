"""How a metric grows with the number of training images: nested subsets, the same patients tested throughout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medvision.config.settings import Experiment
from medvision.errors import ConfigError, RunError
from medvision.evaluation.comparison import check_same_cases
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.evaluation.training_sizes import (
    Answers,
    Question,
    check_subsets,
    compare_models,
    describe_subsets,
    describe_test,
    fit_curves,
    flatten_headlines,
    join_repeats,
    keep_headlines,
)
from medvision.parts import OpenData, Part, part_folder, unfinished
from medvision.reports.figures import save_figure
from medvision.reports.learning_curve_figures import learning_curve_figures
from medvision.reports.learning_curve_page import learning_curve_page
from medvision.runs import RunFolder, read_json, read_table, reads_run, replace_text, write_json, write_table
from medvision.scoring import Scoring
from medvision.training import build_task

COSTS = ("training_seconds", "seconds_per_image", "peak_memory_mib", "peak_gpu_memory_mib")


def learning_curve_parts(
    experiments: Sequence[Experiment], sizes: Sequence[int], repeats: int, data: OpenData | None = None
) -> list[Part]:
    """The runs of a learning curve: every experiment at every size, repeated with other seeds.

    Validation and test images stay those of the first experiment's split. A repeat has its own order of the training
    groups, of which every size takes the beginning, and its own first weights; both are the same for all experiments.

    Args:
        experiments: the models, on the same data.
        sizes: numbers of training images.
        repeats: how many seeds, counted from that of the first experiment.
        data: what the caller has opened already.

    Returns:
        Parts named `<experiment>-<images>-<repeat>`.

    Raises:
        ConfigError: sizes, repeats or experiments of which no curve can be made.
        DataError: a size is larger than the training split, or so small that a class is missing.
        ModelError: a network or its weights are not there.
    """
    _check_question(experiments, sizes, repeats)
    first = experiments[0]
    split_seed = first.seed if first.split.seed is None else first.split.seed
    parts = [
        Part(f"{experiment.name}-{images}-{repeat}", _subset(experiment, images, first.seed + repeat, split_seed))
        for experiment in experiments
        for images in sorted(sizes)
        for repeat in range(repeats)
    ]
    _check_data(parts, repeats, OpenData() if data is None else data)
    return parts


def _check_data(parts: Sequence[Part], repeats: int, data: OpenData) -> None:
    """Tell before the first training what would stop a later one: of the data, the weights, or another split."""
    by_model: dict[str, list[Part]] = {}
    for part in parts:
        by_model.setdefault(part.experiment.name, []).append(part)
    splits = {}
    # The first one last: it is trained first, and its data stay open.
    for name, own in reversed(by_model.items()):
        largest = data.get(own[-1].experiment)
        build_task(own[-1].experiment, largest.summary())
        splits[name] = largest.split_table()[["image", "split"]].sort_values("image", ignore_index=True)
        for smallest in own[:repeats]:
            data.get(smallest.experiment)
    first = parts[0].experiment.name
    others = [name for name in by_model if not splits[name].equals(splits[first])]
    if others:
        raise ConfigError(
            *(f"{name}: other images or another split than {first}; give both the same" for name in others)
        )


def _check_question(experiments: Sequence[Experiment], sizes: Sequence[int], repeats: int) -> None:
    names = [experiment.name for experiment in experiments]
    problems = [] if names else ["learning curves: no experiment; give at least one file"]
    if len(set(names)) < len(names):
        problems.append(f"learning curves: the experiments are called {', '.join(names)}; give each its own name")
    if len(set(sizes)) < len(sizes) or min(sizes, default=1) < 1:
        problems.append(f"--train-images: expected different numbers from 1 on, got {' '.join(map(str, sizes))}")
    elif len(sizes) < 2:
        problems.append(f"--train-images: {len(sizes)} size makes no curve; give two at least, better four")
    if repeats < 1:
        problems.append(f"--repeats: expected 1 or more, got {repeats}")
    problems += [
        f"{experiment.name}: split.{name} is what a learning curve varies; leave it out"
        for experiment in experiments
        for name in ("train_images", "train_patients")
        if getattr(experiment.split, name) is not None
    ]
    if problems:
        raise ConfigError(*problems)


def _subset(experiment: Experiment, images: int, seed: int, split_seed: int) -> Experiment:
    split = experiment.split.model_copy(update={"train_images": images, "seed": split_seed})
    return experiment.model_copy(update={"seed": seed, "split": split})


@dataclass(frozen=True, eq=False)
class Finished:
    """One finished part.

    Args:
        part: what was run.
        answers: its predictions.
        environment: its `environment.json`.
        metrics: of the test split, {level: {metric: entry}}.
    """

    part: Part
    answers: Answers
    environment: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]


def gather_learning_curves(parent: RunFolder, parts: Sequence[Part]) -> dict[str, Any]:
    """Compute the learning curves from the tables of the parts, and write them with their report.

    Args:
        parent: the folder of all parts; `learning_curve.json`, `learning_curve.csv`, `predictions.csv` and the report
            are written.
        parts: those of `learning_curve_parts`.

    Returns:
        What stands in `learning_curve.json`.

    Raises:
        RunError: parts are not finished.
        DataError: parts were not tested on the same patients, or a subset does not lie in the larger ones.
    """
    missing = unfinished(parent, parts)
    if missing:
        raise RunError(
            f"{parent.path}: {len(missing)} of {len(parts)} parts are not finished, the first is {missing[0].name}; "
            f"--resume {parent.path} goes on"
        )
    finished = [_read_part(parent, part, parts[0].experiment.seed) for part in parts]
    check_same_cases({one.part.name: one.answers.rows for one in finished})
    curves: dict[str, dict[int, list[Answers]]] = {}
    for one in finished:
        curves.setdefault(one.part.experiment.name, {}).setdefault(one.answers.images, []).append(one.answers)
    check_subsets(curves)
    question = _question(finished[0])
    found = {
        **_describe(finished[0], curves, question),
        "models": _models(finished),
        "levels": _levels(curves, question, parts[0].experiment),
        "parts": [_part_row(one) for one in finished],
    }
    write_json(parent.learning_curve, found)
    write_table(parent.learning_curve.with_suffix(".csv"), _point_table(finished))
    write_table(parent.predictions, _all_rows(finished))
    write_learning_curves(parent)
    return found


@reads_run
def write_learning_curves(parent: RunFolder) -> None:
    """Draw figures and report of learning curves, again at any time, from `learning_curve.json`.

    Raises:
        RunError: the curves were not gathered yet.
    """
    found = read_json(parent.learning_curve)
    figures = {
        name: save_figure(figure, parent.figures / f"{name}.svg")
        for name, figure in learning_curve_figures(found).items()
    }
    replace_text(parent.report, learning_curve_page(found, figures, parent.path.name))


def _read_part(parent: RunFolder, part: Part, first_seed: int) -> Finished:
    run = part_folder(parent, part)
    table = read_table(run.predictions)
    images = part.experiment.split.train_images
    assert images is not None, "every part of a learning curve has a size"
    answers = Answers(
        images=images,
        repeat=part.experiment.seed - first_seed,
        split=read_table(run.split),
        rows=table[table["split"] == "test"].sort_values("image", kind="stable", ignore_index=True),
        decision=Decision.from_json(read_json(run.decision)) if run.decision.is_file() else UNCHANGED,
    )
    return Finished(part, answers, read_json(run.environment), read_json(run.metrics)["test"])


def _question(one: Finished) -> Question:
    data, evaluation = one.environment["data"], one.part.experiment.evaluation
    return Question(
        classes=data["classes"],
        mask_classes=data["mask_classes"],
        multilabel=data["multilabel"],
        resamples=evaluation.resamples,
        seed=one.part.experiment.seed,
        interval=evaluation.interval,
    )


def _describe(
    one: Finished, curves: Mapping[str, Mapping[int, Sequence[Answers]]], question: Question
) -> dict[str, Any]:
    """What is the same in all parts."""
    data, sizes = one.environment["data"], next(iter(curves.values()))
    return {
        "question": one.part.experiment.question,
        "sizes": list(sizes),
        "repeats": len(next(iter(sizes.values()))),
        "group": one.part.experiment.split.group,
        "training": describe_subsets(sizes),
        "test": describe_test(one.answers),
        **{key: data[key] for key in ("classes", "mask_classes", "simulated", "citation", "licence", "url")},
        "resamples": question.resamples,
    }


def _models(finished: Sequence[Finished]) -> dict[str, dict[str, Any]]:
    """Of every model its settings, its parameters and what every training took."""
    models: dict[str, dict[str, Any]] = {}
    for one in finished:
        experiment, environment = one.part.experiment, one.environment
        model = models.setdefault(
            experiment.name,
            {
                "experiment": experiment.model_dump(mode="json"),
                "parameters": environment["model"]["parameters"],
                "device": environment.get("device"),
                "costs": {},
            },
        )
        costs = model["costs"].setdefault(str(one.answers.images), {name: [] for name in COSTS})
        for name in COSTS:
            costs[name].append(environment.get(name))
    return models


def _levels(
    curves: Mapping[str, Mapping[int, Sequence[Answers]]], question: Question, experiment: Experiment
) -> dict[str, Any]:
    """{level: headline, metrics by model and size, fits by model, pairs by size}."""
    scoring = Scoring(
        classes=question.classes,
        mask_classes=question.mask_classes,
        multilabel=question.multilabel,
        evaluation=experiment.evaluation,
        seed=question.seed,
    )
    levels: dict[str, Any] = {name: {**fit, "metrics": {}} for name, fit in fit_curves(curves, question).items()}
    for model, sizes in curves.items():
        for size, repeats in sizes.items():
            for name, entries in scoring.metrics(*join_repeats(repeats)).items():
                levels[name]["metrics"].setdefault(model, {})[str(size)] = keep_headlines(entries)
    for name, by_size in compare_models(curves, question).items():
        levels[name]["pairs"] = {str(size): pairs for size, pairs in by_size.items()}
    return levels


def _part_row(one: Finished) -> dict[str, Any]:
    return {
        "name": one.part.name,
        "model": one.part.experiment.name,
        "images": one.answers.images,
        "repeat": one.answers.repeat,
    }


def _point_table(finished: Sequence[Finished]) -> pd.DataFrame:
    """A row a training and level, with its own metrics and intervals and with what it took."""
    rows = []
    for one in finished:
        training = one.answers.split[one.answers.split["split"] == "train"]
        patients = training["patient"].nunique() if "patient" in training else np.nan
        for level, entries in one.metrics.items():
            row = {**_part_row(one), "patients": patients, "level": level, **flatten_headlines(entries)}
            rows.append(row | {name: one.environment.get(name) for name in COSTS})
    return pd.DataFrame(rows).rename(columns={"name": "part"}).dropna(axis="columns", how="all")


def _all_rows(finished: Sequence[Finished]) -> pd.DataFrame:
    rows = [one.answers.rows.assign(**_part_row(one)).drop(columns="name") for one in finished]
    return pd.concat(rows, ignore_index=True)
