import pandas as pd
import pytest

from medvision.comparing import compare_runs, make_plan
from medvision.errors import RunError
from medvision.reports.comparison_report import read_comparison_inputs, write_comparison
from medvision.runs import RunFolder, read_json, write_json
from tests.finished_runs import write_finished_run
from tests.reports.compared import experiment
from tests.reports.reading import Page


@pytest.fixture
def parent(tmp_path):
    names = ("scratch", "transfer")
    runs = {
        name: write_finished_run(tmp_path / "parent" / "parts" / name, name, seed=k) for k, name in enumerate(names)
    }
    parent = RunFolder(tmp_path / "parent")
    experiments = {name: experiment(name) for name in names}
    write_json(parent.plan, make_plan(parent, runs, experiments, trained=True, cross_validated=False))
    compare_runs(parent, runs)
    return parent


def test_the_page_the_figures_and_the_table_are_made_anew_from_the_folder_alone(parent):
    page, table = parent.report.read_bytes(), parent.comparison.with_suffix(".csv").read_bytes()
    for run in parent.parts.iterdir():
        (run / "predictions.csv").unlink()
        (run / "experiment.yaml").unlink()
    parent.report.unlink()
    for figure in parent.figures.glob("*.svg"):
        figure.unlink()
    write_comparison(parent)
    assert parent.report.read_bytes() == page
    assert parent.comparison.with_suffix(".csv").read_bytes() == table
    assert (parent.figures / "difference_auroc.svg").is_file()


def test_the_page_follows_comparison_json(parent):
    found = read_json(parent.comparison)
    found["levels"]["image"]["metrics"]["transfer"]["auroc"] |= {"value": 0.98765, "low": 0.9, "high": 0.99, "n": 900}
    write_json(parent.comparison, found)
    write_comparison(parent)
    assert "AUROC: 0.988 (95 % interval 0.900 to 0.990)" in Page(parent.report.read_text()).text


def test_inputs_count_images_and_patients_by_class(parent):
    inputs = read_comparison_inputs(parent)
    rows = pd.read_csv(parent.predictions).query("model == 'scratch'")
    for name, (images, patients) in inputs.counts.items():
        having = rows[rows["target"] == name]
        assert (images, patients) == (len(having), having["patient"].nunique())
    assert sum(images for images, _ in inputs.counts.values()) == 90
    assert [model.report for model in inputs.models] == ["parts/scratch/report.html", "parts/transfer/report.html"]
    assert inputs.simulated
    assert (inputs.folds, inputs.repeats) == (1, 1)


def test_folds_are_told_of_a_cross_validation_alone(parent):
    write_json(parent.plan, {**read_json(parent.plan), "cross_validated": True})
    assert read_comparison_inputs(parent).folds == 5


def test_nothing_compared_is_one_line(parent):
    parent.comparison.unlink()
    with pytest.raises(RunError, match="comparison.json: not there"):
        write_comparison(parent)
