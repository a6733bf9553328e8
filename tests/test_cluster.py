"""The command on drawn data sets: runs, frozen backbones, masks, and what it refuses."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from medvision import cluster
from medvision.config.yaml_dialect import Loader
from medvision.errors import ConfigError, RunError
from medvision.runs import RunFolder, read_json, read_table
from tests.kinds import KINDS, run, write_experiment
from tests.reports.reading import Page

FILES = ["clusters.csv", "clusters.json", "features.npz", "report.html", "figures/map_cluster.svg"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_experiment(tmp_path_factory.mktemp("cluster"), KINDS["classification"], split={"folds": 3})


@pytest.fixture(scope="module")
def fitted(folder):
    return run(folder, folder / "runs", "--trainer.max_epochs=1")


@pytest.fixture(scope="module")
def frozen(folder):
    options = ["--backbone=two_layer_cnn", "--pretrained=false", f"--output={folder / 'runs'}"]
    return cluster.main([str(folder / "discs.yaml"), *options])


def test_a_run_gets_a_folder_of_clusters(fitted, capsys):
    found = cluster.main([str(fitted.path), "-k", "3"])
    assert found.path == fitted.path / "clusters"
    assert all((found.path / name).is_file() for name in [*FILES, "predictions.csv"])
    said = capsys.readouterr().out
    assert "of the test split: 3 clusters" in said
    assert "linear probe, per image: AUROC" in said
    assert str(found.report) in said
    told, table, split = read_json(found.cluster_scores), read_table(found.clusters), read_table(fitted.split)
    assert (told["k"], told["run"], set(told["scores"])) == (3, fitted.path.name, {"train", "val", "test"})
    assert (table["image"] == split["image"]).all()
    assert (table["split"] == split["split"]).all()
    probes = read_table(found.predictions)
    assert set(probes["image"]) == set(split["image"][split["split"] == "test"])
    assert told["probes"]["folds"] is None
    arrays = np.load(found.path / "features.npz")
    assert arrays["image"].tolist() == table["image"].tolist()
    assert arrays["features"].shape == (36, 32)
    page = Page(found.report.read_text())
    assert "has learned the classes of" in page.text
    assert not any(name in found.report.read_text() for name in table["image"])


@pytest.mark.slow
def test_a_run_can_be_clustered_again(fitted, capsys):
    first = read_table(cluster.main([str(fitted.path), "-k", "3"]).clusters)
    again = read_table(cluster.main([str(fitted.path), "-k", "2"]).clusters)
    assert first["cluster"].nunique() == 3
    assert again["cluster"].nunique() == 2
    assert first["x"].tolist() == again["x"].tolist()
    pictures = list((fitted.path / "clusters" / "figures" / "cases").iterdir())
    assert len(pictures) == 12


def test_a_frozen_backbone_is_asked_on_the_folds(frozen, folder):
    assert frozen.path.parent == folder / "runs" / "discs-clusters"
    assert all((frozen.path / name).is_file() for name in [*FILES, "predictions.csv", "figures/silhouettes.svg"])
    assert not (frozen.path / "checkpoints").exists()
    told = read_json(frozen.cluster_scores)
    assert (told["run"], told["chosen_by"], set(told["scores"])) == (None, "silhouette", {"all"})
    assert told["network"] == {"name": "two_layer_cnn", "weights": False}
    assert told["probes"]["folds"] == 3
    probes, table = read_table(frozen.predictions), read_table(frozen.clusters)
    for _, rows in probes.groupby("model"):
        assert sorted(rows["image"]) == sorted(table["image"])
        folds = rows.set_index("image")["fold"]
        assert (folds.loc[table["image"]].to_numpy() == table["fold"].to_numpy()).all()
    assert probes.groupby("patient")["fold"].nunique().max() == 1


@pytest.mark.slow
def test_the_same_command_gives_the_same_tables(frozen, folder, capsys):
    options = ["--backbone=two_layer_cnn", "--pretrained=false", f"--output={folder / 'runs'}"]
    again = cluster.main([str(folder / "discs.yaml"), *options])
    assert again.path != frozen.path
    for name in ("clusters.csv", "predictions.csv"):
        assert (again.path / name).read_bytes() == (frozen.path / name).read_bytes()
    before, after = (read_json(one.cluster_scores) for one in (frozen, again))
    assert {**before, "seconds": 0} == {**after, "seconds": 0}
    other = cluster.main([str(folder / "discs.yaml"), *options, "--seed=11", "-k=4"])
    told = read_json(other.cluster_scores)
    assert (told["seed"], told["k"]) == (11, 4)


@pytest.mark.slow
def test_a_map_by_umap(fitted, capsys):
    pytest.importorskip("umap")
    plain = read_table(cluster.main([str(fitted.path), "-k", "2"]).clusters)
    found = cluster.main([str(fitted.path), "-k", "2", "--map", "umap"])
    table = read_table(found.clusters)
    assert (table["cluster"] == plain["cluster"]).all()
    assert not np.allclose(table["x"], plain["x"])
    assert "UMAP" in found.report.read_text()


@pytest.mark.slow
def test_masks_have_features_and_no_probes(tmp_path, capsys):
    root = write_experiment(tmp_path, KINDS["segmentation"])
    fitted = run(root, root / "runs", "--trainer.max_epochs=1")
    found = cluster.main([str(fitted.path), "-k", "2"])
    told = read_json(found.cluster_scores)
    assert told["probes"]["why"] == "the images have no labels"
    assert not found.predictions.is_file()
    assert "No probe was asked: the images have no labels." in " ".join(capsys.readouterr().out.split())
    assert all((found.path / name).is_file() for name in FILES)


def test_probes_wait_for_folds_that_can_be_made(folder, tmp_path, capsys):
    options = ["--backbone=two_layer_cnn", "--pretrained=false", f"--output={tmp_path}"]
    found = cluster.main([str(folder / "discs.yaml"), *options, "--split.folds=12", "-k=2"])
    probes = read_json(found.cluster_scores)["probes"]
    assert probes["metrics"] == {}
    assert probes["why"].startswith("there are no folds: ")


def test_one_fold_of_the_experiment_is_enough(folder, tmp_path, capsys):
    options = ["--backbone=two_layer_cnn", "--pretrained=false", f"--output={tmp_path}"]
    found = cluster.main([str(folder / "discs.yaml"), *options, "--split.fold=1", "-k=2"])
    assert read_json(found.cluster_scores)["probes"]["folds"] == 1
    assert set(read_table(found.predictions)["fold"]) == {1}


def test_several_labels_an_image(tmp_path, capsys):
    root = write_experiment(tmp_path, KINDS["classification"])
    files = sorted((root / "images").rglob("*.png"))
    shown = np.random.default_rng(0).random((len(files), 2)) < 0.5
    table = pd.DataFrame(shown.astype(int), columns=["a", "b"])
    table["image"] = [file.relative_to(root / "images").as_posix() for file in files]
    table["patient"] = [file.stem.split("_")[0] for file in files]
    table.to_csv(root / "images" / "labels.csv", index=False)
    data = {"name": "table", "root": str(root / "images"), "image_size": 32, "label": ["a", "b"]}
    content = yaml.safe_load((root / "discs.yaml").read_text())
    content |= {"data": data, "split": {"stratify": None, "folds": 3, "val": 0.2, "test": 0.2}}
    (root / "several.yaml").write_text(yaml.safe_dump(content))
    options = ["--backbone=two_layer_cnn", "--pretrained=false", f"--output={tmp_path}", "-k=2"]
    found = cluster.main([str(root / "several.yaml"), *options])
    told = read_json(found.cluster_scores)
    assert told["scores"]["all"]["classes"] == ["", "a", "a|b", "b"]
    assert np.sum(told["scores"]["all"]["counts"]) == len(files)
    assert set(told["probes"]["metrics"]) == {"linear_probe", "nearest_neighbours"}
    assert {"p_a", "p_b"} <= set(read_table(found.predictions))
    assert "none" in Page(found.report.read_text()).table("Clusters and classes, all images").heads


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no run and no experiment file"),
        (["one", "two"], "one run at a time"),
        (["one", "two.yaml"], "one run at a time"),
        (["one", "--backbone=resnet18"], "--backbone: a run has its own network"),
        (["one", "--pretrained=true", "--data.image_size=9"], "--pretrained --data.image_size=9: a run has its own"),
        (["one", "--map=tsne"], "invalid choice: 'tsne'"),
        (["one", "-k", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_does_not_go_together_is_refused(argv, said):
    with pytest.raises(ConfigError) as caught:
        cluster.main(argv)
    (line,) = caught.value.lines
    assert said in line


def test_umap_has_to_be_there(monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'medvision-lightning\[umap\]'"):
        cluster.main(["one", "--map=umap"])


def test_more_clusters_than_images_are_refused(fitted):
    with pytest.raises(ConfigError, match="-k 99: of 36 different images"):
        cluster.main([str(fitted.path), "-k", "99"])


def test_a_run_must_be_there_and_be_one(fitted, tmp_path):
    with pytest.raises(RunError, match="no such run folder"):
        cluster.main([str(tmp_path / "nothing")])
    parent = tmp_path / "parent"
    shutil.copytree(fitted.path, parent, ignore=shutil.ignore_patterns("clusters"))
    RunFolder(parent).plan.write_text('{"kind": "cross_validation"}')
    (parent / "parts" / "fold-0").mkdir(parents=True)
    with pytest.raises(ConfigError, match="take one of them, such as .*fold-0"):
        cluster.main([str(parent)])


def test_a_baseline_has_no_network_to_ask(fitted, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(fitted.path, other, ignore=shutil.ignore_patterns("clusters"))
    content = yaml.load((other / "experiment.yaml").read_text(), Loader=Loader)
    content["model"] = {"task": "baseline", "features": "edges"}
    (other / "experiment.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match="a baseline has trained no network"):
        cluster.main([str(other)])


def test_other_images_than_those_of_the_run_are_refused(fitted, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(fitted.path, other, ignore=shutil.ignore_patterns("clusters"))
    table = pd.read_csv(other / "split.csv")
    table["sha256"] = "0"
    table.to_csv(other / "split.csv", index=False)
    with pytest.raises(RunError, match="another content now"):
        cluster.main([str(other)])
