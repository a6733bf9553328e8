"""Metrics of one epoch, for curves, early stopping and schedules. Published numbers come from the prediction table."""

import torch
from torch import Tensor
from torchmetrics.functional import classification as tm

METRIC_NAMES = ("accuracy", "balanced_accuracy", "f1", "auroc", "average_precision")


def classification_metrics(logits: Tensor, target: Tensor, *, multilabel: bool) -> dict[str, float]:
    """Accuracy, balanced accuracy, macro F1, AUROC and average precision.

    A class that does not occur is left out of the means (torchmetrics averages it in as 0). A metric that no class
    defines is nan.

    Args:
        logits: (N, K) float32.
        target: (N,) int64 class numbers, or (N, K) zeros and ones for several labels at once.
        multilabel: which of the two.
    """
    classes = logits.shape[1]
    if multilabel:
        probabilities, labels = logits.sigmoid(), target.long()
        decided = labels.bool().any(dim=0) & ~labels.bool().all(dim=0)
        present = labels.bool().any(dim=0)
        answers = (probabilities >= 0.5).long()
        correct = (answers == labels).all(dim=1)
        f1 = tm.multilabel_f1_score(answers, labels, num_labels=classes, average="none")
        recall = tm.multilabel_recall(answers, labels, num_labels=classes, average="none")
        pairs = [(probabilities[:, k], labels[:, k]) for k in range(classes)]
    else:
        probabilities = logits.softmax(dim=1)
        present = torch.bincount(target, minlength=classes) > 0
        decided = present & (present.sum() > 1)
        correct = probabilities.argmax(dim=1) == target
        f1 = tm.multiclass_f1_score(probabilities, target, num_classes=classes, average="none")
        recall = tm.multiclass_recall(probabilities, target, num_classes=classes, average="none")
        # Of two classes the second is the positive one, and its curve is the figure that is reported.
        pairs = [(probabilities[:, k], (target == k).long()) for k in range(classes)]
        if classes == 2:
            decided = decided & torch.tensor([False, True], device=decided.device)
    areas = [tm.binary_auroc(*pair) for pair, is_decided in zip(pairs, decided, strict=True) if is_decided]
    precisions = [tm.binary_average_precision(*p) for p, is_decided in zip(pairs, decided, strict=True) if is_decided]
    return {
        "accuracy": float(correct.float().mean()),
        "balanced_accuracy": _mean(recall[present]),
        "f1": _mean(f1[present]),
        "auroc": _mean(areas),
        "average_precision": _mean(precisions),
    }


def _mean(values: Tensor | list[Tensor]) -> float:
    if len(values) == 0:
        return float("nan")
    return float((values if isinstance(values, Tensor) else torch.stack(values)).mean())
