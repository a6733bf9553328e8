"""What a run knows of its model, in sentences: network, input, output, training. None where it does not know."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medvision import DISTRIBUTION
from medvision.config.settings import mode_of
from medvision.evaluation.decimals import MOST, supported_decimals
from medvision.evaluation.decision import UNCHANGED, read_decision
from medvision.reports.baseline_sentences import (
    baseline_fitting,
    baseline_name,
    baseline_sentence,
    baseline_start,
    is_baseline,
)
from medvision.reports.data_sentences import MOST_CLASSES, counted, listed
from medvision.reports.privacy import file_name
from medvision.reports.thresholds import any_decision

if TYPE_CHECKING:
    from medvision.reports.inputs import ReportInputs

_RESIZED = {
    "letterbox": "scaled to {0} × {0} pixels with the aspect ratio kept and black edges",
    "stretch": "stretched to {0} × {0} pixels",
    "crop": "cut to the central square and scaled to {0} × {0} pixels",
    "none": "kept at their size and seen in windows of {0} × {0} pixels",
}


def network_name(model: Mapping[str, Any]) -> str:
    """What is trained, in the words of the `model` section of an experiment."""
    if is_baseline(model):
        return baseline_name(model)
    if "architecture" in model:
        return f"{model['architecture']} with {model['encoder']}" if "encoder" in model else str(model["architecture"])
    return str(model.get("backbone", model["task"]))


def network_sentence(inputs: "ReportInputs") -> str:
    """Kind of network and its size."""
    model, size = inputs.experiment["model"], inputs.environment.get("model", {}).get("parameters")
    if is_baseline(model):
        return baseline_sentence(model)
    parameters = f" with {size:,} parameters" if size else ""
    return f"Deep learning: the neural network {network_name(model)}{parameters}, for {model['task']}."


def input_sentence(inputs: "ReportInputs") -> str | None:
    """What happens to an image before the network sees it."""
    data = {**inputs.experiment["data"], **inputs.environment.get("data", {})}
    size, resize = data.get("image_size"), data.get("resize")
    if size is None or resize not in _RESIZED:
        return None
    colour = {1: " as grey images", 3: " as colour images"}.get(data.get("channels", 0), "")
    return f"Images are read{colour}, {_RESIZED[resize].format(size)} and normalised, all in the same way."


def output_sentence(inputs: "ReportInputs") -> str:
    """What the network says of an image."""
    parts = []
    if inputs.classes:
        kind = "several may be there" if inputs.multilabel else "exactly one is there"
        parts.append(f"for every image the probabilities of {_class_names(inputs.classes)}, of which {kind}")
    if inputs.mask_classes:
        parts.append(f"for every pixel one of {_class_names(inputs.mask_classes)}")
    return f"The output is {'; '.join(parts)}."


def _class_names(classes: Sequence[str]) -> str:
    return listed(classes) if len(classes) <= MOST_CLASSES else f"{len(classes)} classes"


def start_sentence(inputs: "ReportInputs") -> str | None:
    """The weights before training."""
    if is_baseline(inputs.experiment["model"]):
        return baseline_start(inputs.experiment["model"], inputs.experiment.get("seed"))
    pretrained = inputs.experiment["model"].get("pretrained")
    part = " of the encoder" if "encoder" in inputs.experiment["model"] else ""
    if pretrained is None:
        return None
    if pretrained is False:
        return f"Random weights, seed {inputs.experiment.get('seed')}."
    if pretrained is True:
        return f"Published weights{part} for {network_name(inputs.experiment['model'])}; the output layer is new."
    return f"Weights{part} from the file {file_name(str(pretrained))}; the output layer is new."


def training_sentence(inputs: "ReportInputs") -> str:
    """How the network was trained: optimizer, loss, augmentation, length."""
    experiment, model = inputs.experiment, inputs.experiment["model"]
    if is_baseline(model):
        passes = None if inputs.history is None else len(inputs.history)
        return baseline_fitting(model, experiment["data"].get("augmentation"), passes)
    told = []
    optimizer = experiment.get("optimizer")
    if optimizer:
        told.append(
            f"{optimizer['name']}, learning rate {optimizer['lr']:g}, weight decay {optimizer['weight_decay']:g}"
        )
    if experiment.get("schedule"):
        told.append(f"schedule {experiment['schedule']['name']}")
    told += [
        f"{title} {model[key]}" for key, title in (("loss", "loss"), ("class_weights", "class weights")) if key in model
    ]
    data = experiment["data"]
    told += [
        f"{title} {data[key]}"
        for key, title in (("batch_size", "batches of"), ("augmentation", "augmentation"))
        if key in data
    ]
    if inputs.history is not None and len(inputs.history):
        told.append(counted(len(inputs.history), "epoch"))
    stopping = experiment.get("early_stopping")
    if stopping:
        patience = counted(stopping["patience"], "epoch")
        told.append(f"early stopping after {patience} without a better {stopping['monitor']}")
    seconds = inputs.environment.get("training_seconds")
    if seconds is not None and inputs.environment.get("device"):
        told.append(f"{seconds:,.0f} s{' together' if inputs.folds else ''} on {inputs.environment['device']}")
    return f"{_trained(inputs)}{': ' if told else ''}{'; '.join(told)}."


def _trained(inputs: "ReportInputs") -> str:
    if inputs.folds is None:
        return "In this run one model was trained"
    models = counted(len(inputs.folds.parts), "model")
    chosen = ", each with the settings that did best on inner folds of its training images"
    return f"{models} trained, one a fold{chosen if inputs.folds.choices else ''}"


def selection_sentence(inputs: "ReportInputs") -> str:
    """Which epoch's weights are evaluated."""
    stopping = inputs.experiment.get("early_stopping") or {}
    monitor = (inputs.experiment.get("checkpoint") or {}).get("monitor") or stopping.get("monitor") or "val/loss"
    best = "lowest" if mode_of(monitor) == "min" else "highest"
    if inputs.folds is not None:
        return f"In each fold the weights of the epoch with the {best} {monitor}."
    epochs = len(inputs.history) if inputs.history is not None else 0
    return f"The weights of the epoch with the {best} {monitor}{f', of {epochs}' if epochs else ''}."


def sweep_sentence(inputs: "ReportInputs") -> str | None:
    """Among how many trials of a sweep the run was chosen, and on what; None where it was not."""
    chosen = inputs.selection
    if chosen is None:
        return None
    extreme = "highest" if chosen["goal"] == "maximize" else "lowest"
    compared = inputs.split["split"] == ("val" if inputs.folds is None else "test")
    digits = MOST if chosen["metric"].endswith("loss") else supported_decimals(int(compared.sum()))
    told = [
        f"Its settings were chosen among {counted(chosen['trials'], 'trial')} of the sweep {chosen['sweep']} for the "
        f"{extreme} {chosen['metric']} ({chosen['value']:.{digits}f})."
    ]
    if inputs.folds is not None:
        told.append(
            "That choice has seen every patient, as a validation patient of one fold is tested in another: the pooled "
            "result is a little too good."
        )
    elif inputs.answering == "test":
        told.append("The test split had no part in that choice and was scored after it.")
    return " ".join(told)


def combination_sentence(inputs: "ReportInputs") -> str:
    """Whether models or predictions were combined."""
    evaluation = inputs.experiment.get("evaluation") or {}
    told = ["One network, no ensemble."]
    if inputs.folds is not None:
        told = ["No ensemble: the network of one fold alone, which has not trained on it, predicts an image."]
    if inputs.experiment.get("ema"):
        told.append(f"Its weights are a moving average over training (decay {inputs.experiment['ema']['decay']}).")
    if evaluation.get("flips"):
        told.append("Each prediction is the mean of the image and of its mirror image.")
    if inputs.experiment["data"].get("resize") == "none":
        told.append("The predictions of overlapping windows of an image are averaged.")
    levels = [level for level in inputs.metrics[inputs.answering] if level != "image"]
    if inputs.classes and levels:
        aggregate = (
            UNCHANGED.aggregate if inputs.decision is None else any_decision(read_decision(inputs.decision)).aggregate
        )
        how = {"max": "highest", "noisy_or": "noisy-or"}.get(aggregate, "mean")
        told.append(f"The probability of a {' or a '.join(levels)} is the {how} of those of its images.")
    return " ".join(told)


def imbalance_sentence(inputs: "ReportInputs") -> str | None:
    """What was done about rare classes."""
    weights = inputs.experiment["model"].get("class_weights")
    if weights is None:
        return None
    counts = inputs.environment.get("data", {}).get("train_counts") or []
    named = zip(inputs.classes, counts, strict=True) if len(counts) == len(inputs.classes) <= MOST_CLASSES else ()
    told = ", ".join(f"{name} {count:,}" for name, count in named)
    found = f" (training images: {told})" if told else ""
    if weights == "none":
        return f"Nothing was done about rare classes{found}."
    how = "weights from the training counts" if weights == "balanced" else f"the weights {weights}"
    return f"Classes have {how} in the loss{found}."


def software_sentence(inputs: "ReportInputs") -> str | None:
    """Packages and their versions."""
    packages = inputs.environment.get("packages", {})
    if not packages:
        return None
    python = [f"Python {inputs.environment['python']}"] if inputs.environment.get("python") else []
    return f"{', '.join([*python, *(f'{name} {version}' for name, version in packages.items())])}."


def code_sentence(inputs: "ReportInputs") -> str | None:
    """The program of the analysis."""
    version = inputs.environment.get("packages", {}).get(DISTRIBUTION)
    if version is None:
        return None
    commit = inputs.environment.get("git_commit")
    changed = ", with changes that are not in it" if inputs.environment.get("git_changes") else ""
    return f"{DISTRIBUTION} {version} (MIT licence)" + (
        f", in a folder at git commit {commit[:12]}{changed}." if commit else "."
    )
