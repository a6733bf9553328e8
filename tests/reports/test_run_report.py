import json
import re

import pandas as pd
import pytest

from medvision.errors import RunError
from medvision.reports.run_report import read_report_inputs, write_report
from tests.reports.evaluated import complete


def page_of(run):
    write_report(run)
    return run.report.read_text()


def test_a_report_is_one_file_that_tells_everything(draw_run):
    run = draw_run(("SQR", "Medial", "Lateral"))
    page = page_of(run)
    test = json.loads(run.metrics.read_text())["test"]["image"]
    for text in (
        "SIMULATED",
        "Research use only. Not for clinical use: ",
        " of the test split, all of them simulated: AUROC",
        "Which of SQR, Medial and Lateral does an image show?",
        f"AUROC {test['auroc']['value']:.2f} (95 % interval {test['auroc']['low']:.2f} to {test['auroc']['high']:.2f})",
        "of 100 patients, 0 are in more than one split",
        "No file has an identical copy in another split",
        "Somebody et al. 2025",
        "Licence: CC BY 4.0.",
        "backbone: vgg_small",
        "1,234,567",
        "data:image/jpeg;base64,",
        "By class, per image",
    ):
        assert text in page, text
    assert not re.search(r'(src|href)="http', page)
    assert page.count("<svg ") == 5
    names = {file.name for file in run.figures.iterdir()}
    assert names == {
        "confusion_matrix_image.svg",
        "confusion_matrix_patient.svg",
        "history_learning_rate.svg",
        "history_loss.svg",
        "history_metrics.svg",
        "training_batch.png",
    }
    assert len(page) < 450_000


def test_the_evaluated_epoch_is_the_best_of_the_monitored_metric(draw_run):
    run = draw_run()
    best = int(pd.read_csv(run.history)["val/f1"].idxmax())
    assert f"Evaluated: the weights of epoch {best + 1} of 14." in page_of(run)


def test_studies_have_their_tables_and_answer_first(draw_run):
    run = draw_run(("no", "yes"), study=True)
    page = page_of(run)
    assert re.search(r'class="answer">On \d+ studies of the test split, all of them simulated', page)
    assert "By class, per study" in page
    assert (run.figures / "confusion_matrix_study.svg").is_file()


def test_a_torn_split_is_counted_not_believed(draw_run):
    run = draw_run(simulated=False)
    split = pd.read_csv(run.split)
    split.loc[split["patient"] == "p0", "split"] = ["train", "train", "val", "test"]
    split.loc[7, "sha256"] = split["sha256"][split["split"] != split["split"][7]].iloc[0]
    split.to_csv(run.split, index=False)
    page = page_of(run)
    assert "1 patients stand in more than one split" in page
    assert "1 files have an identical copy in another split" in page
    assert "SIMULATED" not in page


def test_a_split_by_image_says_whose_images_are_torn(draw_run):
    run = draw_run()
    split = pd.read_csv(run.split)
    split["group"] = split["image"]
    split.loc[0, "split"] = "train" if split["split"][0] != "train" else "test"
    split.to_csv(run.split, index=False)
    run.experiment.write_text(run.experiment.read_text().replace("group: patient", "group: image"))
    assert "1 patients stand in more than one split: the experiment asked for a split by image" in page_of(run)
    split.drop(columns="patient").to_csv(run.split, index=False)
    page = page_of(run)
    assert "The patients are not known" in page
    assert "bootstrap over images" in page


def test_a_validation_result_is_called_optimistic(draw_run):
    run = draw_run()
    metrics = json.loads(run.metrics.read_text())
    run.metrics.write_text(json.dumps({"val": metrics["val"]}))
    assert "This split chose the weights: expect less on new patients." in page_of(run)


def test_names_of_classes_are_escaped(draw_run):
    page = page_of(draw_run(("a & b", "<script>alert(1)</script>")))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_what_is_absent_is_left_out(draw_run):
    run = draw_run()
    run.history.unlink()
    run.training_batch.unlink()
    page = page_of(run)
    assert "history_loss" not in page
    assert "data:image" not in page
    assert read_report_inputs(run).history is None


def test_a_run_that_was_not_evaluated_is_an_error(draw_run):
    run = draw_run()
    run.metrics.unlink()
    with pytest.raises(RunError, match="metrics.json"):
        write_report(run)


def test_labels_have_a_report(draw_run):
    from medvision.evaluation.metrics import classification_metrics

    run = draw_run()
    environment = json.loads(run.environment.read_text())
    environment["data"]["multilabel"] = True
    run.environment.write_text(json.dumps(environment))
    predictions = pd.read_csv(run.predictions)
    rows = predictions[predictions["split"] == "test"]
    metrics = {"test": classification_metrics(rows, environment["data"]["classes"], multilabel=True, resamples=10)}
    run.metrics.write_text(json.dumps(metrics))
    page = page_of(run)
    assert "sensitivity (mean)" in page
    assert "Confusion matrix" not in page


def test_a_segmentation_has_its_own_half(draw_mask_run):
    run = draw_mask_run()
    page = page_of(run)
    test = json.loads(run.metrics.read_text())["test"]["image"]
    dice, distance = test["dice"], test["hd95"]
    for text in (
        "SIMULATED",
        f"Dice {dice['value']:.2f} (95 % interval {dice['low']:.2f} to {dice['high']:.2f})",
        f"95th-percentile Hausdorff distance {distance['value']:.2f} mm (95 % interval",
        "; 1 infinite left out).",
        "unet with resnet18 on tissue_ultrasound",
        '<th scope="row">patients</th>',
        "By class, per image",
        "(mm²)",
        "1 infinite",
        "Best, median and worst images by mean Dice (simulated).",
        "How the masks formed",
    ):
        assert text in page, text
    for text in ("Confusion matrix", "ROC curves", "AUROC", '<th scope="col">class</th><th scope="col">train'):
        assert text not in page, text
    # The panels and the still of the animation.
    assert page.count("data:image/jpeg;base64,") == 2
    assert page.count("data:image/webp;base64,") == 1
    assert not re.search(r'(src|href)="http', page)
    names = {file.name for file in run.figures.iterdir()}
    assert names == {
        "dice.svg",
        "hd95.svg",
        "history_learning_rate.svg",
        "history_loss.svg",
        "history_metrics.svg",
        "panels.png",
        "training.gif",
        "training.webp",
    }


def test_labels_and_masks_together_have_both_halves(draw_mask_run):
    page = page_of(draw_mask_run(labels=True, unit="px", simulated=False))
    assert "SIMULATED: the images" not in page
    assert page.count("<caption>Labels by class, per image") == page.count("<caption>Masks by class, per image") == 2
    assert re.search(r'class="answer">On 48 images of 12 patients of the test split: AUROC .*; Dice .* px \(95', page)
    for text in ("Confusion matrix, per image", "Dice over images", '<th scope="row">sick</th>'):
        assert text in page, text
    named = re.findall(r'aria-label="([^"]*)"', page)
    assert len(named) == len(set(named))


def test_pictures_that_are_not_there_are_left_out(draw_mask_run):
    run = draw_mask_run()
    for file in (run.panels, run.animation_webp):
        file.unlink()
    page = page_of(run)
    assert "data:image/gif;base64," in page
    assert "Best, median and worst" not in page
    run.animation_gif.unlink()
    assert "data:image" not in page_of(run)


def test_a_segmentation_split_by_image_counts_patients_too(draw_mask_run):
    run = draw_mask_run()
    run.experiment.write_text(run.experiment.read_text().replace("group: patient", "group: image"))
    assert '<th scope="row">patients</th><td>4</td><td>2</td><td>12</td>' in page_of(run)


def test_a_run_from_before_there_were_masks_is_still_read(draw_run):
    run = draw_run()
    assert "mask_classes" not in json.loads(run.environment.read_text())["data"]
    inputs = read_report_inputs(run)
    assert (inputs.mask_classes, inputs.panels, list(inputs.animations)) == ([], None, [])
    assert (inputs.decision, inputs.curves, inputs.subgroups, list(inputs.cases)) == (None, {}, {}, [])


def test_the_files_of_an_evaluation_are_read(draw_run):
    run = complete(draw_run(("no", "yes")), rule="f1")
    inputs = read_report_inputs(run)
    assert inputs.decision["rule"] == "f1"
    assert set(inputs.curves["test"]) == set(inputs.subgroups["test"]) == {"image", "patient"}
    assert all(case["picture"].is_file() and case["map"].is_file() for case in inputs.cases)
    inputs.cases[0]["map"].unlink()
    assert read_report_inputs(run).cases[0]["map"] is None


def test_patients_with_a_class_are_counted_where_an_older_run_has_not(draw_run):
    run = draw_run()
    metrics = json.loads(run.metrics.read_text())
    counted = [entries["confusion_matrix"].pop("class_patients") for entries in metrics["test"].values()]
    run.metrics.write_text(json.dumps(metrics))
    found = read_report_inputs(run).metrics["test"]
    assert [entries["confusion_matrix"]["class_patients"] for entries in found.values()] == counted


def validated(run):
    """The run as a trial of a sweep leaves it: nothing of the test split was predicted."""
    for path in (run.metrics, run.curves, run.subgroups):
        kept = json.loads(path.read_text())
        path.write_text(json.dumps({"val": kept.get("val", kept.get("test"))}))
    predictions = pd.read_csv(run.predictions)
    predictions[predictions["split"] == "val"].to_csv(run.predictions, index=False)
    cases = [{**case, "split": "val"} for case in json.loads(run.cases.read_text())]
    run.cases.write_text(json.dumps(cases))
    return run


def test_validation_alone_is_never_called_a_test(draw_run):
    page = page_of(validated(complete(draw_run(("no", "yes"), study=True), rule="youden")))
    assert "Validation results alone: the test split was not evaluated." in page
    assert re.search(r'class="answer">On \d+ studies of the validation split', page)
    assert "of the test split" not in page
    assert "Metrics, validation split" in page
    assert "Metrics, test split" not in page


def test_a_winner_says_so_at_its_head_in_its_card_and_in_the_checklists(draw_run):
    run = draw_run()
    selection = {"sweep": "knee_lr", "metric": "val/f1", "goal": "maximize", "trials": 24, "value": 0.87}
    run.selection.write_text(json.dumps(selection))
    inputs = read_report_inputs(run)
    assert inputs.selection == selection
    page = page_of(run)
    sentence = "Its settings were chosen among 24 trials of the sweep knee_lr for the highest val/f1 (0.870)."
    assert sentence in page.partition("<nav")[0]
    # Head, model card, CLAIM 26 and TRIPOD 12c.
    assert page.count(sentence) == 4
    assert "whether settings were tuned in other runs" not in page
    run.selection.unlink()
    assert "whether settings were tuned in other runs" in page_of(run)
