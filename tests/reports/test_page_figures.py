import numpy as np

from medvision.reports.page_figures import MOST_CONFUSED, report_figures
from medvision.reports.run_report import read_report_inputs
from tests.reports.evaluated import complete


def test_a_complete_run_has_every_figure_in_the_order_of_the_page(draw_run):
    run = complete(draw_run(("no", "yes")))
    levels = ("image", "patient")
    by_level = [f"{kind}_{level}" for level in levels for kind in ("roc", "pr", "reliability", "net_benefit")]
    assert list(report_figures(read_report_inputs(run))) == [
        *("history_loss", "history_metrics", "history_learning_rate"),
        *(f"confusion_matrix_{level}" for level in levels),
        *by_level,
        *(f"subgroup_{level}_{number}" for level in levels for number in (1, 2, 3)),
    ]


def test_the_histogram_is_of_the_cases_of_its_level(draw_run):
    run = complete(draw_run(("no", "yes")))
    inputs = read_report_inputs(run)
    figures = report_figures(inputs)
    for level in ("image", "patient"):
        counted = sum(bar.get_height() for bar in figures[f"reliability_{level}"].axes[1].patches)
        assert counted == inputs.metrics["test"][level]["accuracy"]["n"]


def test_more_classes_than_can_be_told_apart_have_no_matrix(draw_run):
    run = draw_run(tuple(f"c{k}" for k in range(MOST_CONFUSED + 1)), images=600)
    assert not any(name.startswith("confusion") for name in report_figures(read_report_inputs(run)))


def test_masks_have_boxes_and_no_curves(draw_mask_run):
    names = list(report_figures(read_report_inputs(complete(draw_mask_run()))))
    assert names[-2:] == ["dice", "hd95"]
    assert any(name.startswith("subgroup_image") for name in names)
    assert not any(name.startswith(("roc", "pr", "reliability", "confusion")) for name in names)


def test_an_older_run_has_only_what_its_files_tell(draw_run):
    names = report_figures(read_report_inputs(draw_run()))
    assert {name.rpartition("_")[0] for name in names} == {"history", "history_learning", "confusion_matrix"}
    assert np.isfinite(names["history_loss"].get_size_inches()).all()
