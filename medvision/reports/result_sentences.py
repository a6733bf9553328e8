"""What a run knows of how good it is, in sentences. None where it does not know."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medvision.evaluation.decision import Decisions, FoldDecisions, read_decision
from medvision.evaluation.folds import any_temperature
from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.text import SUMMARY, UNITS, supported_digits, value_text
from medvision.reports.data_sentences import counted, known_patients, listed
from medvision.reports.inputs import SPLITS
from medvision.reports.page_tables import answer_text, label_half, mask_half
from medvision.reports.subgroup_tables import gap_entry
from medvision.reports.thresholds import any_decision, known_threshold, range_text, source_counts

if TYPE_CHECKING:
    from medvision.reports.inputs import ReportInputs

Entry = Mapping[str, Any]

SPLIT_NAMES = {"test": "test", "val": "validation", "train": "training"}
CLUSTERS = ("site", "centre", "center", "hospital", "institution", "device", "scanner", "probe", "manufacturer")
MOST_COLUMNS = 4
MOST_CLASSES = 6
_AT_THRESHOLD = {"sensitivity": "sensitivity", "specificity": "specificity", "precision": "PPV", "npv": "NPV"}
_RULES = {"youden": "the largest sensitivity + specificity (Youden)", "f1": "the largest F1"}
_CALIBRATION = ("brier", "ece", "calibration_slope", "calibration_intercept")
_TITLES = {"auroc": "AUROC", "dice": "Dice"}


def said(entry: Entry) -> str:
    """`0.912 (95 % interval 0.871 to 0.950)`, for a sentence."""
    if entry["value"] is None:
        return "undefined"
    if entry["low"] is None:
        return value_text(entry)
    digits = supported_digits(entry)
    return f"{value_text(entry)} (95 % interval {entry['low']:.{digits}f} to {entry['high']:.{digits}f})"


def answering_level(inputs: "ReportInputs") -> str:
    """The level of the answer in a sentence: studies where there are any."""
    levels = label_half(inputs.metrics[inputs.answering]) or mask_half(inputs.metrics[inputs.answering])
    return "study" if "study" in levels else "image"


def _entries(inputs: "ReportInputs") -> Mapping[str, Entry]:
    return inputs.metrics[inputs.answering].get(answering_level(inputs), {})


def performance_sentence(inputs: "ReportInputs") -> str:
    """The answer: cases and headline metrics with intervals."""
    simulated = ", all of them simulated" if inputs.simulated else ""
    where = (
        f"of the {inputs.scored}{simulated}" if inputs.folds is None else f"of {inputs.folds.count} pooled{simulated}"
    )
    return answer_text(inputs.metrics[inputs.answering], where)


def optimism_sentence(inputs: "ReportInputs") -> str:
    """Why the answer is too good where it is not of a test split; empty where it is of one."""
    if inputs.answering == "test":
        return ""
    kept = (inputs.split["split"] == "test").any()
    alone = "the test split was not evaluated" if kept else "there is no test split"
    settings = "" if inputs.selection is None else " and the settings"
    why = {"val": f"This split chose the weights{settings}", "train": "This split was trained on"}[inputs.answering]
    return f"{SPLITS[inputs.answering]} results alone: {alone}. {why}: expect less on new patients."


def threshold_sentence(inputs: "ReportInputs") -> str | None:
    """From which probability on the answer is yes, and where that comes from; None without labels."""
    if not inputs.classes:
        return None
    if len(inputs.classes) > 2 and not inputs.multilabel:
        return "The class with the highest probability is the answer; no threshold is involved."
    level, decision = answering_level(inputs), _decision(inputs)
    names = inputs.classes if inputs.multilabel else inputs.classes[1:]
    shown = ", ".join(f"{name} {known_threshold(decision, level, name)}" for name in names[:MOST_CLASSES])
    more = f" and {len(names) - MOST_CLASSES} more in decision.json" if len(names) > MOST_CLASSES else ""
    rule = any_decision(decision).rule
    how = f"{_source(decision)} for {_RULES.get(rule, rule)}" if isinstance(rule, str) and _source(decision) else ""
    return f"Threshold per {level}: {shown}{more}; {how or 'set beforehand, not chosen from data'}."


def _source(decision: Decisions) -> str:
    """What was chosen on which images; empty where that is not known."""
    if isinstance(decision, FoldDecisions):
        found = source_counts(decision)
        return f"chosen in every fold on its validation split ({found})" if found else ""
    source = decision.chosen_on
    if not source:
        return ""
    of = f"{counted(source['n'], 'image')} of {counted(source['patients'], 'patient')}"
    return f"chosen on the {SPLIT_NAMES[source['split']]} split ({of})"


def operating_sentence(inputs: "ReportInputs") -> str | None:
    """Sensitivity, specificity and predictive values at the operating point."""
    if not inputs.classes:
        return None
    entries = _entries(inputs)
    exclusive_two = len(inputs.classes) == 2 and not inputs.multilabel
    told = []
    for name in (inputs.classes[1:] if exclusive_two else inputs.classes)[:MOST_CLASSES]:
        found = [(title, entries.get(f"{key}_{name}")) for key, title in _AT_THRESHOLD.items()]
        values = ", ".join(f"{title} {said(entry)}" for title, entry in found if entry)
        if values:
            told.append(f"{name}: {values}")
    return f"Per {answering_level(inputs)}, {'; '.join(told)}." if told else None


def calibration_sentence(inputs: "ReportInputs") -> str | None:
    """How well probabilities hold, before and after temperature scaling; None where it was not measured."""
    entries = _entries(inputs)
    values = [f"{SUMMARY.get(name, name)} {said(entries[name])}" for name in _CALIBRATION if name in entries]
    if not values:
        return None
    before = (entries.get("uncalibrated") or {}).get("ece")
    scaled = f" Before temperature scaling: calibration error {said(before)}." if before else ""
    return f"Per {answering_level(inputs)}: {', '.join(values)}.{scaled}"


def temperature_sentence(inputs: "ReportInputs") -> str | None:
    """What was done to the probabilities of the network; None without labels or decision."""
    if not inputs.classes or inputs.decision is None:
        return None
    decision = _decision(inputs)
    if not any_temperature(decision):
        return "The probabilities are those of the network: no temperature was applied."
    if isinstance(decision, FoldDecisions):
        temperatures = range_text([one.temperature for one in decision.by_fold.values()])
        return (
            f"The outputs of each fold's network are divided by a temperature of its own, {temperatures}, fitted on "
            "the validation split of the fold."
        )
    if not decision.chosen_on:
        return "The probabilities are those of the network: no temperature was applied."
    fitted = f"fitted on the {SPLIT_NAMES[decision.chosen_on['split']]} split"
    return f"The network's outputs are divided by the temperature {decision.temperature:.3g}, {fitted}."


def _decision(inputs: "ReportInputs") -> Decisions:
    return UNCHANGED if inputs.decision is None else read_decision(inputs.decision)


def metrics_sentence(inputs: "ReportInputs") -> str:
    """What was measured and drawn."""
    found = {name for entries in inputs.metrics[inputs.answering].values() for name in entries}
    titles = [title for name, title in {**SUMMARY, **MASK_SUMMARY}.items() if name in found]
    curves = (inputs.curves.get(inputs.answering) or {}).get(answering_level(inputs)) or {}
    drawn = {"roc": "ROC curves", "pr": "precision–recall curves", "reliability": "reliability diagrams"}
    drawn["net_benefit"] = "decision curves"
    plots = [title for name, title in drawn.items() if curves.get(name)]
    return f"{', '.join(titles)}." + (f" Plots: {listed(plots)}." if plots else "")


# What `method` of an entry names where resamples do not tell.
OTHER_INTERVALS = {
    "wilson": "Wilson's for proportions of independent cases and for those of 0 or 1",
    "newcombe": "Newcombe's for an AUROC of 0 or 1",
    "mirrored": "mirrored for the calibration error",
    "jackknife": "by the jackknife for the calibration slope",
}


def interval_sentence(inputs: "ReportInputs") -> str | None:
    """How intervals were made; None where there are none."""
    found = [
        entry
        for entries in inputs.metrics[inputs.answering].values()
        for entry in entries.values()
        if entry.get("low") is not None
    ]
    if not found:
        return None
    methods = {entry.get("method") for entry in found}
    kind = "bias-corrected and accelerated" if "bca" in methods else "percentile"
    unit = "patients" if known_patients(inputs) else "images"
    resamples = inputs.experiment["evaluation"]["resamples"]
    others = [f"; {said}" for method, said in OTHER_INTERVALS.items() if method in methods]
    repeated = inputs.folds is not None and inputs.folds.repeats > 1
    each = f", each {unit[:-1]} in all {inputs.folds.repeats} repeats at once" if inputs.folds and repeated else ""
    return f"95 % intervals: bootstrap over {unit}{each}, {resamples:,} resamples, {kind}{''.join(others)}."


def subgroup_columns(inputs: "ReportInputs") -> Sequence[Mapping[str, Any]]:
    """The columns of metadata by which the answering level is scored apart."""
    return (inputs.subgroups.get(inputs.answering) or {}).get(answering_level(inputs)) or []


def subgroup_sentences(inputs: "ReportInputs", *, clusters_only: bool = False) -> str | None:
    """The worst group of each column, with its gap to all others; None where no group was scored.

    Args:
        inputs: what the run knows.
        clusters_only: of columns that name where or with what an image was made.
    """
    columns = [column for column in subgroup_columns(inputs) if column["groups"]]
    if clusters_only:
        columns = [column for column in columns if column["column"].lower() in CLUSTERS]
    told = list(_worst(columns[:MOST_COLUMNS]))
    more = f"{counted(len(columns) - MOST_COLUMNS, 'more column')} in the table." if len(columns) > MOST_COLUMNS else ""
    return " ".join(filter(None, [*told, more])) or None


def _worst(columns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for column in columns:
        metric = column["metric"]
        title = _TITLES.get(metric, SUMMARY.get(metric, metric))
        group = next((group for group in column["groups"] if group["name"] == column.get("worst")), None)
        if group is None or not group["metrics"].get(metric):
            yield f"By {column['column']}: {counted(len(column['groups']), 'group')}, none is named the worst."
            continue
        gap = gap_entry(column, group)
        value, digits = gap.get("value"), supported_digits(gap)
        ends = ""
        if gap.get("low") is not None:
            ends = f" (95 % interval {gap['low']:+z.{digits}f} to {gap['high']:+z.{digits}f})"
        others = "" if value is None else f", {value:+z.{digits}f}{ends} against the others"
        of = f"n = {group['n']}, {counted(group['patients'], 'patient')}"
        lowest = f"lowest {title} {said(group['metrics'][metric])} in {group['name']} ({of})"
        yield f"By {column['column']}: {lowest}{others}."


def failure_sentence(inputs: "ReportInputs") -> str | None:
    """How many cases are wrong, and which are shown."""
    entries, level = _entries(inputs), answering_level(inputs)
    told = []
    if "confusion_matrix" in entries:
        matrix = entries["confusion_matrix"]["value"]
        total = sum(map(sum, matrix))
        wrong = total - sum(row[k] for k, row in enumerate(matrix))
        unit = level if total == 1 else UNITS[level]
        told.append(f"Of {total:,} {unit} {wrong:,} got a wrong class.")
    mistakes = sum(case["kind"] == "mistake" for case in inputs.cases)
    if mistakes:
        told.append(f"The most confident mistakes are shown: {counted(mistakes, 'image')}.")
    if inputs.panels is not None:
        told.append("The best, median and worst masks are shown.")
    return " ".join(told) or None


def explanation_sentence(inputs: "ReportInputs") -> str | None:
    """The maps of what the network looked at; None where there are none."""
    drawn = [case for case in inputs.cases if case.get("map") or case.get("no_evidence")]
    if not drawn:
        return None
    empty = sum(bool(case["no_evidence"]) for case in drawn)
    nothing = f"; in {empty} of them there was no positive evidence" if empty else ""
    return f"Grad-CAM maps of {counted(len(drawn), 'image')}{nothing}. The maps were not checked against annotations."
