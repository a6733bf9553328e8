import pytest

from medvision.reports.learning_curve_tables import (
    cost_table,
    curve_table,
    difference_table,
    every_metric_table,
    fit_table,
    metric_entry,
    subset_table,
)
from tests.reports.told_curves import told


def rows_of(table, group):
    return dict(dict(table.groups)[group])


def test_the_first_table_tells_score_and_time_by_size():
    table = curve_table(told(), "image")
    assert table.heads == ["trained on", "AUROC", "accuracy", "time to train"]
    assert [name for name, _ in table.groups] == ["small", "large"]
    auroc, accuracy, time = rows_of(table, "small")["100 images"]
    assert auroc == ("0.700", ["0.600–0.800", "SD 0.020"])
    assert accuracy == ("0.600", ["0.500–0.700", "SD 0.020"])
    assert time == ("15 s", ["10 s to 20 s"])


def test_a_single_repeat_has_no_spread():
    auroc, *_, time = rows_of(curve_table(told(repeats=1), "image"), "small")["100 images"]
    assert auroc == ("0.700", ["0.600–0.800"])
    assert time == ("10 s", [])


def test_a_size_without_a_value_is_a_dash():
    found = told()
    found["levels"]["image"]["metrics"]["small"]["100"] = {}
    assert metric_entry(found["levels"]["image"], "small", 100, "auroc")["value"] is None
    assert rows_of(curve_table(found, "image"), "small")["100 images"][0] == ("–", [])


def test_every_metric_has_a_column():
    assert every_metric_table(told(), "image").heads == ["trained on", "AUROC", "accuracy", "F1 (macro)"]


def test_differences_have_their_interval_and_the_corrected_test():
    table = difference_table(told(), "image")
    difference, p, adjusted = rows_of(table, "large − small")["800 images"]
    assert difference == ("+0.050", ["-0.010 to +0.110"])
    assert p == ("0.040", [])
    assert adjusted == ("0.120", ["DeLong"])


def test_one_model_has_no_differences():
    assert difference_table(told(models=("small",)), "image") is None


def test_power_laws_look_ahead():
    table = fit_table(told(), "image")
    assert table.heads[-3:] == ["at 1,600 images", "at 4,000 images", "at 8,000 images"]
    exponent, ceiling, twice, *_ = dict(table.rows)["small"]
    assert exponent == ("0.50", ["0.30–0.90"])
    # a of 0.05 [0.02 to 0.10] is a best AUROC of 0.95 [0.90 to 0.98].
    assert ceiling == ("0.950", ["0.900–0.980"])
    assert float(twice[0]) == pytest.approx(1 - (0.05 + 0.15 * 2**-0.5), abs=0.005)


def test_of_few_test_images_spread_and_power_law_have_the_digits_of_the_metric():
    found = told()
    for entries in (entries for sizes in found["levels"]["image"]["metrics"].values() for entries in sizes.values()):
        for entry in entries.values():
            entry["n"] = 60
    assert rows_of(curve_table(found, "image"), "small")["100 images"][0] == ("0.70", ["0.60–0.80", "SD 0.02"])
    exponent, ceiling, *ahead = dict(fit_table(found, "image").rows)["small"]
    assert exponent == ("0.50", ["0.30–0.90"])
    assert ceiling == ("0.95", ["0.90–0.98"])
    assert all(len(value) == len("0.84") for value, _ in ahead)


def test_a_spread_of_distances_has_the_digits_of_the_distance():
    found = told()
    entry = {"value": 12.34, "low": None, "high": None, "n": 120, "unit": "mm", "sd": 1.234}
    found["levels"]["image"]["metrics"]["small"]["100"]["auroc"] = entry
    assert rows_of(curve_table(found, "image"), "small")["100 images"][0] == ("12.3", ["SD 1.2"])


def test_of_three_sizes_nothing_is_told_beyond_them():
    table = fit_table(told(sizes=(100, 200, 400)), "image")
    assert table.heads == ["model", "exponent c", "at no end of images"]
    assert dict(table.rows)["small"][1] == ("–", [])


def test_two_sizes_have_no_power_law():
    assert fit_table(told(sizes=(100, 200)), "image") is None


def test_what_an_answer_takes():
    table = cost_table(told())
    image, parameters, memory, gpu, device = dict(table.rows)["large"]
    assert (image[0], parameters[0], memory[0], gpu[0], device[0]) == ("2 ms", "12,345", "2 GiB", "–", "Some CPU")


def test_subsets_that_differ_between_repeats_are_a_span():
    table = subset_table(told())
    assert table.heads == ["trained on", "patients", "well", "sick"]
    assert table.rows[0] == ("100 images", [("50–51", []), ("49–50", []), ("50–51", [])])


def test_without_groups_there_is_no_column_of_them():
    found = told()
    found["group"] = "image"
    assert subset_table(found).heads == ["trained on", "well", "sick"]
