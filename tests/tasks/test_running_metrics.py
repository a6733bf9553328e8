import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from medvision.tasks.running_metrics import METRIC_NAMES, classification_metrics


def draw(classes, seed=0, n=200):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, classes, generator=generator).round(decimals=1), torch.randint(
        classes, (n,), generator=generator
    )


@pytest.mark.parametrize("classes", [2, 4])
def test_against_scikit_learn(classes):
    logits, target = draw(classes)
    found = classification_metrics(logits, target, multilabel=False)
    p, y = logits.softmax(1).numpy(), target.numpy()
    guess = logits.argmax(1).numpy()
    auroc = sk.roc_auc_score(y, p[:, 1]) if classes == 2 else sk.roc_auc_score(y, p, multi_class="ovr")
    precisions = [sk.average_precision_score(y == k, p[:, k]) for k in range(classes)]
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, guess))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, guess))
    assert found["f1"] == pytest.approx(sk.f1_score(y, guess, average="macro"))
    assert found["auroc"] == pytest.approx(auroc, abs=1e-6)
    assert found["average_precision"] == pytest.approx(precisions[1] if classes == 2 else np.mean(precisions), abs=1e-6)
    assert tuple(found) == METRIC_NAMES


def test_a_class_that_does_not_occur_is_left_out_of_the_means():
    logits, target = draw(3)
    target = target.clamp_max(1)
    found = classification_metrics(logits, target, multilabel=False)
    p = logits.softmax(1).numpy()
    areas = [sk.roc_auc_score(target == k, p[:, k]) for k in (0, 1)]
    assert found["auroc"] == pytest.approx(np.mean(areas), abs=1e-6)
    recalls = sk.recall_score(target, logits.argmax(1), labels=[0, 1], average=None)
    assert found["balanced_accuracy"] == pytest.approx(recalls.mean())


def test_only_one_class_has_no_auroc():
    logits, target = draw(2)
    assert np.isnan(classification_metrics(logits, torch.zeros_like(target), multilabel=False)["auroc"])


def test_several_labels_at_once():
    logits, _ = draw(3)
    target = (torch.rand(200, 3, generator=torch.Generator().manual_seed(2)) > 0.6).float()
    found = classification_metrics(logits, target, multilabel=True)
    p, y = logits.sigmoid().numpy(), target.numpy()
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(y, p), abs=1e-6)
    assert found["f1"] == pytest.approx(sk.f1_score(y, p >= 0.5, average="macro"))
    assert found["accuracy"] == pytest.approx((y == (p >= 0.5)).all(axis=1).mean())
