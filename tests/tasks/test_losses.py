import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torchvision.ops import sigmoid_focal_loss

from medvision.errors import DataError
from medvision.tasks.losses import balanced_weights, create_loss


def loss(name="cross_entropy", multilabel=False, weights=None, smoothing=0.0, gamma=2.0):
    return create_loss(name, multilabel=multilabel, class_weights=weights, label_smoothing=smoothing, focal_gamma=gamma)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(50, 4, generator=generator), torch.randint(4, (50,), generator=generator)


def test_focal_loss_by_hand():
    logits = torch.tensor([[math.log(0.9), math.log(0.1)], [math.log(0.4), math.log(0.6)]])
    expected = (0.1**2 * -math.log(0.9) + 0.6**2 * -math.log(0.4)) / 2
    assert loss("focal")(logits, torch.tensor([0, 0])).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5, 4.0])])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_loss_without_gamma_is_cross_entropy(batch, weights, smoothing):
    focal = loss("focal", weights=weights, gamma=0.0, smoothing=smoothing)(*batch)
    plain = loss(weights=weights, smoothing=smoothing)(*batch)
    # Torch smooths with the weights of all classes but divides by those of the targets, as ours does.
    assert focal.item() == pytest.approx(plain.item(), rel=1e-4)
    assert plain.item() == pytest.approx(F.cross_entropy(*batch, weight=weights, label_smoothing=smoothing).item())


def test_multilabel_focal_loss_is_torchvisions(batch):
    logits, _ = batch
    target = (torch.rand(50, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    ours = loss("focal", multilabel=True)(logits, target)
    assert ours.item() == pytest.approx(sigmoid_focal_loss(logits, target, alpha=-1, gamma=2, reduction="mean").item())


def test_multilabel_weights_and_smoothing(batch):
    logits, _ = batch
    target = (torch.rand(50, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    ours = loss(multilabel=True, weights=weights, smoothing=0.2)(logits, target)
    expected = F.binary_cross_entropy_with_logits(logits, target * 0.8 + 0.1, pos_weight=weights)
    assert ours.item() == pytest.approx(expected.item())


def test_balanced_weights():
    assert balanced_weights([10, 30]) == pytest.approx([2.0, 2 / 3])
    weights = balanced_weights([1, 2, 7])
    assert sum(w * n for w, n in zip(weights, [1, 2, 7], strict=True)) == pytest.approx(10)
    assert balanced_weights([10, 50], images=100) == pytest.approx([9.0, 1.0])
    with pytest.raises(DataError, match=r"\[3, 0\]"):
        balanced_weights([3, 0])
    with pytest.raises(DataError, match=r"\[3, 9\] of 9"):
        balanced_weights([3, 9], images=9)


@pytest.mark.parametrize(("multilabel", "target"), [(False, torch.tensor([0])), (True, torch.tensor([[1.0, 0.0]]))])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_of_a_certain_case_are_finite(multilabel, target, gamma):
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss("focal", multilabel=multilabel, gamma=gamma)(logits, target).backward()
    assert torch.isfinite(logits.grad).all()


def test_losses_are_finite_in_half_precision(batch):
    logits, target = batch
    assert loss("focal")(logits.bfloat16(), target).dtype == torch.float32


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_loss_that_was_turned_to_half_precision_is_computed_in_single(multilabel):
    logits = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    target = torch.tensor([[1.0, 0.0], [0.0, 1.0]]) if multilabel else torch.tensor([0, 1])
    whole = loss(multilabel=multilabel, weights=torch.tensor([1.0, 2.0]))
    half = loss(multilabel=multilabel, weights=torch.tensor([1.0, 2.0])).bfloat16()
    given = target.bfloat16() if multilabel else target
    assert torch.equal(half(logits.bfloat16(), given), whole(logits, target))
