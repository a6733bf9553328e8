import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def draw():
    """A drawn prediction table with ties: probabilities are rounded to tenths."""

    def table(images=60, classes=("a", "b", "c"), patients=15, seed=0, multilabel=False):
        random = np.random.default_rng(seed)
        names = np.array(classes, dtype=object)
        frame = pd.DataFrame({"image": [f"{k}.png" for k in range(images)]})
        frame["patient"] = random.integers(0, patients, images).astype(str)
        if multilabel:
            probabilities = random.integers(0, 11, (images, len(classes))) / 10
            truth = random.random(probabilities.shape) < probabilities
            frame["target"] = ["|".join(names[row]) for row in truth]
            frame["predicted"] = ["|".join(names[row]) for row in probabilities >= 0.5]
        else:
            probabilities = random.multinomial(10, np.full(len(classes), 1 / len(classes)), images) / 10
            frame["target"] = [names[random.choice(len(classes), p=row)] for row in probabilities]
            frame["predicted"] = names[probabilities.argmax(axis=1)]
        for k, name in enumerate(classes):
            frame[f"p_{name}"] = probabilities[:, k]
        return frame

    return table
