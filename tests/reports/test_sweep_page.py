import math
import re

import pytest

from medvision.reports.sweep_figures import PAPER
from medvision.reports.sweep_page import SECTIONS, write_sweep_report
from tests.reports.reading import Page
from tests.reports.swept import draw_trials, results, write_sweep


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page of 24 trials: (folder, text, page)."""
    return write(tmp_path_factory.mktemp("sweeps") / "20260101-120000-ab12")


def write(path, trials=None, **changes):
    folder = write_sweep(path, trials, **changes)
    write_sweep_report(folder)
    text = folder.report.read_text()
    return folder, text, Page(text)


def titles(page):
    return [title for level, title in page.headings if level == 2]


def test_all_sections_in_their_order(written):
    _, _, page = written
    assert titles(page) == list(SECTIONS.values())
    assert [f"#{name}" for name in SECTIONS] == [a["href"] for a in page.all("a")][: len(SECTIONS)]


def test_the_head_says_what_was_chosen_and_what_the_test_split_says(written):
    _, _, page = written
    assert (
        "knee_lr: sweep sweep 20260101-120000-ab12 · 24 trials: 19 finished and 5 stopped early; 24 min 36 s together."
        in page.text
    )
    assert "Of 24 trials, trial 12 has the highest F1 (macro) on the validation split, 0.86, with" in page.text
    assert "of the test split, scored once, after the choice: AUROC 0.91 (95 % interval 0.80 to 0.97)" in page.text


def test_the_table_is_that_of_the_trials(written):
    _, _, page = written
    trials = draw_trials(24).sort_values("value", ascending=False)
    table = page.table("Trials, the best first")
    assert [int(re.match(r"\d+", title)[0]) for title, _ in table.rows] == list(trials["trial"])
    assert [cells[0].value for _, cells in table.rows] == [f"{value:.2f}" for value in trials["value"]]
    assert table.rows[0][0] == "12 (chosen)"
    assert "trials/12/report.html" in [a["href"] for a in page.all("a")]


def test_figures_stand_in_the_page_and_in_the_folder(written):
    folder, text, _ = written
    names = {file.name for file in folder.figures.iterdir()}
    assert {"history.svg", "parallel.svg", "parameter_0.svg", "parameter_3.svg"} <= names
    assert text.count("<svg ") == len(names)
    # What lines cross has the paper of the page behind it, in its dark form too.
    assert PAPER not in text
    assert "var(--card)" in (text.split("<svg ")[2])
    assert PAPER in (folder.figures / "parallel.svg").read_text()


def test_the_page_needs_no_network_and_no_script(written):
    _, text, _ = written
    loads = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert [url for url in loads if not url.startswith(("#", "data:", "trials/"))] == []
    assert "<script" not in text
    assert len(text) < 400_000


def test_simulated_trials_are_called_so_first(tmp_path):
    assert (
        "SIMULATED: the images of these trials were drawn"
        in write(tmp_path / "a", draw_trials(4), simulated=True)[2].text
    )
    assert "SIMULATED" not in write(tmp_path / "b", draw_trials(4))[2].text


def test_one_trial_is_a_page(tmp_path):
    _, _, page = write(tmp_path / "sweep", draw_trials(1))
    assert "Trial 0, the only one with a value" in page.text
    assert titles(page) == [
        "Trials",
        "Course of the sweep",
        "Which parameters matter",
        "Results of the winner",
        "What was searched",
        "What cannot be said",
        "How this was made",
    ]


def test_a_sweep_that_failed_altogether_is_a_page(tmp_path):
    folder, _, page = write(tmp_path / "sweep", draw_trials(3).assign(value=math.nan, state="failed"))
    assert "3 trials: 3 failed; 3 min 4 s together." in page.text
    assert "No trial has a value of the metric: none was chosen." in page.text
    assert [cells[0].value for _, cells in page.table("Trials, the best first").rows] == ["–"] * 3
    assert not folder.figures.exists()


def test_a_sweep_without_a_test_says_so_and_shows_validation(tmp_path):
    _, _, page = write(tmp_path / "sweep", draw_trials(4), metrics={"val": results()["val"]}, test=None)
    assert "The test split was not scored." in page.text
    assert page.table("The winner, per image").heads == ["metric", "validation: 60 images of 15 patients"]
    assert "test result of" not in page.text


def test_unfinished_trials_are_counted(tmp_path):
    trials = draw_trials(3).assign(state=["finished", "running", "waiting"])
    trials.loc[1:, "value"] = math.nan
    _, _, page = write(tmp_path / "sweep", trials)
    assert "3 trials: 1 finished, 1 running and 1 waiting; 3 min 4 s together." in page.text


def test_a_sweep_of_cross_validations_warns_of_its_choice(tmp_path):
    _, _, page = write(tmp_path / "sweep", draw_trials(4), folds=True)
    assert "of all test folds pooled, scored once" in page.text
    assert "cross_validate --choose" in page.text


def test_names_are_text_and_no_markup(tmp_path):
    values = ["<script>alert(1)</script>", "$x$"]
    trials = draw_trials(4).assign(**{"model.backbone": values * 2})
    _, text, page = write(tmp_path / "sweep", trials, parameters={"model.backbone": {"values": values}}, name="<b>")
    assert "<script" not in text
    assert "<b>: sweep" in page.text


def test_the_home_folder_in_a_setting_is_not_told(tmp_path):
    values = ["/home/ann/weights/a.pt", "/home/ann/weights/b.pt"]
    trials = draw_trials(4).assign(**{"model.pretrained": values * 2, "data.root": "/home/ann/knees"})
    parameters = {"model.pretrained": {"values": values}, "data.root": {"value": "/home/ann/knees"}}
    folder, text, page = write(tmp_path / "sweep", trials, parameters=parameters)
    assert "/home/ann" not in text
    assert not any("/home/ann" in file.read_text() for file in folder.figures.iterdir())
    assert "one of ~/weights/a.pt, ~/weights/b.pt" in page.text
    assert page.table("Trials, the best first").rows[0][1][-1].value in ("~/weights/a.pt", "~/weights/b.pt")


def test_the_page_is_drawn_again_the_same(written):
    folder, text, _ = written
    write_sweep_report(folder)
    assert folder.report.read_text() == text


def test_a_long_name_of_a_column_can_go_on_in_the_next_line(written):
    _, _, page = written
    heads = page.table("Trials, the best first").heads
    assert "optimizer.\u200blr" in heads
    assert [head.replace("\u200b", "") for head in heads][-4:] == [
        "optimizer.lr",
        "model.backbone",
        "model.dropout",
        "ema.decay",
    ]


def test_what_the_parameters_explain_is_drawn_where_it_can_be_said(tmp_path):
    folder, text, page = write(tmp_path / "sweep", draw_trials(40, noise=0.0))
    assert (folder.figures / "importance.svg").is_file()
    assert text.count("<svg ") == 7
    assert "optimizer.lr on a logarithmic axis; by itself it explains" in page.text
