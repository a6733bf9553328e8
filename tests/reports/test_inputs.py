import pandas as pd
import pytest

from tests.reports.told import EXPERIMENT, draw_inputs


@pytest.mark.parametrize(
    ("splits", "answering"), [(["train", "val", "test"], "test"), (["train", "val"], "val"), (["train"], "train")]
)
def test_the_test_split_answers_where_there_is_one(splits, answering):
    assert draw_inputs(metrics={name: {} for name in splits}).answering == answering


def test_the_best_epoch_is_that_of_the_monitored_metric():
    history = pd.DataFrame(
        {"epoch": [3, 4, 5, 6], "val/auroc": [0.7, None, 0.9, 0.8], "val/loss": [1.0, 0.5, 2.0, 0.4]}
    )
    assert draw_inputs(history=history).best_epoch == 5
    by_loss = {**EXPERIMENT, "checkpoint": {"monitor": "val/loss"}}
    assert draw_inputs(history=history, experiment=by_loss).best_epoch == 6
    nothing = {**EXPERIMENT, "early_stopping": None}
    assert draw_inputs(history=history, experiment=nothing).best_epoch == 6


@pytest.mark.parametrize(
    "history", [None, pd.DataFrame({"epoch": [0]}), pd.DataFrame({"epoch": [0], "val/auroc": [None]})]
)
def test_without_the_metric_no_epoch_is_the_best(history):
    assert draw_inputs(history=history).best_epoch is None
