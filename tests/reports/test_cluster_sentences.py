"""What is said of clusters, for every way in which it can turn out."""

import pytest

from medvision.reports.cluster_sentences import (
    answer_sentences,
    banner_sentence,
    method_sentences,
    network_text,
    patient_sentence,
    probe_sentences,
    terminal_text,
)
from tests.reports.clustered import clustered


def entry(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def part(patient_gap=(0.2, 0.1, 0.3), class_gap=(0.4, 0.3, 0.5), rand=(0.5, 0.4, 0.6), **changes):
    metrics = {
        "adjusted_rand": entry(*rand),
        "same_patient": entry(0.9),
        "same_class": entry(0.7),
        "other_class": entry(0.3),
        "patient_gap": entry(*patient_gap),
        "class_gap": entry(*class_gap),
    }
    return {"n": 50, "patients": 8, "metrics": {**metrics, **changes}}


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ({}, ["The clusters follow patients beyond their classes: 90% of", "70% of those of two patients"]),
        (
            {},
            ["(difference +0.20, 95 % interval 0.10 to 0.30)", "Across patients they follow classes", "30% are in one"],
        ),
        ({"patient_gap": (0.2, -0.1, 0.5)}, ["That clusters follow patients is not shown: 90%"]),
        ({"patient_gap": (0.2, None, None)}, ["That clusters follow patients is not shown", "(no interval)"]),
        ({"patient_gap": (-0.2, -0.3, -0.1)}, ["Images of one patient are more apart than those of two"]),
        ({"class_gap": (0.4, 0.0, 0.5)}, ["That they follow classes across patients is not shown"]),
        ({"class_gap": (0.4, None, None)}, ["That they follow classes across patients is not shown"]),
        ({"same_patient": entry(None)}, ["No patient is known to have several images"]),
        ({"same_class": entry(None)}, ["No two patients have the same class"]),
    ],
)
def test_whether_clusters_are_patients(gaps, said):
    text = patient_sentence(part(**gaps))
    assert all(words in text for words in said), text


def test_one_class_says_nothing_of_classes():
    text = patient_sentence(part(class_gap=(None, None, None)))
    assert "Across patients" not in text
    assert "across patients" not in text


def test_the_answer_is_that_of_the_test_split():
    found = {"k": 3, "scores": {"train": part(rand=(0.9, 0.8, 1.0)), "test": part()}}
    first, second = answer_sentences(found)
    assert first.startswith("On 50 images of 8 patients of the test split: 3 clusters agree with the classes")
    assert "0.50 (95 % interval 0.40 to 0.60)" in first
    assert second == patient_sentence(part())
    (alone,) = answer_sentences({"k": 3, "scores": {"all": {"n": 5, "patients": 5}}})
    assert alone == "On 5 images: 3 clusters. The images have no labels to compare them with."
    assert "cannot be compared" in answer_sentences({"k": 3, "scores": {"all": part(rand=(None, None, None))}})[0]


def test_few_images_have_two_decimals():
    few = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    scored = part()
    scored["metrics"] |= {"adjusted_rand": few, "patient_gap": few}
    first, second = answer_sentences({"k": 3, "scores": {"all": scored}})
    assert "Rand index of 0.50 (95 % interval 0.40 to 0.60);" in first
    assert "(difference +0.50, 95 % interval 0.40 to 0.60)" in second


def test_the_banner_names_what_was_trained_on():
    assert banner_sentence({"scores": {"all": part()}}) == ""
    text = banner_sentence({"scores": {"train": part(), "val": part()}})
    assert "50 images of the training split and the validation split chose its weights" in text
    assert "validation" not in banner_sentence({"scores": {"train": part()}})


@pytest.mark.parametrize(
    ("run", "weights", "said"),
    [
        ("20260101", True, "resnet18 as trained in the run 20260101"),
        (None, True, "resnet18, frozen, with published weights"),
        (None, "some.safetensors", "resnet18, frozen, with the weights some.safetensors"),
        (None, False, "resnet18 with random weights"),
    ],
)
def test_the_network_is_named(run, weights, said):
    assert network_text({"run": run, "network": {"name": "resnet18", "weights": weights}}).startswith(said)


def test_the_method_tells_how_it_was_made(tmp_path):
    _, found, _ = clustered(tmp_path / "one")
    text = " ".join(method_sentences(found))
    assert "8 features of each image come from resnet18, frozen" in text
    assert "largest mean silhouette" in text
    assert f"{found['map_explained']:.0%} of the variance" in text
    assert "UMAP" not in text
    assert "UMAP" in " ".join(method_sentences({**found, "map_explained": None}))
    given = {**found, "chosen_by": "given"}
    assert "was given" in " ".join(method_sentences(given))


def test_how_the_probes_were_asked(tmp_path):
    _, found, _ = clustered(tmp_path / "two")
    assert "4 folds" in probe_sentences(found)[0]
    assert "training split of the run" in probe_sentences({**found, "run": "r"})[0]
    one = {**found, "probes": {**found["probes"], "folds": 1}}
    assert "of the fold of the experiment" in probe_sentences(one)[0]


def test_the_terminal_reads_the_same_numbers(tmp_path):
    _, found, _ = clustered(tmp_path / "three")
    text = terminal_text(found)
    assert max(map(len, text.splitlines())) <= 100
    entries = found["probes"]["metrics"]["linear_probe"]["image"]
    assert f"AUROC {entries['auroc']['value']:.2f}" in text
    assert f"balanced accuracy {entries['balanced_accuracy']['value']:.2f}" in text
    _, bare, _ = clustered(tmp_path / "four", labels=False)
    assert "No probe was asked" in terminal_text(bare)
