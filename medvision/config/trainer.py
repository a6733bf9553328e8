"""The arguments of Lightning's Trainer that an experiment may set, by name and type, without importing Lightning."""

from typing import Literal

from medvision.config.settings import Section

Precision = Literal[
    16, 32, 64, "16", "32", "64", "bf16", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "32-true", "64-true",
    "transformer-engine", "transformer-engine-float16",
]  # fmt: skip

# What medvision gives to the Trainer itself, and what to write instead.
RESERVED = {
    "barebones": "without it there are no checkpoints and no history",
    "callbacks": "see the sections 'early_stopping', 'checkpoint' and 'ema'",
    "default_root_dir": "give the folder with --output",
    "enable_autolog_hparams": "the whole experiment is logged",
    "enable_checkpointing": "see the section 'checkpoint'",
    "logger": "see the section 'tracking'",
    "model_registry": "checkpoints are in the run folder",
    "plugins": "they are objects, which YAML cannot hold",
    "use_distributed_sampler": "Lightning's own would score some images twice",
}


class TrainerArguments(Section):
    """The values have the types that Lightning declares, as far as YAML can hold them.

    Defaults are Lightning's own: what is not given is not passed.
    """

    accelerator: str | None = None
    strategy: str | None = None
    devices: list[int] | str | int | None = None
    num_nodes: int | None = None
    precision: Precision | None = None
    fast_dev_run: int | bool | None = None
    max_epochs: int | None = None
    min_epochs: int | None = None
    max_steps: int | None = None
    min_steps: int | None = None
    max_time: str | dict[str, int] | None = None
    limit_train_batches: float | int | None = None
    limit_val_batches: float | int | None = None
    limit_test_batches: float | int | None = None
    limit_predict_batches: float | int | None = None
    overfit_batches: int | float | None = None
    val_check_interval: int | float | str | dict[str, int] | None = None
    check_val_every_n_epoch: int | None = None
    num_sanity_val_steps: int | None = None
    log_every_n_steps: int | None = None
    enable_progress_bar: bool | None = None
    enable_model_summary: bool | None = None
    accumulate_grad_batches: int | None = None
    gradient_clip_val: float | int | None = None
    gradient_clip_algorithm: str | None = None
    deterministic: bool | Literal["warn"] | None = None
    benchmark: bool | None = None
    inference_mode: bool | None = None
    profiler: str | None = None
    detect_anomaly: bool | None = None
    sync_batchnorm: bool | None = None
    reload_dataloaders_every_n_epochs: int | None = None
