"""The page on clusters: every number is that of a file, nobody is named, and it stands alone."""

import pytest

from medvision.data.pseudonyms import pseudonyms
from medvision.errors import RunError
from medvision.reports.cluster_page import MOST_BYTES, SECTIONS, write_cluster_report
from medvision.reports.cluster_tables import PARTS, PROBES
from medvision.runs import RunFolder
from tests.reports.clustered import clustered
from tests.reports.reading import Page, numbers, same


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    folder, told, table = clustered(tmp_path_factory.mktemp("frozen") / "20260101-120000-ab12")
    return Page(write_cluster_report(folder).read_text()), told, table, folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder, told, table = clustered(tmp_path_factory.mktemp("run") / "clusters", run="20260101-run", k=4)
    return Page(write_cluster_report(folder).read_text()), told, table, folder


def test_all_sections_are_there_and_can_be_reached(frozen):
    page = frozen[0]
    titles = [text for level, text in page.headings if level == 2]
    assert titles == list(SECTIONS.values())
    links = [attrs["href"] for attrs in page.all("a")]
    assert links == [f"#{name}" for name in SECTIONS]
    assert {attrs["id"] for attrs in page.all("h2")} == set(SECTIONS)


def test_the_counts_are_those_of_the_table(trained):
    page, told, table, _ = trained
    for part, title in PARTS.items():
        rows = table[table["split"] == part]
        if not len(rows):
            continue
        shown = page.table(f"Clusters and classes, {title}")
        assert shown.heads == ["cluster", "images", "left", "none", "right"]
        for number in range(1, 5):
            (cells,) = [cells for name, cells in shown.rows if name.split(" (")[0] == f"cluster {number}"]
            inside = rows[rows["cluster"] == number]
            expected = [len(inside), *((inside["label"] == name).sum() for name in ("left", "none", "right"))]
            assert [numbers(cell.value)[0] for cell in cells] == expected, (part, number)
    assert {part for part in PARTS if part in told["scores"]} == {"test", "val", "train"}


def test_scores_are_those_of_clusters_json(trained):
    page, told, _, _ = trained
    agreement = page.table("Agreement of clusters and classes")
    together = page.table("Pairs of images in one cluster")
    for column, part in enumerate(("test", "val", "train")):
        metrics = told["scores"][part]["metrics"]
        for row, name in zip(agreement.rows, ("adjusted_rand", "nmi", "accuracy"), strict=False):
            assert same(row[1][column], metrics[name]), (part, name)
        names = ("same_patient", "same_class", "other_class", "patient_gap", "class_gap")
        for row, name in zip(together.rows, names, strict=True):
            assert same(row[1][column], metrics[name]), (part, name)
        found = told["scores"][part]
        largest = {"value": found["largest_class"], "low": None, "n": found["n"]}
        assert same(agreement.rows[3][1][column], largest), part
    partitions = page.table("Clusters against classes and patients, test split")
    assert [numbers(head)[0] for head in partitions.heads[1:]] == [3, told["scores"]["test"]["patients"]]
    for row, name in zip(partitions.rows, ("adjusted_rand", "ami", "nmi"), strict=True):
        found = told["scores"]["test"]
        for cell, of in zip(row[1], ("classes", "patients"), strict=True):
            assert same(cell, {"value": found["partitions"][of][name], "low": None, "n": found["n"]}), (name, of)


def test_probes_are_those_of_clusters_json(frozen):
    page, told, _, _ = frozen
    tables = [table for table in page.tables if table.caption.startswith("Probes, per image")]
    for column, probe in enumerate(PROBES):
        entries = told["probes"]["metrics"][probe]["image"]
        (cells,) = [cells for title, cells in tables[0].rows if title == "AUROC"]
        assert same(cells[column], entries["auroc"])
    assert "on 4 folds" in page.text


def test_what_was_trained_on_is_told(frozen, trained):
    assert "has learned the classes of 36 images of the training split" in trained[0].text
    assert "of the test split" in trained[0].text
    assert "trained on" in trained[0].text
    assert "has learned" not in frozen[0].text
    assert "trained on" not in frozen[0].text


def test_exemplars_are_shown_without_names(frozen):
    page, _, table, folder = frozen
    pictures = page.all("img")
    assert len(pictures) == (table["exemplar"] > 0).sum()
    assert all(attrs["src"].startswith("data:image/jpeg;base64,") and attrs["alt"] for attrs in pictures)
    text = folder.report.read_text()
    called = pseudonyms(table)
    row = int(table.index[(table["exemplar"] == 1) & (table["cluster"] == 2)][0])
    assert f"{table['label'][row]}, {called[row]}" in page.text
    for name in table["patient"].unique():
        assert f">{name}<" not in text
        assert f" {name}<" not in text


def test_the_page_stands_alone(frozen):
    text = frozen[3].report.read_text()
    assert len(text.encode()) < MOST_BYTES
    assert "http" not in "".join(attrs.get("src", "") for attrs in frozen[0].all("img"))
    assert not frozen[0].all("script")
    assert not frozen[0].all("link")[1:]


def test_simulated_images_are_called_so(tmp_path, frozen):
    folder, _, _ = clustered(tmp_path / "simulated", simulated=True)
    assert "SIMULATED" in Page(write_cluster_report(folder).read_text()).text
    assert "SIMULATED" not in frozen[0].text


def test_images_without_labels_have_no_table_of_classes(tmp_path):
    folder, _, _ = clustered(tmp_path / "masks", labels=False)
    page = Page(write_cluster_report(folder).read_text())
    captions = [table.caption for table in page.tables]
    assert captions == ["Clusters against patients, all images", "Sizes of the clusters"]
    assert "The images have no labels to compare them with." in page.text
    assert "No probe was asked: the images have no labels." in page.text


def test_the_page_is_made_again_from_its_files(frozen):
    folder = frozen[3]
    before = folder.report.read_bytes()
    folder.report.unlink()
    assert write_cluster_report(folder).read_bytes() == before


def test_a_folder_without_clusters_is_refused(tmp_path):
    with pytest.raises(RunError, match="clusters.json: not there"):
        write_cluster_report(RunFolder(tmp_path))
