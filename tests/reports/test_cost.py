import pytest

from medvision.reports.cost import cost_rows, time_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599.9, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7260, "2 h 1 min"),
    ],
)
def test_durations(seconds, text):
    assert time_text(seconds) == text


def test_hours_are_counted_by_device():
    rows = dict(cost_rows({"device": "GPU", "devices": 4, "training_seconds": 1800, "peak_gpu_memory_mib": 3072}, 20))
    assert rows == {
        "device": "4 × GPU",
        "training": "30 min 0 s",
        "an epoch": "1 min 30 s",
        "device-hours of training": "2",
        "most GPU memory at a time": "3 GiB",
    }


def test_a_processor_is_one_device():
    environment = {"device": "CPU", "devices": 0, "training_seconds": 3600.0, "seconds_per_image": 0.0125}
    rows = dict(cost_rows({**environment, "peak_memory_mib": 1536}))
    assert rows["device"] == "CPU"
    assert rows["device-hours of training"] == "1"
    assert rows["prediction, an image"].startswith("12.5 ms")
    assert rows["most memory at a time"] == "1.5 GiB"
    assert "an epoch" not in rows


def test_what_was_not_measured_is_left_out():
    assert cost_rows({}) == []
