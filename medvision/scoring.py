"""A prediction table becomes decisions, metrics, curves and subgroups: pure tables, without a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medvision.config.settings import EvaluationSettings
from medvision.evaluation.curves import curves
from medvision.evaluation.decision import Decision, Decisions, choose_decision
from medvision.evaluation.mask_text import segmentation_report
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.evaluation.subgroups import subgroups
from medvision.evaluation.text import classification_report
from medvision.reports.page_tables import label_half, mask_half


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How the rows of a split are scored.

    Args:
        classes: of the labels, in order; empty where there are none.
        mask_classes: of the masks, the background first; empty where there are none.
        multilabel: several labels an image.
        evaluation: settings.
        seed: of the bootstrap.
    """

    classes: Sequence[str]
    mask_classes: Sequence[str]
    multilabel: bool
    evaluation: EvaluationSettings
    seed: int

    def decide(self, raw: pd.DataFrame) -> Decision:
        """Temperature and thresholds, from the rows of the validation split as the network gives them."""
        return choose_decision(
            raw,
            self.classes,
            multilabel=self.multilabel,
            aggregate=self.evaluation.aggregate,
            rule=self.evaluation.threshold,
            temperature=self.evaluation.temperature,
        )

    def metrics(self, table: pd.DataFrame, decision: Decisions) -> dict[str, Any]:
        """{level: {metric: entry}} of the rows of one split, or of all test folds: of labels, of masks, or of both."""
        levels: dict[str, Any] = {}
        resamples, interval = self.evaluation.resamples, self.evaluation.interval
        if "target" in table:
            levels = classification_metrics(
                table,
                self.classes,
                multilabel=self.multilabel,
                resamples=resamples,
                seed=self.seed,
                interval=interval,
                decision=decision,
            )
        if "unit" in table:
            masks = segmentation_metrics(
                table, self.mask_classes, resamples=resamples, seed=self.seed, interval=interval
            )
            levels = {level: {**levels.get(level, {}), **masks.get(level, {})} for level in {**masks, **levels}}
        return levels

    def curves(self, table: pd.DataFrame, decision: Decisions) -> dict[str, Any]:
        """The points of all curves of one split by level; empty where there are no labels."""
        if "target" not in table:
            return {}
        return curves(
            table,
            self.classes,
            multilabel=self.multilabel,
            resamples=self.evaluation.resamples,
            seed=self.seed,
            decision=decision,
        )

    def subgroups(self, table: pd.DataFrame, decision: Decisions) -> dict[str, Any]:
        """The metrics of one split by metadata: {level: [column]}."""
        return subgroups(
            table,
            self.classes,
            self.mask_classes,
            multilabel=self.multilabel,
            columns=self.evaluation.subgroups,
            smallest=self.evaluation.smallest_group,
            resamples=self.evaluation.resamples,
            seed=self.seed,
            interval=self.evaluation.interval,
            decision=decision,
        )


def score_report(levels: dict[str, Any]) -> str:
    """The metrics of one split for the terminal."""
    labels, masks = label_half(levels), mask_half(levels)
    parts = [classification_report(labels)] if labels else []
    return "\n\n".join([*parts, segmentation_report(masks)] if masks else parts)
