"""Whether a saved estimator is one that this program could have fitted.

Compiled code of scikit-learn walks through its trees and believes every number in them: a child that points beyond the
array reads foreign memory, one that points at its parent never comes to an end.
"""

import io
import zipfile
from typing import Any

import numpy as np
import numpy.typing as npt

LEAF = -1


def check_stored(content: bytes) -> None:
    """Refuse an archive that unfolds into more than it is.

    Args:
        content: a zip archive.

    Raises:
        ValueError: it does.
        zipfile.BadZipFile: it is none.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > len(content):
            raise ValueError("its archive declares more than it holds")


def check_trees(member: Any, features: int) -> None:
    """Refuse trees that do not lead from the root down to leaves; other estimators have none.

    Args:
        member: a random forest, gradient boosting, or anything else.
        features: that it is asked about.

    Raises:
        ValueError: which tree is wrong.
    """
    for number, tree in enumerate(getattr(member, "estimators_", ())):
        inner = tree.tree_
        split = inner.children_left != LEAF
        _check(number, inner.children_left, inner.children_right, inner.feature, split, min(features, inner.n_features))
    for number, tree in enumerate(one for round_ in getattr(member, "_predictors", ()) for one in round_):
        nodes = tree.nodes
        if nodes["is_categorical"].any():
            raise ValueError(f"tree {number} asks for categories, and all features are numbers")
        _check(number, nodes["left"], nodes["right"], nodes["feature_idx"], nodes["is_leaf"] == 0, features)


def _check(
    number: int,
    left: npt.NDArray[Any],
    right: npt.NDArray[Any],
    feature: npt.NDArray[Any],
    split: npt.NDArray[np.bool_],
    features: int,
) -> None:
    """Children stand behind their parent in the array, as scikit-learn grows trees."""
    place = np.arange(len(left))[split]
    for child in (left[split].astype(np.int64), right[split].astype(np.int64)):
        if len(left) == 0 or (child <= place).any() or (child >= len(left)).any():
            raise ValueError(f"tree {number} has branches that lead nowhere")
    asked = feature[split].astype(np.int64)
    if (asked < 0).any() or (asked >= features).any():
        raise ValueError(f"tree {number} asks for a feature that is not there")
