"""What the templates of a report tell of folds; of a single run, what takes their place."""

from typing import Any

from medvision.evaluation.decision import FoldDecisions, read_decision
from medvision.evaluation.text import UNITS
from medvision.reports.decision_tables import decided_classes
from medvision.reports.fold_sentences import (
    alone_sentence,
    first_repeat_note,
    fold_facts,
    missing_folds_sentence,
    pooling_sentences,
)
from medvision.reports.fold_tables import (
    chosen_table,
    cost_table,
    decision_table,
    links,
    training_table,
    value_tables,
    who_table,
)
from medvision.reports.inputs import ReportInputs
from medvision.reports.page_tables import split_facts


def fold_context(inputs: ReportInputs) -> dict[str, Any]:
    """The names that the templates know, by what they hold.

    Args:
        inputs: of a single run or of a cross-validation.
    """
    told: dict[str, Any] = {
        "apart": "split",
        "facts": {**split_facts(inputs.split), "torn_folds": None, "counted_folds": None}
        if inputs.folds is None
        else fold_facts(inputs),
        "pooling": pooling_sentences(inputs),
        "first_repeat": first_repeat_note(inputs),
        "alone": alone_sentence(inputs) if inputs.folds is not None and inputs.folds.alone else "",
        "missing_folds": missing_folds_sentence(inputs),
    }
    tables = ("who", "training", "values", "chosen", "links", "decisions", "costs")
    if inputs.folds is None:
        return told | {f"fold_{name}": None for name in tables}
    settings = inputs.experiment["split"]
    group = settings["group"]
    decision = None if inputs.decision is None else read_decision(inputs.decision)
    names = decided_classes(inputs.classes, multilabel=inputs.multilabel)
    return told | {
        "apart": "fold",
        "fold_who": who_table(
            inputs.split, inputs.classes, group, UNITS.get(group, f"{group}s"), settings.get("fold_by")
        ),
        "fold_training": training_table(inputs.folds),
        "fold_values": value_tables(inputs),
        "fold_chosen": chosen_table(inputs.folds),
        "fold_links": links(inputs.folds.parts),
        "fold_decisions": decision_table(decision, names) if isinstance(decision, FoldDecisions) else None,
        "fold_costs": cost_table(inputs.folds),
    }
