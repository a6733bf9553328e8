"""Classical classifiers of scikit-learn behind one door: features in, probabilities out, saved without pickle."""

import io
import json
import re
import zipfile
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import skops.io
from scipy.special import expit, softmax
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from medvision.errors import ModelError
from medvision.models.estimator_checks import check_stored, check_trees

Floats = npt.NDArray[np.float64]
EstimatorName = Literal[
    "logistic_regression", "svm", "random_forest", "gradient_boosting", "nearest_neighbours", "kmeans"
]
TREES = 500
STARTS = 10
MOST_STEPS = 10_000
# Types that skops does not know to be harmless, and that a saved estimator of ours may hold.
TRUSTED = (
    "medvision.models.estimators.ClusterClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class ClusterClassifier:
    """K-means, whose clusters answer with the classes of the training images in them.

    Labels have no part in the clusters. A cluster's probabilities are the shares of the classes in it, each class
    counted one higher (Laplace). An image is divided among the clusters by exp(-d² / 2m), where d is its distance to
    a centre and m the mean squared distance of the training images to theirs.

    Args:
        clusters: how many; not more than there are training images.
        seed: of the first centres.

    Attributes:
        classes_: (K,) class numbers, as scikit-learn calls them.
    """

    def __init__(self, clusters: int, seed: int) -> None:
        self.clusters, self.seed = clusters, seed

    def fit(
        self, features: Floats, targets: npt.NDArray[np.int64], sample_weight: Floats | None = None
    ) -> "ClusterClassifier":
        """Find the clusters of features (N, F), and count the classes (N,) in each, with weights (N,) if given."""
        self.classes_ = np.unique(targets)
        kmeans = KMeans(min(self.clusters, len(np.unique(features, axis=0))), n_init=STARTS, random_state=self.seed)
        member = kmeans.fit_predict(features)
        weights = np.ones(len(targets)) if sample_weight is None else sample_weight
        counts = np.ones((kmeans.n_clusters, len(self.classes_)))
        np.add.at(counts, (member, np.searchsorted(self.classes_, targets)), weights)
        self.centres_ = kmeans.cluster_centers_
        self.shares_ = counts / counts.sum(axis=1, keepdims=True)
        self.spread_ = float(kmeans.inertia_ / len(features))
        return self

    def predict_proba(self, features: Floats) -> Floats:
        """Probabilities (N, K) of features (N, F)."""
        squares = np.square(features[:, None, :] - self.centres_).sum(axis=2)
        if self.spread_ == 0:
            # Every training image lies on its centre: no distance is a usual one, and the nearest answers alone.
            nearest: Floats = self.shares_[squares.argmin(axis=1)]
            return nearest
        return np.asarray(softmax(-squares / (2 * self.spread_), axis=1) @ self.shares_)


KINDS = (
    ClusterClassifier,
    DummyClassifier,
    HistGradientBoostingClassifier,
    KNeighborsClassifier,
    LogisticRegression,
    RandomForestClassifier,
    SVC,
)
"""What a saved estimator may be."""


class Estimator:
    """One of scikit-learn's classifiers on standardised features, for one class of several or for several at once.

    Several classes at once are asked one by one. The probabilities of a support vector machine are the logistic
    function of its margin, for more than two classes the softmax of one machine for each: an order that is sound, and a
    scale that temperature scaling on the validation split mends. Platt's own scaling would draw folds by image.

    Args:
        name: which.
        classes: K.
        multilabel: several classes at once.
        class_weights: (K,): weight of the training images of each class; for several at once, of its positive ones.
        c: inverse strength of the penalty of logistic regression and support vector machine; None for 10 by the number
            of features, and for 1. The penalty of standardised features then allows a logit the same spread whatever
            their number.
        neighbours: that vote, of `nearest_neighbours`.
        clusters: of `kmeans`; None for as many as there are classes.
        seed: of what is drawn at random: trees, and the first centres of clusters.
    """

    def __init__(
        self,
        name: EstimatorName,
        classes: int,
        *,
        multilabel: bool = False,
        class_weights: Floats | None = None,
        c: float | None = None,
        neighbours: int = 15,
        clusters: int | None = None,
        seed: int = 0,
    ) -> None:
        self.name, self.classes, self.multilabel, self.class_weights = name, classes, multilabel, class_weights
        self.c, self.neighbours, self.clusters, self.seed = c, neighbours, clusters, seed
        self._scaler: Any = None
        self._members: list[Any] = []
        self._content: bytes | None = None

    @property
    def fitted(self) -> bool:
        """Whether there is something to answer with."""
        return bool(self._members)

    def fit(self, features: npt.NDArray[np.floating], targets: npt.NDArray[np.int64]) -> None:
        """Learn from training images.

        Args:
            features: (N, F).
            targets: (N,) class numbers, or (N, K) zeros and ones for several classes at once.
        """
        self._scaler = StandardScaler().fit(features.astype(np.float64))
        scaled = self._scaler.transform(features.astype(np.float64))
        self._members, self._content = [], None
        for number, question in enumerate(self._questions(targets)):
            weights = self._weights(question, number, targets)
            self._members.append(self._fit_member(scaled, question, weights))

    def probabilities(self, features: npt.NDArray[np.floating]) -> Floats:
        """Probabilities (N, K) of features (N, F); the same for all classes before `fit`."""
        if not self.fitted:
            return np.full((len(features), self.classes), 0.5 if self.multilabel else 1 / self.classes)
        scaled = self._scaler.transform(features.astype(np.float64))
        if self.multilabel:
            return np.stack([self._answer(member, scaled, 2)[:, 1] for member in self._members], axis=1)
        if len(self._members) > 1:
            return softmax(np.stack([_margin(member, scaled) for member in self._members], axis=1), axis=1)
        return self._answer(self._members[0], scaled, self.classes)

    def to_bytes(self) -> bytes:
        """What was learned, in the format of skops; the same estimator gives the same bytes. Empty before `fit`."""
        if not self.fitted:
            return b""
        if self._content is None:
            self._content = _canonical(skops.io.dumps({"scaler": self._scaler, "members": self._members}))
        return self._content

    def load_bytes(self, content: bytes) -> None:
        """Take up what `to_bytes` gave. Nothing but numbers and known classes of scikit-learn is read.

        Raises:
            ModelError: it holds something else, or is damaged.
        """
        if not content:
            self._scaler, self._members, self._content = None, [], None
            return
        try:
            check_stored(content)
            state = skops.io.loads(content, trusted=list(TRUSTED))
            scaler, members = state["scaler"], state["members"]
            if type(scaler) is not StandardScaler or not all(type(member) in KINDS for member in members):
                raise ValueError("it is none of the classifiers that are fitted here")
            for member in members:
                check_trees(member, int(scaler.n_features_in_))
            self._scaler, self._members, self._content = scaler, members, content
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ModelError(f"model.estimator: the saved {self.name} cannot be read: {reason}") from error

    def _questions(self, targets: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        if self.multilabel:
            return list(targets.T)
        if self.name == "svm" and self.classes > 2:
            return [(targets == number).astype(np.int64) for number in range(self.classes)]
        return [targets]

    def _weights(self, question: Any, number: int, targets: Any) -> Floats | None:
        if self.class_weights is None:
            return None
        if self.multilabel:
            return np.where(question == 1, self.class_weights[number], 1.0)
        return np.asarray(self.class_weights, dtype=np.float64)[targets]

    def _fit_member(self, scaled: Floats, question: npt.NDArray[np.int64], weights: Floats | None) -> Any:
        if len(np.unique(question)) == 1:
            return DummyClassifier().fit(scaled, question)
        model = self._create(*scaled.shape)
        if self.name == "nearest_neighbours":
            return model.fit(scaled, question)
        model.fit(scaled, question, sample_weight=weights)
        if self.name == "random_forest":
            # Threads pay for growing the trees, not for asking them about a batch.
            model.set_params(n_jobs=None)
        return model

    def _create(self, images: int, features: int) -> Any:
        match self.name:
            case "logistic_regression":
                return LogisticRegression(C=10 / features if self.c is None else self.c, max_iter=MOST_STEPS)
            case "svm":
                return SVC(C=1.0 if self.c is None else self.c)
            case "random_forest":
                return RandomForestClassifier(TREES, random_state=self.seed, n_jobs=-1)
            case "gradient_boosting":
                # Its own early stopping would hold out images, not patients.
                return HistGradientBoostingClassifier(early_stopping=False, random_state=self.seed)
            case "nearest_neighbours":
                return KNeighborsClassifier(min(self.neighbours, images), algorithm="brute")
            case "kmeans":
                return ClusterClassifier(self.clusters or self.classes, self.seed)

    def _answer(self, member: Any, scaled: Floats, classes: int) -> Floats:
        """Probabilities (N, classes); a class that was not there to be learned has 0."""
        result = np.zeros((len(scaled), classes))
        if isinstance(member, SVC):
            positive = expit(_margin(member, scaled))
            result[:, member.classes_] = np.stack([1 - positive, positive], axis=1)
        else:
            result[:, member.classes_] = member.predict_proba(scaled)
        return result


def _margin(member: Any, scaled: Floats) -> Floats:
    """(N,), how far on the positive side; of a class that all or no training images show, a constant."""
    if isinstance(member, DummyClassifier):
        return np.full(len(scaled), 1.0 if member.classes_[0] else -1.0)
    return np.asarray(member.decision_function(scaled))


def _canonical(content: bytes) -> bytes:
    """The same archive, with objects and files numbered in their order, in place of addresses in memory and times."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.dumps(json.loads(files.pop("schema.json")))
    numbers: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        return match[1] + numbers.setdefault(match[2], str(len(numbers)))

    schema = re.sub(r'("(?:__id__|file)": "?)(\d+)', number, schema)
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, data in [("schema.json", schema.encode()), *files.items()]:
            stem, dot, suffix = name.partition(".")
            archive.writestr(zipfile.ZipInfo(numbers.get(stem, stem) + dot + suffix, ZIP_TIME), data)
    return result.getvalue()
