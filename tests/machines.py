"""Machines that are processes of this one and can be switched off, and what launchers tell a process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_MAX_RESTARTS": "0",
    "RANK": "3",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_WORLD_SIZE": "2",
}
BATCH = {
    "SLURM_JOB_ID": "4711",
    "SLURM_JOB_NAME": "knees",
    "SLURM_NTASKS": "4",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "0",
}
STEP = {**BATCH, "SLURM_STEP_ID": "0", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0"}


class Machine:
    """A process with a cache of its own, which can be switched off."""

    def __init__(self, folder: Path, name: str, command: list[str], **variables: str) -> None:
        self.cache, self.log = folder / f"cache-{name}", folder / f"{name}.log"
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "MEDVISION_CACHE": str(self.cache), **variables}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=surroundings,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def children(self) -> list[int]:
        """What it has started itself; torchrun puts its processes into sessions of their own."""
        own = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in own.read_text().split()]

    def switch_off(self) -> None:
        for number in [*self.children(), self.process.pid]:
            os.kill(number, signal.SIGKILL)
        self.process.wait()

    def finish(self) -> str:
        code = self.process.wait(timeout=120)
        assert code == 0, self.log.read_text()
        return self.log.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def torchrun(port: int, node: int, *options: str) -> list[str]:
    launcher = ["-m", "torch.distributed.run", "--nnodes=2", f"--node-rank={node}", "--nproc-per-node=1"]
    return [*launcher, "--master-addr=127.0.0.1", f"--master-port={port}", *options]
