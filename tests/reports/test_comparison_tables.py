from medvision.evaluation.text import SUMMARY
from medvision.reports.comparison_inputs import ModelFacts, entry_of, headlines
from medvision.reports.comparison_tables import (
    case_text,
    count_table,
    difference_cell,
    difference_table,
    every_difference_table,
    every_metric_table,
    metric_title,
    model_table,
    name_of_test,
    needed_table,
    setting_table,
    sources,
    table_of_tests,
    value_line,
)
from tests.reports.compared import UNDECIDED, WON, by_hand, draw_comparison, entry, experiment, one_test, pair


def test_every_model_has_its_metrics():
    inputs = draw_comparison()
    table = model_table(inputs, "image")
    assert table.caption == "Models on the same 90 images of 30 patients"
    assert table.heads == ["model", "AUROC", "balanced accuracy", "accuracy", "Cohen's kappa"]
    for name, cells in table.rows:
        for metric, (value, below) in zip(headlines(inputs, "image"), cells, strict=True):
            found = entry_of(inputs, "image", name, metric)
            assert value == f"{found['value']:.2f}"
            assert below[0].startswith((f"{found['low']:.2f}–", f"{found['low']:.2f} to "))
    every = every_metric_table(inputs, "image")
    titles = [title for title, _ in every.rows]
    assert len(titles) == len(set(titles)) > 15
    assert titles[0] == SUMMARY["accuracy"]
    assert "sensitivity, torn" in titles


def test_a_difference_is_the_second_model_minus_the_first():
    inputs = draw_comparison()
    table = difference_table(inputs, "image")
    ((name, cells),) = table.rows
    assert name == "transfer − scratch"
    by_hand = [entry_of(inputs, "image", model, "auroc")["value"] for model in ("transfer", "scratch")]
    assert cells[0][0] == f"{by_hand[0] - by_hand[1]:+.2f}"
    assert len(every_difference_table(inputs, "image").rows) == len(every_metric_table(inputs, "image").rows)


def test_three_models_are_three_pairs():
    inputs = draw_comparison(("scratch", "transfer", "baseline"))
    table = difference_table(inputs, "image")
    assert [name for name, _ in table.rows] == ["transfer − scratch", "baseline − scratch", "baseline − transfer"]
    assert len(table_of_tests(inputs, "image").groups) == 3


def test_a_difference_has_its_sign_its_interval_and_its_p():
    assert difference_cell(entry(0.2, 0.1, 0.3, p=0.00001)) == ("+0.20", ["+0.10 to +0.30", "p < 0.001"])
    assert difference_cell(entry(-12.34, -20.0, 1.0, p=0.2, unit="mm")) == ("-12.3", ["-20.0 to +1.0", "p = 0.200"])
    assert difference_cell(entry(None, p=None)) == ("–", [])
    assert difference_cell(entry(0.2)) == ("+0.20", [])


def test_a_difference_has_the_decimals_of_its_cases():
    assert difference_cell(entry(0.2, 0.12, 0.3, n=10)) == ("+0.20", ["+0.12 to +0.30"])
    assert difference_cell(entry(0.2, 0.1, 0.3, n=101)) == ("+0.200", ["+0.100 to +0.300"])
    assert difference_cell(entry(-0.001, -0.004, 0.3)) == ("+0.00", ["+0.00 to +0.30"])


def test_tests_stand_with_p_before_and_after_correction():
    ((name, rows),) = table_of_tests(WON, "image").groups
    assert name == "transfer − scratch"
    assert rows == [
        (
            "AUROC: Obuchowski (clustered DeLong)",
            [("2.51", []), ("90", ["30 patients"]), ("0.012", []), ("0.024", [])],
        )
    ]
    assert sources(WON) == [("Obuchowski (clustered DeLong)", "Obuchowski, Biometrics 53 (1997)")]


def test_a_test_that_could_not_be_made_says_why():
    found = one_test(None, None, why="one patient alone has the class")
    inputs = by_hand(entry(0.7), entry(0.8), pair(entry(0.1), tests=[{**found, "statistic": None}]))
    (((_, cells),),) = [rows for _, rows in table_of_tests(inputs, "image").groups]
    assert cells[0] == ("–", [])
    assert cells[2] == ("–", ["one patient alone has the class"])
    assert cells[3] == ("–", [])


def test_mcnemar_tells_its_mid_p():
    found = {**one_test(), "test": "mcnemar", "metric": "accuracy", "p_mid": 0.0061}
    inputs = by_hand(entry(0.7), entry(0.8), pair(entry(0.1), tests=[found]))
    (((title, cells),),) = [rows for _, rows in table_of_tests(inputs, "image").groups]
    assert title == "accuracy: McNemar"
    assert cells[2] == ("0.012", ["mid-p 0.006"])


def test_without_tests_there_is_no_table():
    inputs = by_hand(entry(0.7), entry(0.8), pair(entry(0.1)))
    assert table_of_tests(inputs, "image") is None
    assert needed_table(inputs, "image") is None
    assert sources(inputs) == []


def test_patients_that_would_settle_it():
    table = needed_table(UNDECIDED, "image")
    ((name, ((metric, cells),)),) = table.groups
    assert (name, metric) == ("transfer − scratch", "AUROC")
    assert cells == [("-0.02", ["-0.10 to +0.06"]), ("30", []), ("1,234", [])]
    assert "80%" in table.notes[0]
    assert "0.05" in table.notes[0]


def test_patients_that_nobody_can_tell():
    needed = {"auroc": {"patients": None, "power": 0.8, "alpha": 0.05, "difference": 0.0, "why": "no difference"}}
    inputs = by_hand(entry(0.7), entry(0.7), pair(entry(0.0), needed=needed))
    ((_, ((_, cells),)),) = needed_table(inputs, "image").groups
    assert cells[-1] == ("–", ["no difference"])


def test_only_settings_that_differ_are_told_and_no_folder():
    models = [ModelFacts(name=name, experiment=experiment(name), runs=[]) for name in ("scratch", "transfer")]
    table = setting_table(models)
    rows = {name: [value for value, _ in cells] for name, cells in table.rows}
    assert rows == {
        "data.image_size": ["96", "224"],
        "model.backbone": ["vgg_small", "resnet18"],
        "model.pretrained": ["false", "net.safetensors"],
    }
    assert setting_table([models[0], models[0]]) is None


def test_a_setting_that_one_experiment_does_not_have_is_a_dash():
    models = [ModelFacts(name=name, experiment=experiment(name), runs=[]) for name in ("scratch", "baseline")]
    rows = {name: [value for value, _ in cells] for name, cells in setting_table(models).rows}
    assert rows["model.backbone"] == ["vgg_small", "–"]
    assert rows["model.features"] == ["–", "['edges', 'hog']"]


def test_counts_by_class():
    table = count_table(draw_comparison())
    assert table.rows == [("whole", [("30", []), ("10", [])]), ("torn", [("30", []), ("10", [])])]
    unknown = count_table(draw_comparison(counts={"a": (1234, None)}))
    assert (unknown.heads, unknown.rows) == (["class", "images"], [("a", [("1,234", [])])])
    assert count_table(draw_comparison(counts={})) is None


def test_words():
    assert metric_title("dice_bone") == "Dice, bone"
    assert metric_title("f1_torn") == "F1, torn"
    assert metric_title("hd95", {"unit": "mm"}) == "Hausdorff distance HD95 (mm)"
    assert case_text({"n": 1, "patients": 1}, "image") == "1 image"
    assert case_text({"n": 1200, "patients": 30}, "study") == "1,200 studies of 30 patients"
    assert name_of_test({"test": "some_other"}) == "some other"
    assert value_line(entry(0.9, 0.8, 0.95)) == "0.90 [0.80–0.95]"
    assert value_line(entry(0.9, 0.8, 0.95, n=101)) == "0.900 [0.800–0.950]"
    assert value_line(entry(0.9)) == "0.90"
