"""What a report on clusters says in sentences."""

import textwrap
from collections.abc import Mapping
from typing import Any

from medvision.evaluation.clustering import STARTS
from medvision.evaluation.probes import NEIGHBOURS
from medvision.evaluation.text import SUMMARY, WIDTH, interval_text, supported_digits, value_text
from medvision.reports.cluster_tables import PARTS, PROBES, has_pairs, scored_parts
from medvision.reports.data_sentences import counted

Found = Mapping[str, Any]


def network_text(found: Found) -> str:
    """The network whose features were taken, and what it has learned from."""
    network = found["network"]
    if found["run"] is not None:
        return f"{network['name']} as trained in the run {found['run']}"
    if not network["weights"]:
        return f"{network['name']} with random weights, which have learned from nothing"
    weights = "published weights" if network["weights"] is True else f"the weights {network['weights']}"
    return f"{network['name']}, frozen, with {weights}"


def answer_sentences(found: Found) -> list[str]:
    """How far the clusters are classes, and whether they are patients; of the part that answers."""
    part = scored_parts(found["scores"])[0]
    scored = found["scores"][part]
    of = f" of {counted(scored['patients'], 'patient')}" if scored["patients"] < scored["n"] else ""
    where = f"{counted(scored['n'], 'image')}{of}" + ("" if part == "all" else f" of the {PARTS[part]}")
    if "metrics" not in scored:
        return [f"On {where}: {found['k']} clusters. The images have no labels to compare them with."]
    entry = scored["metrics"]["adjusted_rand"]
    if entry["value"] is None:
        agreement = f"On {where}: {found['k']} clusters, which cannot be compared with a single class."
    else:
        agreement = (
            f"On {where}: {found['k']} clusters agree with the classes to an adjusted Rand index of "
            f"{value_text(entry, 2)}{_interval(entry)}; 0 is chance, 1 is the classes themselves."
        )
    return [agreement, patient_sentence(scored)]


def patient_sentence(scored: Found) -> str:
    """Whether clusters follow patients beyond their classes, and classes beyond patients."""
    if not has_pairs(scored):
        return "No patient is known to have several images: whether the clusters are patients cannot be told."
    metrics = scored["metrics"]
    own, same, other = (metrics[name]["value"] for name in ("same_patient", "same_class", "other_class"))
    if same is None:
        return "No two patients have the same class: whether the clusters are patients cannot be told."
    told = (
        f"{own:.0%} of the pairs of images of one patient and class are in one cluster, and {same:.0%} of those of two "
        "patients with the same class"
    )
    gap = metrics["patient_gap"]
    if gap["low"] is None or gap["low"] <= 0 <= gap["high"]:
        first = "That clusters follow patients is not shown"
    elif gap["low"] > 0:
        first = "The clusters follow patients beyond their classes"
    else:
        first = "Images of one patient are more apart than those of two"
    lines = [f"{first}: {told}{_interval(gap, 'difference ')}."]
    gap = metrics["class_gap"]
    if gap["value"] is not None:
        shown = gap["low"] is not None and gap["low"] > 0
        second = (
            "Across patients they follow classes" if shown else "That they follow classes across patients is not shown"
        )
        apart = f"of the pairs of two patients with different classes {other:.0%} are in one cluster"
        lines.append(f"{second}: {apart}{_interval(gap, 'difference ')}.")
    return " ".join(lines)


def _interval(entry: Found, what: str = "") -> str:
    """The interval in brackets, after the value where `what` it is of is told."""
    if entry["low"] is None:
        return " (no interval)"
    digits = supported_digits(entry, 2)
    ends = f"{entry['low']:.{digits}f} to {entry['high']:.{digits}f}"
    return f" ({what}{entry['value']:+z.{digits}f}, 95 % interval {ends})" if what else f" (95 % interval {ends})"


def banner_sentence(found: Found) -> str:
    """That a network knows the classes of the images it was trained on; empty where it was trained on none."""
    trained = found["scores"].get("train")
    if trained is None:
        return ""
    chosen = " and the validation split chose its weights" if "val" in found["scores"] else ""
    return (
        f"The network has learned the classes of {counted(trained['n'], 'image')} of the training split{chosen}: these "
        "parts are scored apart, and agree better than new patients will."
    )


def method_sentences(found: Found) -> list[str]:
    """How it was made, and what it cannot say."""
    lines = [
        f"{found['features']:,} features of each image come from {network_text(found)}, from before its head, without "
        "augmentation.",
        "They are standardised and brought to the same length in every image, so that only their direction counts, and "
        f"reduced to their {found['dimensions']} widest directions, with {found['explained']:.0%} of the variance.",
        f"K-means is the best of {STARTS} starts on all images of the data set together, with seed {found['seed']}. It "
        "is not told the classes.",
    ]
    if found["chosen_by"] == "silhouette":
        lines.append("The number of clusters is the one with the largest mean silhouette, which looks at no class.")
    else:
        lines.append("The number of clusters was given.")
    value = next(row["silhouette"] for row in found["silhouettes"] if row["k"] == found["k"])
    if value is not None:
        lines.append(f"Their mean silhouette is {value:.2f}: 1 is far apart, 0 is side by side (Rousseeuw 1987).")
    lines += [
        "Intervals are of patients drawn again with the clusters as they are: they say how sure the agreement of these "
        "clusters is, not how other images would change them.",
        "The classes give the clusters their names, in the best way for the accuracy: by chance alone it exceeds "
        "guessing.",
    ]
    if found["map_explained"] is not None:
        lines.append(f"The map shows {found['map_explained']:.0%} of the variance: what overlaps there may be apart.")
    else:
        lines.append(
            "The map is UMAP's (McInnes, Healy and Melville 2018): it keeps neighbours; how far groups are from each "
            "other means nothing."
        )
    seconds = found["seconds"]
    return [
        *lines,
        f"Reading images and features took {seconds['features']:.1f} s, all the rest {seconds['analysis']:.1f} s.",
    ]


def terminal_text(found: Found) -> str:
    """What was found, for the terminal."""
    lines = answer_sentences(found)
    for probe, levels in found["probes"]["metrics"].items():
        level, entries = next(iter(levels.items()))
        metric = "balanced_accuracy" if "balanced_accuracy" in entries else "f1"
        values = ", ".join(
            f"{SUMMARY[name]} {value_text(entries[name])} [{interval_text(entries[name]) or 'no interval'}]"
            for name in ("auroc", metric)
        )
        lines.append(f"{PROBES[probe]}, per {level}: {values}")
    lines += [] if found["probes"]["metrics"] else probe_sentences(found)
    return "\n".join(textwrap.fill(line, WIDTH) for line in lines)


def probe_sentences(found: Found) -> list[str]:
    """How the probes were asked, or why they were not."""
    probes = found["probes"]
    if not probes["metrics"]:
        return [f"No probe was asked: {probes['why']}."]
    if found["run"] is not None:
        where = (
            "The probes learn from the training split of the run and are scored on its test split, as the network was."
        )
    elif probes["folds"] is None or probes["folds"] == 1:
        where = (
            "The probes learn from the training images and are scored on the test images of the fold of the experiment."
        )
    else:
        where = (
            f"The probes are scored on {probes['folds']} folds, those of a cross-validation of the same experiment: "
            "each image by a probe that has seen no image of its patient."
        )
    return [
        where,
        "The linear probe is a logistic regression in which classes weigh alike; the validation images of each fold "
        f"choose its penalty. Of nearest neighbours the {NEIGHBOURS} training images with the most similar features "
        "vote, each by its likeness; nothing is chosen. The most probable class is the answer.",
    ]
