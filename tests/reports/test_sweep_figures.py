import math
import re

import numpy as np
import pytest

from medvision.reports.figures import inline_svg, svg_text
from medvision.reports.sweep_figures import MOST_PARAMETERS, SHADES, sweep_figures
from medvision.reports.sweep_importance import Importance, parameter_importance
from medvision.reports.sweep_inputs import read_sweep
from tests.reports.swept import PARAMETERS, draw_trials, write_sweep

UNKNOWN = Importance(shares={}, explained=None, trials=0)


@pytest.fixture
def draw(tmp_path):
    """Figures of a sweep of drawn trials, and what they were made of."""

    def figures(trials=None, importance=UNKNOWN, **changes):
        inputs = read_sweep(write_sweep(tmp_path / "sweep", trials, **changes))
        return sweep_figures(inputs, importance), inputs

    return figures


def marks(axes, marker):
    """(x, y) of all marks of a kind."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return sorted((float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True))


def trial_lines(figure, inputs):
    """{row: line} of the parallel coordinates, found by where they end."""
    low, high = inputs.value_ends()
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == len(inputs.parameters) + 1]
    ends = {round(float(line.get_ydata()[-1]), 9): line for line in lines}
    places = (inputs.shown_values() - low) / (high - low)
    return {row: ends[round(float(place), 9)] for row, place in enumerate(places) if not math.isnan(place)}


def test_all_figures_by_name(draw, tmp_path):
    figures, inputs = draw()
    parameters = [f"parameter_{k}" for k in range(4)]
    assert list(figures) == ["history", "parallel", *parameters]
    importance = Importance(shares={"optimizer.lr": 0.6, "model.backbone": 0.3}, explained=0.7, trials=24)
    figures = sweep_figures(inputs, importance)
    assert list(figures) == ["history", "parallel", "importance", *parameters]
    assert figures["parameter_0"].axes[0].get_xlabel() == "optimizer.lr"


def test_the_best_so_far_never_gets_worse(draw):
    figures, _ = draw(draw_trials(4).assign(value=[0.2, 0.6, None, 0.4], state="finished"))
    step = next(line for line in figures["history"].axes[0].lines if line.get_label() == "best so far")
    assert list(step.get_xdata()) == [0, 1, 3]
    assert list(step.get_ydata()) == [0.2, 0.6, 0.6]


def test_the_best_so_far_of_a_loss_falls(draw):
    figures, _ = draw(draw_trials(3).assign(value=[0.6, 0.2, 0.4], state="finished"), goal="minimize")
    step = next(line for line in figures["history"].axes[0].lines if line.get_label() == "best so far")
    assert list(step.get_ydata()) == [0.6, 0.2, 0.2]


def test_finished_stopped_and_chosen_trials_have_marks_of_their_own(draw):
    trials = draw_trials(3).assign(value=[0.5, 0.9, 0.7], state=["stopped", "finished", "finished"])
    figures, _ = draw(trials)
    axes = figures["history"].axes[0]
    assert marks(axes, "v") == [(0, 0.5)]
    # The chosen one has a ring around its mark.
    assert marks(axes, "o") == [(1, 0.9), (1, 0.9), (2, 0.7)]


def test_a_line_goes_through_the_places_of_its_values(draw):
    figures, inputs = draw()
    lines = trial_lines(figures["parallel"], inputs)
    assert len(lines) == 24
    rates = inputs.trials["optimizer.lr"].astype(float)
    for row, line in lines.items():
        rate, _, dropout, _, _ = line.get_ydata()
        assert rate == pytest.approx((math.log10(rates[row]) + 5) / 4)
        assert dropout == pytest.approx(float(inputs.trials["model.dropout"][row]) / 0.5)


def test_a_category_is_a_step_with_room_for_its_trials(draw):
    figures, inputs = draw()
    lines = trial_lines(figures["parallel"], inputs)
    heights = {}
    for row, line in lines.items():
        heights.setdefault(inputs.trials["model.backbone"][row], []).append(float(line.get_ydata()[1]))
    for place, name in enumerate(["vgg_small", "resnet18", "two_layer_cnn"]):
        assert len(set(heights[name])) == len(heights[name])
        assert place / 3 < min(heights[name]) <= max(heights[name]) < (place + 1) / 3


def test_lines_have_the_colour_of_the_metric_and_the_chosen_one_is_thick(draw):
    figures, inputs = draw(draw_trials(24).assign(state="finished"))
    lines = trial_lines(figures["parallel"], inputs)
    worst, best = inputs.order[-1], inputs.order[0]
    assert lines[best].get_color() == pytest.approx(SHADES(1.0))
    assert lines[worst].get_color() == pytest.approx(SHADES(0.0))
    assert [row for row, line in lines.items() if line.get_linewidth() > 2] == [inputs.best]


def test_the_lowest_loss_has_the_colour_of_the_best(draw):
    figures, inputs = draw(draw_trials(24).assign(state="finished"), goal="minimize")
    lines = trial_lines(figures["parallel"], inputs)
    assert lines[inputs.order[0]].get_color() == pytest.approx(SHADES(1.0))
    assert lines[inputs.order[0]].get_ydata()[-1] == 0


def test_a_stopped_trial_is_dashed(draw):
    figures, inputs = draw()
    dashed = {row for row, line in trial_lines(figures["parallel"], inputs).items() if line.get_linestyle() == "--"}
    assert dashed == set(np.flatnonzero(inputs.trials["state"] == "stopped"))


@pytest.mark.parametrize("kind", ["deuteranomaly", "protanomaly", "tritanomaly"])
def test_the_shades_are_told_apart_without_one_of_the_cones(kind):
    # Machado, Oliveira and Fernandes, IEEE Transactions on Visualization and Computer Graphics 15, 2009: full severity.
    matrices = {
        "protanomaly": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranomaly": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.01182, 0.04294, 0.968881],
        ],
        "tritanomaly": [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.3039],
        ],
    }
    shades = np.array([SHADES(share)[:3] for share in (0.0, 0.5, 1.0)])
    linear = np.where(shades <= 0.04045, shades / 12.92, ((shades + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(matrices[kind]).T, 0, 1) ** (1 / 2.4)
    assert np.linalg.norm(seen[0] - seen[2]) > 0.4
    assert min(np.linalg.norm(seen[0] - seen[1]), np.linalg.norm(seen[1] - seen[2])) > 0.2


def test_the_axis_of_a_rate_is_logarithmic_and_categories_are_named(draw):
    figures, _ = draw()
    axes = [figures[f"parameter_{k}"].axes[0] for k in range(4)]
    assert [axis.get_xscale() for axis in axes] == ["log", "linear", "linear", "linear"]
    assert [text.get_text() for text in axes[1].get_xticklabels()] == ["vgg_small", "resnet18", "two_layer_cnn"]
    assert [text.get_text() for text in axes[3].get_xticklabels()] == ["null", "0.99"]


def test_the_scatter_has_every_trial_at_its_value(draw):
    figures, inputs = draw(draw_trials(12).assign(state="finished"))
    wanted = [(float(p["model.dropout"]), p["value"]) for _, p in inputs.trials.iterrows()]
    chosen = wanted[inputs.best]
    assert np.array(marks(figures["parameter_2"].axes[0], "o")) == pytest.approx(np.array(sorted([*wanted, chosen])))


def test_a_trial_that_diverged_stands_at_the_edge_and_is_marked(draw):
    figures, _ = draw(draw_trials(5).assign(value=[0.1, 0.2, 0.3, 0.5, 1e6], state="finished"), goal="minimize")
    axes = figures["history"].axes[0]
    assert (4, 1.3) in [(x, round(y, 9)) for x, y in marks(axes, "o")]
    assert "≥ 1.3" in svg_text(figures["history"])
    assert "≥ 1.3" in svg_text(figures["parallel"])


def test_one_trial_is_a_course_and_no_more(draw):
    figures, _ = draw(draw_trials(1))
    assert list(figures) == ["history"]
    assert svg_text(figures["history"])


def test_no_value_is_no_figure(draw):
    figures, _ = draw(draw_trials(3).assign(value=math.nan, state="failed"))
    assert figures == {}


def test_more_parameters_than_there_is_room_for_are_cut_by_importance(draw):
    trials = draw_trials(12)
    names = [f"x{k}" for k in range(12)]
    for k, name in enumerate(names):
        trials[name] = np.random.default_rng(k).uniform(size=12)
    parameters = {name: {"min": 0.0, "max": 1.0} for name in names}
    importance = Importance(shares={"x11": 0.9, "x0": 0.05}, explained=0.9, trials=12)
    figures, _ = draw(trials, importance, parameters=parameters)
    drawn = [figures[f"parameter_{k}"].axes[0].get_xlabel() for k in range(MOST_PARAMETERS)]
    assert drawn == ["x11", "x0", "x1", "x2", "x3", "x4", "x5", "x6"]
    assert f"parameter_{MOST_PARAMETERS}" not in figures


def test_bars_are_the_shares(draw, tmp_path):
    inputs = read_sweep(write_sweep(tmp_path / "other", draw_trials(60)))
    importance = parameter_importance(inputs)
    axes = sweep_figures(inputs, importance)["importance"].axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(list(importance.shares.values()))
    assert [text.get_text() for text in axes.get_yticklabels()] == list(importance.shares)


def test_long_and_strange_names_stay_within_the_figure(draw):
    strange = {"model.backbone": {"values": ["_x" * 30, "$a$ <b>", "two_layer_cnn"]}}
    trials = draw_trials(6).assign(**{"model.backbone": ["_x" * 30, "$a$ <b>", "two_layer_cnn"] * 2})
    figures, _ = draw(trials, parameters={**PARAMETERS, **strange})
    texts = [inline_svg(svg_text(figure), name) for name, figure in figures.items()]
    assert all("_x" * 12 not in text for text in texts)
    assert any("$a$ &lt;b&gt;" in text for text in texts)


def test_the_same_trials_give_the_same_picture(draw):
    figures, inputs = draw()
    again = sweep_figures(inputs, UNKNOWN)
    assert [svg_text(figure) for figure in figures.values()] == [svg_text(figure) for figure in again.values()]
    assert all(re.search("val/f1", svg_text(figure)) for figure in figures.values())


def test_one_parameter_needs_no_parallel_axes(draw):
    figures, _ = draw(parameters={"model.dropout": {"min": 0.0, "max": 0.5}})
    assert list(figures) == ["history", "parameter_0"]
