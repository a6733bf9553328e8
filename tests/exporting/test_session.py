import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medvision.exporting.parity import Tolerance
from medvision.exporting.session import Exported, one_tolerance, time_runs, write_parity
from medvision.runs import RunFolder, read_table

LEG = {"images": 1, "largest_difference": 0.1, "image": "a.png", "flips": 0, "failures": []}


class Squares:
    """Three batches, the last smaller."""

    def squares(self, split, most):
        assert split == "val"
        return iter(
            [np.zeros((2, 1, 4, 4), np.uint8), np.zeros((2, 1, 4, 4), np.uint8), np.zeros((1, 1, 4, 4), np.uint8)]
        )


def export(name, *failures, precision="fp32"):
    leg = {**LEG, "failures": list(failures)}
    return Exported(Path("/elsewhere") / name, precision, 10, {"prepared": leg}, 100.0, 1.0)


def table(name, difference):
    row = {"image": "=a.png", "leg": "prepared", "difference": difference, "flipped": False, "model": name}
    return pd.DataFrame([row])


def test_what_was_compared_is_kept_file_by_file(tmp_path):
    run = RunFolder(tmp_path)
    write_parity(run, [export("x.onnx")], table("x.onnx", 0.1))
    write_parity(run, [export("x.int8.onnx", "too far", precision="int8")], table("x.int8.onnx", 0.5))
    write_parity(run, [export("x.onnx")], table("x.onnx", 0.2))
    entries = json.loads((tmp_path / "export" / "parity.json").read_text())
    assert {name: entry["passed"] for name, entry in entries.items()} == {"x.int8.onnx": False, "x.onnx": True}
    assert entries["x.int8.onnx"]["prepared"]["failures"] == ["too far"]
    rows = read_table(tmp_path / "export" / "parity.csv")
    assert list(rows.columns[:3]) == ["model", "leg", "image"]
    assert dict(zip(rows["model"], rows["difference"], strict=True)) == {"x.int8.onnx": 0.5, "x.onnx": 0.2}
    assert list(rows["image"]) == ["=a.png"] * 2


def test_networks_are_timed_in_turn_over_the_same_images(monkeypatch):
    clock, asked = [0.0], []
    monkeypatch.setattr("medvision.exporting.session.time.perf_counter", lambda: clock[0])

    def run(name, seconds):
        def ask(pixels):
            asked.append(name)
            clock[0] += seconds * len(pixels)
            return {}

        return ask

    speeds = time_runs({"fp32": run("fp32", 0.5), "int8": run("int8", 0.25)}, Squares())
    assert speeds["fp32"] == pytest.approx((2.0, 1.0))
    assert speeds["int8"] == pytest.approx((4.0, 2.0))
    assert asked[:6] == ["fp32"] * 3 + ["int8"] * 3


def test_nothing_that_runs_is_timed_as_nothing():
    assert time_runs({}, Squares()) == {}


def test_one_number_is_a_tolerance():
    assert one_tolerance(0.02) == Tolerance(probability=0.02, flips=0.02, pixel=1.0, dice=0.98)
