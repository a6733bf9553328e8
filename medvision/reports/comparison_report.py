"""From the files of a comparison to its figures, its table and `report.html`, again at any time and without a model."""

from collections.abc import Sequence

import pandas as pd

from medvision.data.table import LABEL_SEPARATOR
from medvision.reports.comparison_figures import comparison_figures
from medvision.reports.comparison_inputs import ComparisonInputs, ModelFacts
from medvision.reports.comparison_page import comparison_page
from medvision.reports.comparison_text import comparison_rows
from medvision.reports.figures import save_figure
from medvision.runs import RunFolder, read_json, read_table, reads_run, replace_text, write_table


def read_comparison_inputs(parent: RunFolder) -> ComparisonInputs:
    """What the page of a comparison tells, read from the files of its folder alone.

    Raises:
        RunError: nothing was compared yet.
    """
    comparison, environment = read_json(parent.comparison), read_json(parent.environment)
    plan, data = read_json(parent.plan), environment["data"]
    table = read_table(parent.predictions)
    rows = table[table["model"] == comparison["models"][0]]
    folds = rows["fold"].nunique() if plan.get("cross_validated") else 1
    return ComparisonInputs(
        folder=parent.path.name,
        comparison=comparison,
        models=[
            ModelFacts(
                name=model["name"],
                experiment=model["experiment"],
                runs=environment["models"][model["name"]],
                report=f"{model['run']}/{parent.report.name}",
            )
            for model in plan["models"]
        ],
        classes=data["classes"],
        mask_classes=data.get("mask_classes", []),
        multilabel=data["multilabel"],
        counts=_count(rows, data["classes"]),
        folds=folds,
        repeats=rows["repeat"].nunique() if "repeat" in rows else 1,
        simulated=data["simulated"],
        citation=data["citation"],
        licence=data["licence"],
        url=data["url"],
    )


def _count(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, tuple[int, int | None]]:
    """Images and patients with each class, of one repeat."""
    if "target" not in rows:
        return {}
    once = rows.drop_duplicates("image")
    shown = once["target"].fillna("").astype(str).str.split(LABEL_SEPARATOR)
    known = "patient" in once and bool((once["patient"].fillna("").astype(str) != "").all())
    counts = {}
    for name in classes:
        having = once[[name in labels for labels in shown]]
        counts[name] = (len(having), int(having["patient"].nunique()) if known else None)
    return counts


@reads_run
def write_comparison(parent: RunFolder) -> None:
    """Draw the figures of a comparison, and write its table and its page, from the files of its folder.

    Raises:
        RunError: nothing was compared yet.
    """
    inputs = read_comparison_inputs(parent)
    figures = {
        name: save_figure(figure, parent.figures / f"{name}.svg") for name, figure in comparison_figures(inputs).items()
    }
    write_table(parent.comparison.with_suffix(".csv"), pd.DataFrame(comparison_rows(inputs)))
    replace_text(parent.report, comparison_page(inputs, figures))
