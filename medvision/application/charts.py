"""Charts of the app: probabilities with the line of decision, and curves of a training."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from medvision.reports.figures import COLOURS

_BAR, _LINE = "#56b4e9", "#d55e00"
# In pixels: of a bar, of what lies below all bars, of the longest name.
ROW, AXIS, LONGEST = 30, 60, 240


def probability_chart(
    probabilities: Mapping[str, float],
    thresholds: Mapping[str, float],
    predicted: Sequence[str],
    true: Sequence[str],
    digits: int = 2,
) -> alt.LayerChart | alt.FacetChart:
    """A bar a class, and on it the line from which on the answer is yes.

    Args:
        probabilities: {class: in [0, 1]}, in the order of the bars.
        thresholds: {class: in [0, 1]}; empty where the most probable class is the answer.
        predicted: the classes that the answer names; their bars are full.
        true: the classes that are true; their names say so.
        digits: of the probabilities, as many as the cases support that they were calibrated on.
    """
    names = {
        name: f"{name}{' (true)' if name in true else ''}  {value:.{digits}f}" for name, value in probabilities.items()
    }
    rows = [
        {"class": names[name], "probability": value, "answer": name in predicted}
        for name, value in probabilities.items()
    ]
    across = alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]), title="calibrated probability")
    place = alt.Y("class:N", sort=None, title=None, axis=alt.Axis(labelLimit=LONGEST))
    bars = alt.Chart(pd.DataFrame(rows)).mark_bar(color=_BAR)
    shade = alt.condition("datum.answer", alt.value(1.0), alt.value(0.4))
    layers = [bars.encode(x=across, y=place, opacity=shade, tooltip=["class"])]
    if thresholds:
        lines = pd.DataFrame([{"class": names[name], "threshold": value} for name, value in thresholds.items()])
        ticks = alt.Chart(lines).mark_tick(color=_LINE, thickness=3, size=ROW - 6)
        layers.append(ticks.encode(x="threshold:Q", y=place, tooltip=["class", "threshold"]))
    return alt.layer(*layers).properties(height=ROW * len(rows) + AXIS)


def curve_chart(
    history: pd.DataFrame, columns: Sequence[str], title: str, epoch: int, best: int | None
) -> alt.LayerChart | alt.FacetChart:
    """Curves over the epochs, a line at the epoch that is looked at and a dotted one at the evaluated one.

    Args:
        history: a row an epoch, counted from 0; readers see it counted from 1.
        columns: that are drawn.
        title: of the axis of values; under `validation` the curves are named without it.
        epoch: counted from 0.
        best: likewise; None where it is not known.
    """
    # The title says what all of them are of.
    named = {name: name.removeprefix("val/") if title == "validation" else name for name in columns}
    drawn = history[["epoch", *columns]].rename(columns={"epoch": "at", **named})
    long = drawn.melt("at", var_name="curve", value_name="value").dropna()
    long["at"] += 1
    last = int(history["epoch"].max()) + 1
    across = alt.X("at:Q", title="epoch", scale=alt.Scale(domain=[1, max(last, 2)]), axis=alt.Axis(tickMinStep=1))
    colours = alt.Scale(domain=list(named.values()), range=[COLOURS[k % len(COLOURS)] for k in range(len(columns))])
    lines = alt.Chart(long).mark_line(point=last < 3)
    curves = lines.encode(
        x=across,
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color(
            "curve:N", scale=colours, title=None, legend=alt.Legend(orient="bottom", columns=2, labelLimit=LONGEST)
        ),
        tooltip=["curve", "at", "value"],
    )
    marks = [alt.Chart(pd.DataFrame({"at": [epoch + 1]})).mark_rule(color=_LINE, size=2).encode(x="at:Q")]
    if best is not None:
        dotted = alt.Chart(pd.DataFrame({"at": [best + 1]})).mark_rule(color="gray", strokeDash=[2, 4])
        marks.append(dotted.encode(x="at:Q"))
    return alt.layer(curves, *marks).properties(height=300)
