import re

import pytest

from medvision.reports.page import report_page
from medvision.reports.page_folds import fold_context
from medvision.reports.run_report import read_report_inputs
from tests.reports.cross_validated import draw_mask_parent, draw_parent, page_text
from tests.reports.reading import Page
from tests.reports.told import draw_inputs

TITLES = [
    "Who is in which fold",
    "Learning curves of the folds",
    "Results of all folds",
    "Fold by fold",
    "ROC and precision–recall curves",
    "Operating point",
    "Calibration",
    "Decision curve",
    "Subgroups",
    "Errors worth looking at",
    "Time, hardware, cost",
    "Model card",
    "Settings",
    "Environment",
    "Reporting checklists",
]


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    tried = [{"optimizer.lr": 1e-3, "auroc": 0.8}, {"optimizer.lr": 1e-4, "auroc": 0.7}]
    choice = {"settings": {"optimizer.lr": 1e-3}, "metric": "auroc", "level": "image", "tried": tried, "seconds": 30.0}
    folder = tmp_path_factory.mktemp("folds") / "parent"
    return draw_parent(folder, patients=20, choices={f"fold-{k}": choice for k in range(5)})


@pytest.fixture(scope="module")
def text(parent):
    return page_text(parent)


def bare_page(parent, *names):
    """The page with empty figures: drawing them takes the longest."""
    return report_page(read_report_inputs(parent), dict.fromkeys(names, "<svg></svg>"))


def table_of(page, caption):
    (table,) = [table for table in page.tables if table.caption == caption]
    return table


def test_the_page_of_a_cross_validation_has_its_sections(text, parent):
    page = Page(text)
    assert [title for level, title in page.headings if level == 2] == TITLES
    assert "with optimizer.lr chosen for each fold, on" in text
    links = [attrs["href"] for attrs in page.all("a")]
    outside = [link for link in links if link[:1] != "#"]
    assert outside == [f"parts/fold-{k}/report.html" for k in range(5)]
    assert all((parent.path / link).is_file() for link in outside)
    assert "SIMULATED" in text
    drawn = {file.stem for file in parent.figures.glob("*.svg")}
    assert {"folds_image", "folds_patient", "history_loss", "history_metrics", "roc_image"} <= drawn


def test_the_proof_of_no_overlap_is_told(text):
    assert "of 20 patients, 0 are in more than one fold." in text
    assert "In each of the 5 folds, 0 patients are in two of the splits" in text
    assert "No file has an identical copy in another fold." in text


def test_every_table_of_folds_is_there(text, parent):
    page, inputs = Page(text), read_report_inputs(parent)
    entries = inputs.metrics["test"]["image"]
    values = table_of(page, "Fold by fold, per image")
    found = inputs.folds.summary["image"]["auroc"]
    assert values.column("pooled", "AUROC").value == f"{entries['auroc']['value']:.2f}"
    assert values.column("mean ± SD", "AUROC").value == f"{found['mean']:.2f} ± {found['sd']:.2f}"
    assert values.column("fold 3", "AUROC").value == f"{found['values']['fold-3']:.2f}"
    pooled = table_of(page, "Metrics, test folds").rows
    below = next(cells[0].below for title, cells in pooled if title == "AUROC")
    assert below[-1] == f"{found['mean']:.2f} ± {found['sd']:.2f}"
    decided = table_of(page, "Temperature and thresholds by fold")
    assert len(decided.rows) == 5
    assert len(table_of(page, "Settings chosen by fold").rows) == 5
    assert "choosing" in table_of(page, "Time and memory by fold").heads
    assert table_of(page, "Time, hardware and memory of all folds together")
    assert table_of(page, "Images of each fold's own splits")


def test_no_patient_and_no_file_is_named(text, parent):
    inputs = read_report_inputs(parent)
    said = re.sub(r"data:image/[^\"]+", "", text)
    for name in {*inputs.predictions["patient"], *inputs.predictions["image"]}:
        assert not re.search(rf"\b{re.escape(name)}\b", said), name


def test_a_fold_that_shares_patients_is_denounced(tmp_path):
    parent = draw_parent(tmp_path / "parent", folds=3, patients=12)
    split = parent.parts / "fold-1" / "split.csv"
    split.write_text(split.read_text().replace(",train,", ",val,", 1))
    assert "In 1 of 3 folds patients stand both among the training and the validation or test images" in page_text(
        parent
    )


def test_a_missing_fold_is_announced_at_the_top(tmp_path):
    page = bare_page(draw_parent(tmp_path / "parent", folds=3, patients=12, leave_out=("fold-1",)))
    assert page.count('<p class="banner">Not in this report: fold 1;') == 1
    assert "of 2 folds pooled" in page


def test_repeats_say_what_is_of_the_first(tmp_path):
    parent = draw_parent(tmp_path / "parent", folds=2, repeats=2, patients=12)
    figures = [f"{name}_image" for name in ("confusion_matrix", "roc", "reliability", "net_benefit")]
    page = bare_page(parent, *figures)
    # With the subgroups.
    assert page.count("Of the first of 2 repeats.") == len(figures) + 1
    assert "of 2 × 2 folds pooled" in page
    assert "repeat 1, fold 0" in page


def test_of_folds_of_single_patients_no_mean_is_told(tmp_path):
    """The precision of a fold with one class is 0 or 1, whatever the network knows."""
    parent = draw_parent(tmp_path / "parent", folds=12, patients=12, alone=True)
    assert (tmp_path / "parent" / "folds.json").is_file()
    text = bare_page(parent)
    assert text.count("Each fold is a single patient, of which most metrics") >= 2
    assert "±" not in text
    assert "Images by fold and class" in text


def test_masks_have_their_folds_too(tmp_path):
    page = Page(bare_page(draw_mask_parent(tmp_path / "parent")))
    titles = [title for level, title in page.headings if level == 2]
    assert "Fold by fold" in titles
    assert "Operating point" not in titles
    assert "Hausdorff distance HD95 (mm)" in dict(table_of(page, "Fold by fold, per patient").rows)


def test_a_single_run_tells_nothing_of_folds():
    told = fold_context(draw_inputs())
    assert told["apart"] == "split"
    assert told["facts"]["groups"] == 20
    assert told["pooling"] == []
    assert all(value is None for name, value in told.items() if name.startswith("fold_"))
