from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from medvision.models.estimator_checks import check_trees


@pytest.mark.parametrize("kind", [RandomForestClassifier, HistGradientBoostingClassifier])
def test_grown_trees_lead_from_the_root_to_leaves(kind):
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(200, 5)), random.integers(0, 3, 200)
    check_trees(kind(random_state=0).fit(features, targets), 5)


def forest(left, right, feature):
    """A tree by hand: the arrays of scikit-learn, in which -1 is a leaf."""
    arrays = {"children_left": np.array(left), "children_right": np.array(right), "feature": np.array(feature)}
    return SimpleNamespace(estimators_=[SimpleNamespace(tree_=SimpleNamespace(**arrays, n_features=2))])


@pytest.mark.parametrize(
    ("left", "right", "feature", "words"),
    [
        ([1, -1, -1], [2, -1, -1], [1, -2, -2], None),
        ([-1], [-1], [-2], None),
        ([1, 0, -1], [2, 2, -1], [0, 0, -2], "lead nowhere"),
        ([1, -1, -1], [3, -1, -1], [0, -2, -2], "lead nowhere"),
        ([1, -1, -1], [2, -1, -1], [2, -2, -2], "not there"),
        ([1, -1, -1], [2, -1, -1], [-3, -2, -2], "not there"),
    ],
)
def test_a_tree_by_hand(left, right, feature, words):
    if words is None:
        check_trees(forest(left, right, feature), 2)
    else:
        with pytest.raises(ValueError, match=words):
            check_trees(forest(left, right, feature), 2)


def test_other_estimators_have_no_trees():
    check_trees(object(), 3)
