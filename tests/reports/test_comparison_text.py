from medvision.reports.comparison_text import comparison_rows, comparison_text
from tests.reports.compared import WON, draw_comparison


def test_the_terminal_gets_models_costs_differences_and_the_answer():
    text = comparison_text(WON)
    assert "The same 90 images of 30 patients, 95 % intervals" in text
    assert "transfer  0.90 [0.85–0.95]" in text
    assert "+0.20 [+0.10 to +0.30]" in text
    assert "AUROC 0.024" in text
    assert "1 min 0 s" in text
    assert " ".join(text.split()).endswith("Holm's correction).")
    assert max(map(len, text.splitlines())) <= 110


def test_a_row_a_model_for_the_csv():
    first, second = comparison_rows(WON)
    assert (first["model"], second["model"]) == ("scratch", "transfer")
    assert (second["auroc"], second["auroc_low"], second["auroc_high"]) == (0.9, 0.85, 0.95)
    assert (second["level"], second["n"], second["patients"]) == ("image", 90, 30)
    assert (second["minutes_to_train"], second["ms_an_image"], second["parameters"]) == (1.0, 2.0, 1500)
    assert second["peak_gpu_memory_mib"] is None
    assert set(first) == set(second)


def test_long_names_are_cut():
    inputs = draw_comparison()
    assert "…" not in comparison_text(inputs)
