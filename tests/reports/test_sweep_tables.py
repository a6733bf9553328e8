import math

import pytest

from medvision.reports.page_tables import MOST_ROWS
from medvision.reports.sweep_inputs import read_sweep
from medvision.reports.sweep_tables import space_table, trial_rows, winner_tables
from tests.reports.swept import draw_trials, results, write_sweep
from tests.reports.told import MASKS


@pytest.fixture
def told(tmp_path):
    def inputs(trials=None, **changes):
        return read_sweep(write_sweep(tmp_path / "sweep", trials, **changes))

    return inputs


def test_trials_stand_in_order_with_all_that_was_varied(told):
    trials = draw_trials(3).assign(value=[0.5, math.nan, 0.9], state=["stopped", "failed", "finished"])
    trials["epochs"], trials["seconds"] = [4, None, 20], [61.5, None, 5400.0]
    heads, rows, notes = trial_rows(told(trials))
    assert heads == [
        "trial", "val/f1", "state", "epochs", "time", "optimizer.lr", "model.backbone", "model.dropout", "ema.decay",
    ]  # fmt: skip
    assert [(trial, chosen) for trial, chosen, _ in rows] == [(2, True), (0, False), (1, False)]
    values = [[value for value, _ in cells] for _, _, cells in rows]
    assert values[0][:4] == ["0.90", "finished", "20", "1 h 30 min"]
    assert values[1][:4] == ["0.50", "stopped early", "4", "1 min 1 s"]
    assert values[2][:4] == ["–", "failed", "–", "–"]
    assert values[0][4:] == [f"{trials['optimizer.lr'][2]:.4g}", trials["model.backbone"][2], "0.4675", "null"]
    assert notes == []


def test_a_loss_that_diverged_is_no_row_of_zeros(told):
    trials = draw_trials(2).assign(value=[0.25, 123456789.0])
    _, rows, _ = trial_rows(told(trials, goal="minimize", metric={"name": "val/loss", "goal": "minimize"}))
    assert [cells[0][0] for _, _, cells in rows] == ["0.250", "1.23e+08"]


def test_many_trials_are_cut(told):
    _, rows, notes = trial_rows(told(draw_trials(MOST_ROWS + 1)))
    assert len(rows) == MOST_ROWS
    assert notes == ["The first 100 of 101; trials.csv has them all."]


def test_the_winner_has_validation_beside_test(told):
    (table,) = winner_tables(told())
    assert table.heads == ["metric", "validation: 60 images of 15 patients", "test: 18 images of 6 patients"]
    cells = dict(table.rows)
    assert cells["F1 (macro)"] == [("0.85", ["0.75–0.92"]), ("0.80", ["0.60–0.90"])]
    # What is of one class stands in the winner's own report.
    assert not {"sensitivity, torn", "confusion matrix"} & set(cells)


def test_without_a_test_only_validation_is_told(told):
    (table,) = winner_tables(told(metrics={"val": results()["val"]}))
    assert table.heads == ["metric", "validation: 60 images of 15 patients"]


def test_masks_have_their_unit(told):
    (table,) = winner_tables(told(metrics={"test": {"image": MASKS}}))
    assert dict(table.rows)["Hausdorff distance HD95 (mm)"] == [("2.50", ["2.00–3.10"])]


def test_what_was_searched_stands_beside_what_was_chosen(told):
    trials = draw_trials(24)
    inputs = told(trials)
    rows = {name: [text for text, _ in cells] for name, cells in space_table(inputs).rows}
    assert list(rows) == ["optimizer.lr", "model.backbone", "model.dropout", "ema.decay", "trainer.max_epochs"]
    assert rows["model.backbone"] == [
        trials["model.backbone"][trials["value"].idxmax()],
        "one of vgg_small, resnet18, two_layer_cnn",
    ]
    assert rows["trainer.max_epochs"] == ["20", "20"]


def test_nothing_is_chosen_where_all_failed(told):
    inputs = told(draw_trials(2).assign(value=math.nan, state="failed"))
    rows = {name: [text for text, _ in cells] for name, cells in space_table(inputs).rows}
    assert rows["optimizer.lr"][0] == "–"
    assert winner_tables(inputs) == []
