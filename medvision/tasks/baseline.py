"""How far do measurements, or the features of a frozen network, go without training a network?"""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from medvision.data.loading import Batch
from medvision.errors import ConfigError
from medvision.models.backbones import NEUTRAL_MEAN, NEUTRAL_STD
from medvision.models.baseline import BaselineNetwork
from medvision.models.embedding import create_embedder
from medvision.models.estimators import Estimator, EstimatorName
from medvision.models.feature_sets import FeatureKind, FeatureSet
from medvision.tasks.base import Task
from medvision.tasks.classification import loss_weights, require_labels
from medvision.tasks.losses import create_loss
from medvision.tasks.running_metrics import METRIC_NAMES, classification_metrics

GreyValue = Annotated[int, Field(ge=0, lt=255)]
STATE = "baseline"


class BaselineTask(Task):
    """Features of each image, and a classifier of scikit-learn on them.

    An epoch is a pass over the (augmented) training images that collects their features; at its end the classifier is
    fitted to those of all epochs. One epoch is enough without augmentation. Optimizer and schedule have no part in it.

    Args:
        dataset: what the datamodule says of the data: `classes`, `multilabel`, `channels`, `image_size`,
            `train_counts`. Never in the experiment file.
        optimizer: the experiment's own section.
        schedule: the experiment's own section.
        features: `edges` (edges, gradients and bright bands), `hog`, `intensity`, `embedding` (of a frozen `backbone`),
            or a list of them.
        estimator: which classifier.
        class_weights: `none`; `balanced`, from the training split; or one weight a class.
        backbone: for `embedding`: any timm name, `vgg_small` or `two_layer_cnn`.
        pretrained: true for the published weights, false for random ones, or the path of a weight file.
        bright: grey value above which `edges` calls a pixel bright.
        c: inverse strength of the penalty of `logistic_regression` and `svm`; null for 10 by the number of features,
            and for 1.
        neighbours: that vote, of `nearest_neighbours`.
        clusters: of `kmeans`; null for as many as there are classes.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", *METRIC_NAMES)
    usual_epochs: ClassVar[int | None] = 1
    network: BaselineNetwork

    def __init__(
        self,
        dataset: dict[str, Any],
        optimizer: dict[str, Any],
        schedule: dict[str, Any],
        features: FeatureKind | list[FeatureKind] = "edges",
        estimator: EstimatorName = "logistic_regression",
        class_weights: Literal["none", "balanced"] | list[NonNegativeFloat] = "none",
        backbone: str | None = None,
        pretrained: bool | str = False,
        bright: GreyValue = 150,
        c: PositiveFloat | None = None,
        neighbours: PositiveInt = 15,
        clusters: PositiveInt | None = None,
    ) -> None:
        # Drawn before the network draws its weights, which a checkpoint may have replaced by then.
        seed = int(torch.randint(2**31 - 1, ()))
        classes, channels, multilabel = require_labels(dataset), dataset["channels"], bool(dataset["multilabel"])
        kinds = [features] if isinstance(features, str) else list(features)
        _check_settings(kinds, estimator, class_weights, backbone, pretrained)
        weights = loss_weights(class_weights, dataset["train_counts"], dataset["train_images"], multilabel)
        embedder = None
        if backbone is not None:
            embedder = create_embedder(backbone, pretrained, channels, dataset["image_size"])
        fitted = Estimator(
            estimator,
            len(classes),
            multilabel=multilabel,
            class_weights=None if weights is None else weights.double().numpy(),
            c=c,
            neighbours=neighbours,
            clusters=clusters,
            seed=seed,
        )
        network = BaselineNetwork(FeatureSet(kinds, embedder, bright), fitted)
        mean, std = (NEUTRAL_MEAN,) * channels, (NEUTRAL_STD,) * channels
        super().__init__(network, mean, std, optimizer, schedule)
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.classes, self.multilabel = classes, multilabel
        self.loss = create_loss("cross_entropy", multilabel=multilabel, class_weights=weights, label_smoothing=0.0)
        # Lightning numbers checkpoints by the steps of an optimizer, so there is one, which moves nothing.
        self.standstill = nn.Parameter(torch.zeros(()))
        self._fresh: list[tuple[Tensor, Tensor]] = []
        self._seen: list[tuple[Tensor, Tensor]] = []

    @property
    def measured(self) -> list[str]:
        """Names of the measurements among the features; those of an embedding have none."""
        return self.network.features.measured

    def measure(self, images: Tensor) -> Tensor:
        """Measurements (B, M) float32 in the order of `measured`, of images (B, C, S, S) uint8."""
        return self.network.features.measure(images)

    def check_trainer(self, trainer: Trainer) -> None:
        """Refuse what only a network that learns by gradients can do.

        Raises:
            ConfigError: several devices, averaged weights, or changed gradients are asked for.
        """
        asked = {
            f"trainer.devices: {trainer.world_size}": trainer.world_size > 1,
            "ema": any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks),
            "trainer.gradient_clip_val": trainer.gradient_clip_val is not None,
            "trainer.accumulate_grad_batches": trainer.accumulate_grad_batches > 1,
        }
        if problems := [setting for setting, given in asked.items() if given]:
            raise ConfigError(
                f"{', '.join(problems)}: a baseline is fitted on one device, and has no gradients and no weights to "
                "average; leave it out"
            )

    # One pass over the training images

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, C, S, S) uint8."""
        return self.network(images)

    def setup(self, stage: str) -> None:
        """See `check_trainer`."""
        if stage == "fit":
            self.check_trainer(self.trainer)

    def on_train_epoch_start(self) -> None:
        """Forget what an interrupted epoch has left."""
        super().on_train_epoch_start()
        self._fresh.clear()

    def training_step(self, batch: Batch, batch_idx: int) -> None:  # type: ignore[override]
        """Keep the features of a batch."""
        self._fresh.append((self.network.features(batch["image"]).cpu(), batch["target"].cpu()))
        optimizer = self.optimizers()
        self.manual_backward(self.standstill * 0)
        optimizer.step()

    def on_validation_epoch_start(self) -> None:
        """Fit before validation asks."""
        if not self.trainer.sanity_checking:
            self._fit()
        super().on_validation_epoch_start()

    def on_train_epoch_end(self) -> None:
        """Fit in an epoch without validation."""
        self._fit()
        super().on_train_epoch_end()

    def _fit(self) -> None:
        if not self._fresh:
            return
        features, targets = (torch.cat(column) for column in zip(*self._fresh, strict=True))
        self._fresh.clear()
        self._seen.append((features, targets))
        everything, answers = (torch.cat(column).numpy() for column in zip(*self._seen, strict=True))
        self.network.estimator.fit(everything, answers.astype(np.int64))
        logits, targets = self.network.to_logits(features).to(self.device), targets.to(self.device)
        self._kept.append((self.loss(logits, targets), len(targets), (logits, targets)))

    # What the metrics and the prediction table need

    def compute_loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Loss of logits (B, K) against class numbers (B,) or zeros and ones (B, K)."""
        return self.loss(outputs, batch["target"])

    def keep(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """Logits and targets."""
        return outputs, batch["target"]

    def validation_loss(self, mean: Tensor, *kept: Tensor) -> Tensor:
        """The loss of all logits at once: class weights make the mean of the batches another number."""
        return self.loss(*kept)

    def compute_metrics(self, *kept: Tensor) -> dict[str, float]:
        """Accuracy, balanced accuracy, F1, AUROC and average precision of an epoch."""
        return classification_metrics(*kept, multilabel=self.multilabel)

    def predict_rows(self, images: Tensor) -> dict[str, Tensor]:
        """`probabilities` (B, K) float32."""
        probabilities = self._probabilities(images)
        if self.flips:
            probabilities = (probabilities + self._probabilities(images.flip(-1))) / 2
        return {"probabilities": probabilities}

    def _probabilities(self, images: Tensor) -> Tensor:
        return self.network.probabilities(self.network.features(images))

    # What a resumed run goes on from

    def configure_optimizers(self) -> Any:
        """An optimizer that counts steps."""
        return torch.optim.SGD([self.standstill], lr=0.0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the features of the epochs behind, in checkpoints that a training goes on from."""
        if "optimizer_states" in checkpoint:
            checkpoint[STATE] = [[features, targets] for features, targets in self._seen]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them up."""
        self._seen = [(features, targets) for features, targets in checkpoint.get(STATE, [])]


def _check_settings(
    kinds: list[FeatureKind],
    estimator: str,
    class_weights: str | list[float],
    backbone: str | None,
    pretrained: bool | str,
) -> None:
    problems = []
    if not kinds:
        problems.append("model.features: an empty list; give edges, hog, intensity or embedding")
    if repeated := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        problems.append(f"model.features: {', '.join(repeated)} more than once")
    if "embedding" in kinds and backbone is None:
        problems.append("model.backbone: not given; `features: embedding` needs the network that makes them")
    if "embedding" not in kinds and (backbone is not None or pretrained is not False):
        given = "backbone" if backbone is not None else "pretrained"
        problems.append(f"model.{given}: nobody asks for it; add `embedding` to model.features, or leave it out")
    if estimator == "nearest_neighbours" and class_weights != "none":
        problems.append("model.class_weights: neighbours vote with one voice each; write `class_weights: none`")
    if problems:
        raise ConfigError(*problems)
