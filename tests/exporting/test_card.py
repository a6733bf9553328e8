import re

import pytest
import yaml
from markdown_it import MarkdownIt

from medvision.errors import RunError
from medvision.exporting.card import card_text, plain, write_card
from medvision.exporting.description import RESEARCH_ONLY, SIMULATED
from medvision.runs import read_json, read_table, write_json
from tests.answering.infos import info
from tests.reports.conftest import binary, draw_mask_run, draw_run  # noqa: F401 - fixtures

FORM = {"pretrained_cfg": {"input_size": [1, 224, 224]}}
TIMM, SMP = {**FORM, "model_args": {}}, {**FORM, "smp": {}}
HOSTILE = "<script>alert(1)</script> | [x](javascript:y) ![](https://a.example/p.png) `c` *d* _e_"


def about(run, **changes):
    scores = read_json(run.metrics)
    return info(metrics={split: scores[split] for split in ("val", "test")}, **{"simulated": False, **changes})


def head(text):
    return yaml.safe_load(text.split("---\n")[1])


def sections(text):
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def test_the_head_is_what_the_hub_reads(draw_run):  # noqa: F811
    run = draw_run()
    text = card_text(run, about(run), TIMM)
    assert text.startswith("---\n")
    assert head(text) == {
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "license": "other",
        "license_name": "not-chosen-yet",
        "tags": ["medical-imaging", "research-only", "medvision", "classification"],
    }


def test_it_says_what_a_reader_must_know(binary):  # noqa: F811
    text = card_text(binary, about(binary, name="torn_knees", licence="CC BY 4.0", citation="Doe, 2020"), TIMM)
    assert f"# torn_knees\n\n**{RESEARCH_ONLY}**" in text
    assert SIMULATED not in text
    expected = ["Intended use", "Model", "Data", "Performance", "Operating point", "Calibration", "How to cite"]
    assert sections(text) == [*expected, "Results", "Limits", "How to load", "Licence"]
    assert "Licence of the data: CC BY 4.0." in text
    assert "Citation of the data: Doe, 2020" in text
    assert 'timm.create_model("local-dir:FOLDER", pretrained=True)' in text


def test_simulated_is_said_at_once(draw_run):  # noqa: F811
    run = draw_run()
    text = card_text(run, about(run, simulated=True), FORM)
    assert head(text)["tags"][-1] == "simulated-data"
    assert text.index(SIMULATED) < text.index("## ")
    assert head(text)["library_name"] == "medvision"


@pytest.mark.parametrize("labels", [False, True])
def test_masks_have_their_scores_and_units(draw_mask_run, labels):  # noqa: F811
    run = draw_mask_run(labels=labels)
    says = ("probabilities", "mask_probabilities") if labels else ("mask_probabilities",)
    scores = read_json(run.metrics)
    text = card_text(run, info(says, metrics=scores), SMP)
    assert head(text)["pipeline_tag"] == "image-segmentation"
    dice = scores["test"]["image"]["dice"]["value"]
    assert f"| Dice | {dice:.2f} (" in text
    assert "(mm) |" in text
    assert ("| accuracy |" in text) == labels
    assert "smp.create_model(**config" in text


def test_a_table_has_the_metrics_with_their_intervals(draw_run):  # noqa: F811
    run = draw_run()
    scores = read_json(run.metrics)
    entry = {"value": 0.91234, "low": 0.8, "high": 0.95, "n": 40, "patients": 20}
    scores["test"] = {
        "image": {**scores["test"]["image"], "accuracy": entry, "auroc": {**entry, "low": None, "high": None}},
        "patient": {"accuracy": {**entry, "n": 400}},
    }
    text = card_text(run, info(metrics=scores), TIMM)
    table = text.partition("### Test split, with 95 % intervals\n\n")[2].partition("\n\n")[0].splitlines()
    assert table[:3] == [
        "| metric | per image | per patient |",
        "| --- | --- | --- |",
        "| accuracy | 0.91 (0.80–0.95) | 0.912 (0.800–0.950) |",
    ]
    assert "| AUROC | 0.91 |  |" in table
    assert "### Training" not in text


def test_no_patient_no_file_and_no_small_group_is_told(binary):  # noqa: F811
    groups = [{"column": "age", "left_out": [{"name": "97 years", "n": 1}], "groups": [], "unknown": None}]
    levels = {"image": groups}
    write_json(binary.subgroups, {"test": levels, "val": levels})
    binary.experiment.write_text(
        binary.experiment.read_text().replace("root: data/knee_sections", "root: /home/ann/secret")
    )
    text = card_text(binary, about(binary), TIMM)
    for secret in ("97 years", "ann", "secret", "[0-9].png", *read_table(binary.split)["patient"]):
        assert not re.search(rf"\b{secret}\b", text), secret


def test_names_are_text_and_nothing_else(draw_run):  # noqa: F811
    run = draw_run(("no", HOSTILE))
    run.experiment.write_text(run.experiment.read_text() + f"question: {HOSTILE!r}\n")
    text = card_text(run, about(run, classes=("no", HOSTILE), question=HOSTILE, licence=HOSTILE), TIMM)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text.split("---\n", 2)[2])
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert "<em>" not in page
    assert "&lt;script&gt;" in page


def test_plain_text_reads_as_it_was_written():
    for text in ("a_b c_d", HOSTILE, "1 < 2 & 3 > 2", "# no title", "\\ backslash", "$x$ ~y~"):
        shown = MarkdownIt("commonmark", {"html": True}).render(plain(text))
        told = shown.removeprefix("<p>").removesuffix("</p>\n")
        for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
            told = told.replace(name, sign)
        assert told == text
    assert plain("https://a.example/b_c") == "https://a.example/b_c", "a link stays one"
    assert plain("two\nlines") == "two lines"


def test_a_run_that_was_not_evaluated_is_one_line(draw_run, tmp_path):  # noqa: F811
    run = draw_run()
    run.predictions.unlink()
    with pytest.raises(RunError, match="predictions.csv: not there"):
        write_card(tmp_path / "README.md", run, info(), TIMM)
    assert not (tmp_path / "README.md").exists()
