"""The report on clusters: from the files of a folder to figures and one HTML page, at any time and without a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from medvision.data.pseudonyms import pseudonyms
from medvision.reports.cluster_figures import MOST_POINTS, cluster_figures
from medvision.reports.cluster_pictures import SIDE
from medvision.reports.cluster_sentences import (
    answer_sentences,
    banner_sentence,
    method_sentences,
    network_text,
    probe_sentences,
)
from medvision.reports.cluster_tables import (
    PARTS,
    agreement_table,
    class_table,
    label_text,
    partition_table,
    probe_tables,
    scored_parts,
    size_table,
    together_table,
)
from medvision.reports.figures import save_figure
from medvision.reports.model_card import NOT_CLINICAL
from medvision.reports.page_template import MOST_BYTES, page_template
from medvision.reports.pictures import embed_pictures
from medvision.runs import RunFolder, read_json, read_table, reads_run, replace_text

SECTIONS = {
    "classes": "Clusters and classes",
    "patients": "Classes or patients",
    "exemplars": "What a cluster looks like",
    "probes": "What a classifier finds in the features",
    "number": "How many clusters",
    "method": "How it was made",
}


@dataclass(frozen=True)
class Exemplar:
    """An image near the centre of its cluster.

    Args:
        name: of its picture.
        facts: class, and what the patient is called.
        alt: of the picture.
    """

    name: str
    facts: str
    alt: str


@reads_run
def write_cluster_report(folder: RunFolder) -> Path:
    """Write the figures and `report.html` of a folder of clusters, from its tables.

    Args:
        folder: with `clusters.csv`, `clusters.json` and the pictures of the exemplars.

    Returns:
        The page.

    Raises:
        RunError: the folder holds no clusters.
    """
    found, table = read_json(folder.cluster_scores), read_table(folder.clusters)
    called = pseudonyms(table)
    figures = {
        name: save_figure(figure, folder.figures / f"{name}.svg")
        for name, figure in cluster_figures(table, found, called).items()
    }
    shown = _exemplars(table, called)
    files = {one.name: folder.case_pictures / f"{one.name}.jpg" for some in shown.values() for one in some}
    pictures = {name: (file, SIDE) for name, file in files.items() if file.is_file()}
    replace_text(folder.report, cluster_page(folder.path, found, table, shown, figures, pictures))
    return folder.report


def cluster_page(
    path: Path,
    found: Mapping[str, Any],
    table: pd.DataFrame,
    shown: Mapping[int, Sequence[Exemplar]],
    figures: Mapping[str, str],
    pictures: Mapping[str, tuple[Path, int]],
) -> str:
    """The page.

    Args:
        path: of the folder, for its name.
        found: `clusters.json`.
        table: `clusters.csv`.
        shown: the exemplars of each cluster.
        figures: SVG texts by name.
        pictures: {name of an exemplar: (file, width)}.

    Returns:
        HTML of less than 5 MB.
    """
    template = page_template("clusters.html.j2")
    told = _context(path, found, table, shown, figures)
    bare = template.render(**told, pictures=dict.fromkeys(pictures, ""))
    return template.render(**told, pictures=embed_pictures(pictures, MOST_BYTES - len(bare.encode())))


def _context(
    path: Path,
    found: Mapping[str, Any],
    table: pd.DataFrame,
    shown: Mapping[int, Sequence[Exemplar]],
    figures: Mapping[str, str],
) -> dict[str, Any]:
    scores = found["scores"]
    parts = scored_parts(scores)
    counts = {part: class_table(part, scores[part]) for part in parts}
    partitions = {part: partition_table(part, scores[part]) for part in parts if scores[part]["partitions"]}
    answer = answer_sentences(found)
    named = {row["cluster"]: name for row, name in zip(found["clusters"], _names(scores[parts[0]]), strict=False)}
    told = {
        "title": f"{found['name']}: clusters",
        "folder": path.resolve().name if found["run"] is None else found["run"],
        "found": found,
        "network": network_text(found),
        "question": "Do images that a network finds alike show the same class, or are they of the same patient?",
        "answer": answer[0],
        "patients": answer[1] if len(answer) > 1 else "",
        "banner": banner_sentence(found),
        "not_clinical": NOT_CLINICAL,
        "counts": {part: counted for part, counted in counts.items() if counted is not None},
        "agreement": agreement_table(scores),
        "together": together_table(scores),
        "partitions": partitions,
        "parts": PARTS,
        "sizes": size_table(found["clusters"]),
        "exemplars": shown,
        "cluster_names": named,
        "probe_sentences": probe_sentences(found),
        "probe_tables": probe_tables(found["probes"]["metrics"]),
        "method": method_sentences(found),
        "cut": f"{MOST_POINTS:,} of {len(table):,} images are drawn." if len(table) > MOST_POINTS else "",
        "figures": {name: Markup(svg) for name, svg in figures.items()},
    }
    there = {"classes": bool(told["counts"]) or "map_cluster" in figures, "patients": bool(partitions)}
    return {**told, "sections": {name: title for name, title in SECTIONS.items() if there.get(name, True)}}


def _names(scored: Mapping[str, Any]) -> list[str | None]:
    """The class after which each cluster is named, in words."""
    return [None if name is None else label_text(name) for name in scored.get("matched", [])]


def _exemplars(table: pd.DataFrame, called: Sequence[str]) -> dict[int, list[Exemplar]]:
    """The images nearest the centre of each cluster, by its number from 1."""
    shown = table.assign(called=called)
    shown = shown[shown["exemplar"] > 0].sort_values(["cluster", "exemplar"])
    found: dict[int, list[Exemplar]] = {}
    for row in shown.to_dict("records"):
        label = label_text(str(row["label"] or "")) if "label" in row else ""
        learned = "trained on" if row["split"] == "train" else ""
        facts = ", ".join(filter(None, [label, row["called"], learned]))
        name = f"{row['cluster']:02d}_{row['exemplar']}"
        alt = f"Image near the centre of cluster {row['cluster']}: {facts}"
        found.setdefault(int(row["cluster"]), []).append(Exemplar(name, facts, alt))
    return found
