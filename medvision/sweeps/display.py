"""What the user sees of a sweep while it runs: a table that is drawn anew on a terminal, plain lines elsewhere."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from medvision.sweeps.file import Metric
from medvision.sweeps.points import Point, flat
from medvision.sweeps.study import TrialRow

# Lines of the terminal that are left free of trials.
OTHER_LINES = 4
UP = "\x1b[{}F\x1b[J"


class Display:
    """Shows the trials of a sweep.

    Args:
        metric: of the sweep.
        count: how many trials there will be; None where that is not known.
    """

    def __init__(self, metric: Metric, count: int | None) -> None:
        self._metric, self._count = metric, count
        self._drawn = 0
        self._states: dict[int, str] = {}

    def show(self, rows: Sequence[TrialRow]) -> None:
        """Draw the table anew, or print what has changed."""
        if sys.stdout.isatty():
            self._draw(rows)
        else:
            self._tell(rows)

    def close(self) -> None:
        """Leave what was drawn, and go on below it."""
        self._drawn = 0

    def _draw(self, rows: Sequence[TrialRow]) -> None:
        size = shutil.get_terminal_size()
        lines = [line[: size.columns - 1] for line in self.lines(rows, size.lines - OTHER_LINES)]
        up = UP.format(self._drawn) if self._drawn else ""
        print(up + "\n".join(lines), flush=True)
        self._drawn = len(lines)

    def lines(self, rows: Sequence[TrialRow], most: int) -> list[str]:
        """The table: trials that run first, then the best ones, and a line that sums up."""
        open_rows = [row for row in rows if not row.over]
        shown = [*open_rows, *ranked(rows, self._metric), *(row for row in rows if row.state == "failed")]
        names = list(flat(rows[0].point)) if rows else []
        table = [["trial", "state", "epochs", "seconds", self._metric.name, *names]]
        best = best_row(rows, self._metric)
        for row in shown[: max(most, 1)]:
            value = _number(row.value if row.over else (row.values[-1] if row.values else None))
            marked = f"{value} best" if best is not None and row.number == best.number else value
            settings = [_setting(item) for item in flat(row.point).values()]
            table.append([str(row.number), row.state, str(len(row.values)), f"{row.seconds:.0f}", marked, *settings])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
        return [*(line.rstrip() for line in text), self._summary(rows)]

    def _summary(self, rows: Sequence[TrialRow]) -> str:
        done = sum(row.over for row in rows)
        of = "" if self._count is None else f" of {self._count}"
        best = best_row(rows, self._metric)
        end = "" if best is None else f"; best {self._metric.name} {_number(best.value)} (trial {best.number})"
        return f"{done}{of} trials done{end}"

    def _tell(self, rows: Sequence[TrialRow]) -> None:
        for row in rows:
            before, self._states[row.number] = self._states.get(row.number), row.state
            if before == row.state:
                continue
            told = f"trial {row.number} {row.state}"
            if row.state == "running":
                told += f": {setting_text(row.point)}"
            elif row.state == "failed":
                told += f": {row.error}"
            elif row.over:
                # A cross-validation has its epochs in its folds.
                epochs = f" in {len(row.values)} epochs" if row.values else ""
                told += f": {self._metric.name} {_number(row.value)}{epochs}; {self._summary(rows)}"
            print(told, flush=True)


def best_row(rows: Sequence[TrialRow], metric: Metric) -> TrialRow | None:
    """The trial with the best value, of equals the first; None where no trial has one."""
    found = ranked(rows, metric)
    return found[0] if found else None


def ranked(rows: Sequence[TrialRow], metric: Metric) -> list[TrialRow]:
    """The trials that have a value, the best one first."""
    sign = -1 if metric.goal == "maximize" else 1
    return sorted((row for row in rows if row.value is not None), key=lambda row: sign * (row.value or 0.0))


def setting_text(point: Point) -> str:
    """The settings of a trial in words."""
    return ", ".join(f"{name} {_setting(value)}" for name, value in flat(point).items())


def _setting(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "null" if value is None else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
