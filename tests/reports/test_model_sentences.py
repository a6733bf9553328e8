import pytest

from medvision.reports.inputs import FoldInputs, FoldPart
from medvision.reports.model_sentences import (
    code_sentence,
    combination_sentence,
    imbalance_sentence,
    input_sentence,
    network_sentence,
    output_sentence,
    selection_sentence,
    software_sentence,
    start_sentence,
    sweep_sentence,
    training_sentence,
)
from tests.reports.told import (
    DECISION,
    ENVIRONMENT,
    EXPERIMENT,
    LABELS,
    SELECTION,
    change_experiment,
    draw_inputs,
    draw_mask_inputs,
)


def test_the_network_has_its_name_and_size():
    said = network_sentence(draw_inputs())
    assert said == "Deep learning: the neural network vgg_small with 1,234,567 parameters, for classification."
    assert "unet with resnet18" in network_sentence(draw_mask_inputs())
    assert "parameters" not in network_sentence(draw_inputs(environment={}))


@pytest.mark.parametrize(
    ("resize", "text"),
    [
        ("letterbox", "aspect ratio kept"),
        ("stretch", "stretched to"),
        ("crop", "central square"),
        ("none", "windows of"),
    ],
)
def test_an_image_is_prepared_as_the_experiment_says(resize, text):
    said = input_sentence(draw_inputs(experiment=change_experiment("data", resize=resize)))
    assert text in said
    assert "224 × 224 pixels" in said
    assert "as grey images" in said


def test_what_is_not_known_of_the_input_is_not_told():
    bare = {**EXPERIMENT, "data": {"name": "tendons", "image_size": 224}}
    assert input_sentence(draw_inputs(experiment=bare, environment={})) is None


def test_the_output_is_of_labels_of_masks_or_of_both():
    labels = "for every image the probabilities of whole and torn, of which exactly one is there"
    assert output_sentence(draw_inputs()) == f"The output is {labels}."
    assert "several may be there" in output_sentence(draw_inputs(multilabel=True))
    masks = "for every pixel one of background and tendon"
    assert output_sentence(draw_mask_inputs()) == f"The output is {masks}."
    assert output_sentence(draw_mask_inputs(classes=["whole", "torn"])) == f"The output is {labels}; {masks}."
    assert "20 classes" in output_sentence(draw_inputs(classes=[f"c{k}" for k in range(20)]))


@pytest.mark.parametrize(
    ("pretrained", "text"),
    [
        (False, "Random weights, seed 7."),
        (True, "Published weights for vgg_small; the output layer is new."),
        (
            "/home/somebody/weights/lite0.safetensors",
            "Weights from the file lite0.safetensors; the output layer is new.",
        ),
        ("C:\\weights\\lite0.pth", "Weights from the file lite0.pth; the output layer is new."),
        (None, None),
    ],
)
def test_the_first_weights_are_told_without_a_path(pretrained, text):
    assert start_sentence(draw_inputs(experiment=change_experiment("model", pretrained=pretrained))) == text


def test_weights_of_an_encoder_are_not_those_of_the_network():
    assert start_sentence(draw_mask_inputs()).startswith("Published weights of the encoder")


def test_training_is_told_in_its_settings():
    assert training_sentence(draw_inputs()) == (
        "In this run one model was trained: adamw, learning rate 0.001, weight decay 0.01; schedule plateau; class "
        "weights balanced; batches of 16; augmentation ultrasound; 14 epochs; early stopping after 10 epochs without "
        "a better val/auroc; 1,234 s on Some CPU."
    )
    bare = {"name": "a", "data": {"name": "tendons"}, "split": {}, "model": {"task": "classification"}}
    said = training_sentence(draw_inputs(experiment=bare, environment={}, history=None))
    assert said == "In this run one model was trained."


def test_the_final_model_is_the_best_of_the_monitored_metric():
    assert selection_sentence(draw_inputs()) == "The weights of the epoch with the highest val/auroc, of 14."
    other = {**EXPERIMENT, "checkpoint": {"monitor": "val/f1"}}
    assert "highest val/f1" in selection_sentence(draw_inputs(experiment=other))
    none = {**EXPERIMENT, "early_stopping": None}
    assert (
        selection_sentence(draw_inputs(experiment=none, history=None))
        == "The weights of the epoch with the lowest val/loss."
    )


def test_predictions_that_are_combined_are_told():
    assert combination_sentence(draw_inputs()) == "One network, no ensemble."
    experiment = {**change_experiment("evaluation", flips=True), "ema": {"decay": 0.999}}
    metrics = {"test": {"image": LABELS, "study": LABELS}}
    said = combination_sentence(draw_inputs(experiment=experiment, metrics=metrics))
    assert "moving average" in said
    assert "mirror image" in said
    assert "The probability of a study is the highest of those of its images." in said
    mean = combination_sentence(draw_inputs(metrics=metrics, decision={**DECISION, "aggregate": "mean"}))
    assert "is the mean of those" in mean
    assert "is the mean of those" in combination_sentence(draw_inputs(metrics=metrics, decision=None))
    windows = change_experiment("data", resize="none")
    assert "overlapping windows" in combination_sentence(draw_inputs(experiment=windows))


def test_rare_classes_are_told_with_their_counts():
    assert imbalance_sentence(draw_inputs()) == (
        "Classes have weights from the training counts in the loss (training images: whole 18, torn 12)."
    )
    nothing = change_experiment("model", class_weights="none")
    assert imbalance_sentence(draw_inputs(experiment=nothing)).startswith("Nothing was done about rare classes (")
    given = change_experiment("model", class_weights=[1.0, 3.0])
    assert "the weights [1.0, 3.0]" in imbalance_sentence(draw_inputs(experiment=given, environment={}))
    assert imbalance_sentence(draw_mask_inputs()) is None


def test_software_and_code_are_those_of_the_environment():
    assert software_sentence(draw_inputs()) == "Python 3.11.7, medvision-lightning 0.1.0, torch 2.15.0."
    assert software_sentence(draw_inputs(environment={})) is None
    assert (
        code_sentence(draw_inputs())
        == "medvision-lightning 0.1.0 (MIT licence), in a folder at git commit 0123456789ab."
    )
    changed = {**ENVIRONMENT, "git_changes": True}
    assert "with changes that are not in it" in code_sentence(draw_inputs(environment=changed))
    none = {**ENVIRONMENT, "git_commit": None}
    assert code_sentence(draw_inputs(environment=none)) == "medvision-lightning 0.1.0 (MIT licence)."
    assert code_sentence(draw_inputs(environment={})) is None


def test_a_winner_says_among_how_many_it_was_chosen():
    # 12 validation images support two decimals.
    assert sweep_sentence(draw_inputs(selection=SELECTION)) == (
        "Its settings were chosen among 24 trials of the sweep tendon_lr for the highest val/auroc (0.91). The test "
        "split had no part in that choice and was scored after it."
    )
    loss = {**SELECTION, "metric": "val/loss", "goal": "minimize"}
    assert "for the lowest val/loss (0.912)." in sweep_sentence(draw_inputs(selection=loss))
    assert sweep_sentence(draw_inputs()) is None


def test_a_winner_that_was_not_tested_does_not_speak_of_a_test():
    told = sweep_sentence(draw_inputs(selection=SELECTION, metrics={"val": {"image": LABELS}}))
    assert told == "Its settings were chosen among 24 trials of the sweep tendon_lr for the highest val/auroc (0.91)."


def test_a_choice_over_folds_has_seen_every_patient():
    folds = FoldInputs(parts=[FoldPart(name=f"fold-{k}") for k in range(5)], summary={})
    told = sweep_sentence(draw_inputs(selection=SELECTION, folds=folds))
    assert "a validation patient of one fold is tested in another: the pooled result is a little too good" in told
