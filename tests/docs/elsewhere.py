"""What stands on the pages and is not run with them: each with the reason, and the test that covers it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Elsewhere:
    """A command or a drawing that is not run here.

    Args:
        text: the words of the command without its comment, or the first line of a block.
        reason: why it is not run here.
        test: that covers it, as `file::function`.
    """

    text: str
    reason: str
    test: str


AGENTS = ("needs W&B's server: there the real client meets a small server", "test_two_agents_share_a_sweep")
MACHINES = ("needs two machines", "test_a_machine_that_dies_is_replaced_and_the_run_goes_on")
CLUSTER = ("needs SLURM", "test_a_batch_script_starts_what_it_says_and_requeues_what_was_preempted")
WHEEL = ("installs from the package index", "test_a_built_wheel_installs_and_runs")
ITSELF = ("would start all tests from inside of one", "test_a_target_of_make_exists")


def _of(file: str, why: tuple[str, str], *commands: str) -> list[Elsewhere]:
    reason, test = why
    return [Elsewhere(text, reason, f"tests/{file}::{test}") for text in commands]


COMMANDS = (
    *_of(
        "sweeps/test_worker.py",
        (
            "goes on with what Ctrl-C has left of the command above it",
            "test_an_interrupted_sweep_goes_on_without_computing_anything_twice",
        ),
        "python -m medvision.sweep --resume latest",
    ),
    *_of(
        "test_site.py",
        ("builds the whole site", "test_the_site_is_built_without_a_warning_and_loads_nothing"),
        "make docs",
    ),
    *_of(
        "application/test_pages_in_browser.py",
        (
            "takes pictures in a browser; the test opens the same pages in it",
            "test_the_demo_is_gone_through_with_the_keyboard",
        ),
        "python -m tests.application.app_pictures RUN IMAGE docs",
    ),
    *_of("docs/test_commands.py", ITSELF, "make test", "make test-slow"),
    *_of("test_processes.py", WHEEL, "pip install .", "pip install .[dicom,parquet]"),
    *_of(
        "test_command.py",
        ("would change the environment", "test_a_foreign_package_in_the_same_folder_is_refused"),
        "pip uninstall medvision medvision-segmentation",
    ),
    *_of(
        "test_processes.py",
        WHEEL,
        "pip install medvision-lightning[app]",
    ),
    *_of(
        "answering/test_torch_free.py",
        ("installs from the package index", "test_the_whole_command_answers_where_torch_is_not_installed"),
        "pip install --no-deps medvision-lightning",
        "pip install numpy pandas scipy opencv-python-headless pillow pydantic pyyaml matplotlib tqdm filelock "
        "platformdirs onnx onnxruntime pydicom python-gdcm",
    ),
    *_of(
        "test_wandb_sweep.py",
        AGENTS,
        "wandb login",
        "wandb agent",
        "wandb agent <entity>/knee_sections/<id>",
        "wandb agent clinic/knee_sections/sweep0",
        "wandb sweep",
        "wandb sweep short.yaml",
    ),
    *_of(
        "test_wandb_sweep.py",
        ("needs W&B's server", "test_wandb_takes_the_shipped_sweep_files"),
        "wandb sweep experiments/sweeps/knee_sections.yaml",
    ),
    *_of("test_wandb_sweep.py", ("needs W&B's server", "test_an_offline_run_is_sent_later"), "wandb sync"),
    *_of(
        "test_node_processes.py",
        MACHINES,
        "torchrun --nnodes=2 --node-rank=0 --nproc-per-node=4 --master-addr=HOST "
        "-m medvision.fit FILE --run-folder DIR",
        "torchrun --nnodes=2 --node-rank=0 --nproc-per-node=1 --master-addr=127.0.0.1 --master-port=29500 "
        "-m medvision.fit experiments/knee_sections.yaml --run-folder runs/knee_sections/two_machines",
    ),
    *_of(
        "test_node_processes.py",
        ("needs torchrun", "test_a_process_that_dies_is_started_again_by_torchrun"),
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --standalone --nproc-per-node=2 --max-restarts=1 "
        "-m medvision.fit FILE --run-folder DIR",
    ),
    *_of(
        "test_nodes.py",
        CLUSTER,
        "sbatch examples/slurm/fit_ddp.sbatch FILE",
        "sbatch examples/slurm/fit_ddp.sbatch experiments/mura_resnet18.yaml",
        "sbatch --array=0-4 examples/slurm/folds.sbatch experiments/knee_sections.yaml",
    ),
    *_of(
        "test_nodes.py",
        ("needs SLURM", "test_runs_of_a_shell_and_of_an_agent_get_new_folders"),
        "srun --pty bash",
    ),
    *_of(
        "docs/test_running.py",
        ("names no images; the whole command stands on the page of exports", "test_a_page_does_what_it_says"),
        "medvision.predict MODEL.onnx",
        "medvision.predict FOLDER",
    ),
    *_of(
        "test_experiments.py",
        ("names the set only; the whole command stands below the table", "test_an_experiment_runs"),
        "medvision.samples joint_ultrasound",
        "medvision.samples tissue_ultrasound",
        "medvision.samples mura",
        "medvision.samples double_contour",
    ),
)
# Answers that a page shows below a command which is run here without what led to them.
ANSWERS = (
    Elsewhere(
        "medvision: interrupted; what is finished is kept",
        "somebody has pressed Ctrl-C",
        "tests/sweeps/test_worker.py::test_an_interrupted_sweep_goes_on_without_computing_anything_twice",
    ),
    Elsewhere(
        "medvision: where: what, and how to mend it",
        "the form that all answers have",
        "tests/docs/test_mistakes.py::test_a_mistake_is_answered_as_the_page_says",
    ),
)
# Commands that stay until they are stopped; their options are checked here all the same.
SERVERS = (
    Elsewhere(
        "python -m medvision.app",
        "serves until it is stopped",
        "tests/test_app.py::test_runs_are_served_to_this_computer_alone",
    ),
)
# Blocks that are no output of the command above them, by their first lines.
DRAWINGS = (
    Elsewhere(
        "folder/CSV/DICOM --read_table--> image table --split--> +split,+fold "
        "--cache--> uint8 pixels --loader--> batch",
        "a drawing of the way of the data",
        "tests/test_layout.py::test_imports_run_down",
    ),
)
