"""What a run asks of an image, in one sentence."""

from collections.abc import Sequence

from medvision.reports.data_sentences import MOST_CLASSES, listed
from medvision.reports.inputs import ReportInputs


def question_text(inputs: ReportInputs) -> str:
    """The question of the experiment file; where it has none, one made of the task and its classes."""
    asked = str(inputs.experiment.get("question") or "").strip()
    if asked:
        return asked
    questions = []
    if inputs.classes:
        names = inputs.classes
        if inputs.multilabel:
            questions.append(f"Which of {_named(names, 'labels')} does an image show?")
        elif len(names) == 2:
            questions.append(f"Does an image show {names[1]} or {names[0]}?")
        else:
            questions.append(f"Which of {_named(names, 'classes')} does an image show?")
    if inputs.mask_classes:
        shown = inputs.mask_classes[1:]
        questions.append(f"Which pixels of an image show {_named(shown, 'structures')}?")
    return " ".join(questions)


def _named(names: Sequence[str], kind: str) -> str:
    return listed(names) if len(names) <= MOST_CLASSES else f"{len(names)} {kind}"
