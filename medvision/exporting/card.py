"""The model card of an exported folder: Markdown with the head in YAML that the Hugging Face Hub reads.

Head after https://huggingface.co/docs/hub/model-cards; text after M. Mitchell et al., Model Cards for Model Reporting,
FAT* 2019.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from medvision import DISTRIBUTION
from medvision.answering.model_info import ModelInfo
from medvision.evaluation.mask_text import MASK_SUMMARY, measure_digits, title_with_unit
from medvision.evaluation.text import SUMMARY, interval_text, value_text
from medvision.exporting.description import RESEARCH_ONLY, SIMULATED
from medvision.reports.inputs import SPLITS
from medvision.reports.model_card import limits, model_card
from medvision.reports.run_report import read_report_inputs
from medvision.runs import RunFolder, replace_text

# Subgroups are left out: a group of one, such as an age, may tell of a person.
UNTOLD = ("Subgroups", "Limits")
NOT_ASKED = "Subgroups such as sex, age, device or site are not told of here."
# Underscores within a word mean nothing, and a link would keep the backslash.
_MARKDOWN = re.compile(r"([\\`*{}\[\]<>|#~$]|(?<!\w)_|_(?!\w))")


def write_card(path: Path, run: RunFolder, info: ModelInfo, config: Mapping[str, Any]) -> None:
    """Write the card of a run.

    Args:
        path: of the file.
        run: that was evaluated.
        info: of the run.
        config: what stands in `config.json` beside it.

    Raises:
        RunError: the run was not evaluated yet.
    """
    replace_text(path, card_text(run, info, config))


def card_text(run: RunFolder, info: ModelInfo, config: Mapping[str, Any]) -> str:
    """The card; see `write_card`."""
    inputs = replace(read_report_inputs(run), subgroups={})
    parts = [
        f"---\n{yaml.safe_dump(_head(info, config), sort_keys=False, allow_unicode=True)}---",
        f"# {plain(info.name)}",
    ]
    parts += [f"**{RESEARCH_ONLY}**", *([f"**{SIMULATED}**"] if info.simulated else [])]
    for section in model_card(inputs):
        if section["title"] not in UNTOLD:
            parts += [f"## {section['title']}", *(plain(text) for text in section["text"])]
    parts += _results(info)
    without = [text for text in limits(inputs) if not text.startswith("Sex, age")]
    parts += ["## Limits", *(f"- {plain(text)}" for text in [*without, NOT_ASKED])]
    parts += _loading(info, config)
    parts += ["## Licence", *_licence(info)]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    r"""Text in one line whose every character Markdown shows as it is.

    >>> print(plain("a_b *c* <b>|"))
    a_b \*c\* \<b\>\|
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _head(info: ModelInfo, config: Mapping[str, Any]) -> dict[str, Any]:
    tags = ["medical-imaging", "research-only", "medvision", info.task]
    return {
        "library_name": "timm" if "model_args" in config else "medvision",
        "pipeline_tag": "image-segmentation" if info.mask_classes else "image-classification",
        # Data and weights may have different ones, and the weights' is for their owner to choose.
        "license": "other",
        "license_name": "not-chosen-yet",
        "tags": [*tags, "simulated-data"] if info.simulated else tags,
    }


def _results(info: ModelInfo) -> list[str]:
    """A table a split of the means over classes, with 95 % intervals over patients."""
    parts = []
    for split, title in SPLITS.items():
        levels = info.metrics.get(split, {})
        rows = _rows(levels)
        if rows:
            head = f"| metric | {' | '.join(f'per {level}' for level in levels)} |\n|{' --- |' * (len(levels) + 1)}"
            parts += [f"### {title} split, with 95 % intervals", "\n".join([head, *rows])]
    return ["## Results", *parts] if parts else []


def _rows(levels: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = []
    for name, title in {**SUMMARY, **MASK_SUMMARY}.items():
        found = [entries.get(name) for entries in levels.values()]
        known = next((entry for entry in found if entry is not None), None)
        if known is not None:
            cells = ["" if entry is None else _cell(entry) for entry in found]
            rows.append(f"| {title_with_unit(title, known)} | {' | '.join(cells)} |")
    return rows


def _cell(entry: Mapping[str, Any]) -> str:
    digits = measure_digits(entry) if "unit" in entry else 3
    interval = interval_text(entry, digits)
    return value_text(entry, digits) + (f" ({interval})" if interval else "")


def _loading(info: ModelInfo, config: Mapping[str, Any]) -> list[str]:
    told = [
        "## How to load",
        "With preparation, calibration, thresholds and warnings of unlike images:",
        f"```sh\npip install {DISTRIBUTION}\npython -m medvision.predict FOLDER image.png\n```",
    ]
    outputs = "sigmoid" if info.multilabel else "softmax"
    seen = (
        f"It expects images of {config['pretrained_cfg']['input_size']} (channels, height, width), resized by "
        f"`{info.resize}`, divided by 255, less `mean`, by `std` of `config.json`"
    )
    if "model_args" in config:
        told += [
            "The bare network with timm alone; probabilities are then uncalibrated:",
            '```python\nimport timm\n\nnetwork = timm.create_model("local-dir:FOLDER", pretrained=True).eval()\n```',
            f"{seen}, and gives logits: of {outputs} after division by {info.decision['temperature']:.6g}.",
        ]
    elif "smp" in config:
        told += [
            "The bare network with segmentation-models-pytorch alone:",
            "```python\nimport json\n\nimport safetensors.torch\nimport segmentation_models_pytorch as smp\n\n"
            'config = json.load(open("FOLDER/config.json"))\nnetwork = smp.create_model(**config["smp"]).eval()\n'
            'network.load_state_dict(safetensors.torch.load_file("FOLDER/model.safetensors"))\n```',
            f"{seen}, and gives logits of each pixel.",
        ]
    return told


def _licence(info: ModelInfo) -> list[str]:
    known = plain(info.licence) or "not known"
    cited = [f"Citation of the data: {plain(info.citation)}"] if info.citation else []
    drawn = " (of the images that the simulated ones stand for)" if info.simulated else ""
    return [
        "Whoever hands on these weights chooses their licence, within that of the data: change `license` above.",
        f"Licence of the data: {known}{drawn}.",
        *cited,
    ]
