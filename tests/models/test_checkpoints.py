import pytest
import torch

from medvision.errors import RunError
from medvision.models.checkpoints import read_checkpoint


def test_tensors_and_plain_values_come_back(tmp_path):
    network = torch.nn.Linear(3, 2)
    content = {"state_dict": network.state_dict(), "epoch": 3, "hyper_parameters": {"lr": 1e-3, "names": ["a", None]}}
    torch.save(content, tmp_path / "best.ckpt")
    read = read_checkpoint(tmp_path / "best.ckpt")
    assert torch.equal(read["state_dict"]["weight"], network.weight)
    assert {key: value for key, value in read.items() if key != "state_dict"} == {
        key: value for key, value in content.items() if key != "state_dict"
    }


def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path):
    path = tmp_path / "best.ckpt"
    with pytest.raises(RunError, match="no checkpoint; the run was stopped before its first epoch"):
        read_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(RunError, match="no checkpoint, it holds a list"):
        read_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(RunError, match="damaged, or no checkpoint of PyTorch"):
        read_checkpoint(path)
