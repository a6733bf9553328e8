"""The items of two reporting guidelines: their official numbers and sections, asked in our own words.

- CLAIM 2024: A. S. Tejani et al., Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update,
  Radiology: Artificial Intelligence 6 (2024) e240300, 44 items.
- TRIPOD+AI: G. S. Collins et al., TRIPOD+AI statement, BMJ 385 (2024) e078378, 27 items in 52 parts.

The official wording is in these articles, and a submission must be checked against it.
"""

from typing import NamedTuple

CLAIM = "CLAIM 2024"
TRIPOD = "TRIPOD+AI"


class Item(NamedTuple):
    """An item of a guideline.

    Args:
        guideline: `CLAIM 2024` or `TRIPOD+AI`.
        number: official, such as `20` or `12c`.
        section: of the article in which it is expected.
        asked: what it asks for, in our words.
    """

    guideline: str
    number: str
    section: str
    asked: str


_CLAIM = (
    ("Title or abstract", {"1": "Say that the study is about AI, and which kind."}),
    ("Abstract", {"2": "Sum up design, methods, results and conclusions."}),
    (
        "Introduction",
        {
            "3": "Why the question matters, and what the model would be used for.",
            "4": "Aims and hypotheses.",
        },
    ),
    (
        "Methods: study design",
        {
            "5": "Were the data collected for this study, or before it?",
            "6": "What kind of study, such as a first model or a comparison.",
        },
    ),
    (
        "Methods: data",
        {
            "7": "Where the data come from.",
            "8": "Who was included, who was not: how, where and when.",
            "9": "What was done to the images before the network saw them.",
            "10": "Were only parts of the data, or of the images, used?",
            "11": "How the data were made anonymous.",
            "12": "What was done where data were missing.",
            "13": "How the images were acquired: devices, settings, protocol.",
        },
    ),
    (
        "Methods: reference standard",
        {
            "14": "How the truth was found that the model is measured against.",
            "15": "Why that way.",
            "16": "Who annotated: how many, how experienced, how trained.",
            "17": "How the test images were annotated.",
            "18": "How much annotators differ from each other and from themselves.",
        },
    ),
    (
        "Methods: data partitions",
        {
            "19": "How images were assigned to training, validation and test.",
            "20": "What the parts do not share: patients, studies or hospitals.",
        },
    ),
    ("Methods: testing data", {"21": "How large the test set was meant to be, and why."}),
    (
        "Methods: model",
        {
            "22": "The network: inputs, outputs, layers.",
            "23": "Software and its versions.",
            "24": "The weights at the start.",
        },
    ),
    (
        "Methods: training",
        {
            "25": "How it was trained: augmentation, settings, how many models.",
            "26": "How the final model was chosen.",
            "27": "Were several models or predictions combined?",
        },
    ),
    (
        "Methods: evaluation",
        {
            "28": "The metrics, and why these.",
            "29": "How uncertainty was measured.",
            "30": "How sensitive the results are to assumptions and conditions.",
            "31": "How predictions were explained, and how the explanations were checked.",
            "32": "Evaluation on data from the same source.",
            "33": "Testing on data from another source.",
            "34": "Registration as a clinical trial.",
        },
    ),
    (
        "Results: data",
        {
            "35": "How many patients or examinations were included, how many excluded.",
            "36": "Age, sex and clinical characteristics in each part.",
        },
    ),
    (
        "Results: model performance",
        {
            "37": "The metrics with their uncertainty.",
            "38": "Diagnostic performance, such as sensitivity and specificity, with its precision.",
            "39": "Where the model is wrong.",
        },
    ),
    (
        "Discussion",
        {
            "40": "Limits of the study. Those that the run can see are in the model card.",
            "41": "What it means for practice.",
        },
    ),
    (
        "Other information",
        {
            "42": "Where the protocol or further technical details are.",
            "43": "Where software, trained model and data can be had.",
            "44": "Who paid, and what their role was.",
        },
    ),
)

_TRIPOD = (
    ("Title", {"1": "A model is developed or evaluated; for whom; what it predicts."}),
    ("Abstract", {"2": "A summary after the guideline's own list for abstracts."}),
    (
        "Introduction",
        {
            "3a": "The medical context, why a model, and which models there are.",
            "3b": "For which patients, at which point of care, used by whom.",
            "3c": "Known inequalities between groups of people.",
            "4": "Objectives: development, evaluation or both.",
        },
    ),
    (
        "Methods: data and participants",
        {
            "5a": "Sources of the data for development and for evaluation, why these, and whom they represent.",
            "5b": "Dates of the data.",
            "6a": "Setting; how many centres, and where.",
            "6b": "Who could take part.",
            "6c": "Treatments, and how they were dealt with.",
            "7": "Preparation and quality checks of the data; the same for all groups?",
            "8a": "What is predicted: definition, time, how it was assessed.",
            "8b": "Who assessed it, where that takes judgement.",
            "8c": "Was the assessment blinded?",
            "9a": "How the predictors were chosen.",
            "9b": "What the predictors are, and how they were measured.",
            "9c": "Who measured them, where that takes judgement.",
            "10": "How the size of the study was arrived at, and why it is enough.",
            "11": "How missing data were handled.",
        },
    ),
    (
        "Methods: analysis",
        {
            "12a": "Which data were used for development, and which for evaluation.",
            "12b": "How the predictors were transformed.",
            "12c": "Type of model, how it was built and tuned, internal validation.",
            "12d": "How differences between clusters, such as hospitals, were measured.",
            "12e": "Measures and plots of performance.",
            "12f": "Was the model changed after the evaluation?",
            "12g": "How the predictions that are evaluated were computed.",
            "13": "What was done about rare classes, and about calibration after that.",
            "14": "What was done for fairness.",
            "15": "What the model puts out; thresholds and where they come from.",
            "16": "How development and evaluation data differ.",
            "17": "Ethics approval and consent.",
        },
    ),
    (
        "Open science",
        {
            "18a": "Who paid, and what their role was.",
            "18b": "Conflicts of interest.",
            "18c": "Where the protocol is.",
            "18d": "Registration of the study.",
            "18e": "Where the data can be had.",
            "18f": "Where the code of the analysis can be had.",
        },
    ),
    ("Patient and public involvement", {"19": "How patients and the public took part in the study."}),
    (
        "Results",
        {
            "20a": "The flow of participants; how many with and without the outcome.",
            "20b": "Characteristics of the participants, and what is missing.",
            "20c": "Evaluation data compared with development data.",
            "21": "How many participants and outcomes in each analysis.",
            "22": "The full model, so that others can use it.",
            "23a": "Performance with intervals, in key subgroups too.",
            "23b": "Differences in performance between clusters.",
            "24": "The updated model and its performance.",
        },
    ),
    (
        "Discussion",
        {
            "25": "What the results mean, fairness included.",
            "26": "Limits of the study. Those that the run can see are in the model card.",
            "27a": "What to do with poor or missing images in use.",
            "27b": "What users must do and know.",
            "27c": "Next steps.",
        },
    ),
)

ITEMS = tuple(
    Item(guideline, number, section, asked)
    for guideline, sections in ((CLAIM, _CLAIM), (TRIPOD, _TRIPOD))
    for section, items in sections
    for number, asked in items.items()
)
