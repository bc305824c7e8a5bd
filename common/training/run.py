"""A training run in a folder: what every project's loop shares and no paper describes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from common.data import Split
from common.files import write_text
from common.training.checkpoint import load_checkpoint
from common.training.devices import Devices
from common.training.errors import TrainingError
from common.training.folder import CHECKPOINT, METRICS, RECORD, open_folder, release
from common.training.loop import Loop, check_counts
from common.training.metrics import MetricsLog, check_tensorboard
from common.training.monitor import Monitor
from common.training.network import Network, make_optimiser
from common.training.precision import in_precision
from common.training.randomness import make_generator, seed_global
from common.training.resume import compare
from common.training.schedules import Schedule
from common.training.session import Session

RESERVED = {"step", "epoch", "loss", "valid", "learning_rate", "rate", "seconds"}


class Run:
    """Budget, devices, randomness, progress, metrics, checkpoints and resuming of one training.

    A project's `train` is a plain loop::

        batches = run.batches(data.train, config.batch_size, epochs=config.epochs, validate=check)
        model, optimiser = run.setup(
            build(config, data, generator=run.init_generator),
            Adam,
            lr=config.learning_rate,
            schedule=cosine(len(batches)),
        )
        for x in batches:
            loss = -model.elbo(x, generator=run.generator).mean()
            run.step(loss, optimiser)
        return run.best(model)

    Everything that follows from the seed is in the checkpoint, so a run that was killed at any
    moment and resumed ends, on one CPU process, with the same weights bit for bit. Whatever the
    training changes must therefore live in the module's `state_dict`.

    Noise that belongs to examples comes from `run.generator`; choices that all processes must share,
    such as masks, come from `run.init_generator`. Two processes (`devices=2`) then see the loss curve
    of one, up to rounding; a layer of the project's own that normalises by the batch takes its
    statistics from `batch_var_mean`.

    Args:
        folder: holds checkpoint.safetensors, metrics.jsonl and run.json; made if missing.
        seed: of weights, batches and noise.
        max_steps, max_epochs, max_seconds: cut the project's own budget short.
        devices: processes; their global batch is the project's batch size.
        accelerator: "cpu", "gpu" or "auto".
        precision: a precision of Lightning Fabric, such as "32-true" or "bf16-mixed".
        progress: show loss, rate and validation on stderr.
        tensorboard: write TensorBoard events beside the metrics.
        resume: continue from the folder's checkpoint; where there is none, start. Without it a
            folder that holds a run is first moved aside to `<folder>.1` (`.2`, ...): nothing is lost.
        checkpoint_seconds: least time between two checkpoints; one is always written at the end.

    Raises:
        TrainingError, ResumeError, CheckpointError: if the run cannot start as asked.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        seed: int = 0,
        max_steps: int | None = None,
        max_epochs: float | None = None,
        max_seconds: float | None = None,
        devices: int = 1,
        accelerator: str = "cpu",
        precision: str = "32-true",
        progress: bool = True,
        tensorboard: bool = False,
        resume: bool = False,
        checkpoint_seconds: float = 30.0,
    ) -> None:
        check_counts(max_steps=max_steps, max_epochs=max_epochs, max_seconds=max_seconds)
        if seed < 0 or checkpoint_seconds < 0:
            raise TrainingError(f"{seed=} and {checkpoint_seconds=} must be at least 0")
        if tensorboard:
            check_tensorboard()
        self.folder, self.seed = Path(folder), seed
        self.max_steps, self.max_epochs, self.max_seconds = max_steps, max_epochs, max_seconds
        self.show_progress, self.checkpoint_seconds = progress, checkpoint_seconds
        self.devices = Devices(devices, accelerator, precision)
        self.is_main: bool = self.devices.rank == 0
        self.device: torch.device = self.devices.device
        self.init_generator = make_generator(seed, "init")
        self.generator = make_generator(seed, "noise", self.device)
        self.data_generator = make_generator(seed, "data", self.device)
        seed_global(seed)
        self.steps_done = 0
        self.networks: list[Network] = []
        self.loops: list[Loop] = []
        self.recorded: dict[str, Any] = {}
        if self.is_main:
            open_folder(self.folder, resume=resume)
        self.devices.barrier()
        self.saved: dict[str, Any] | None = None
        if resume and self.checkpoint.exists():
            self.saved = load_checkpoint(self.checkpoint)
            compare(self.checkpoint, {"seed": self.saved["seed"]}, {"seed": seed})
        log = MetricsLog(self.folder / METRICS if self.is_main else None, tensorboard=tensorboard)
        self.monitor = Monitor(self.devices, log)
        self.session = Session(self)

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's path."""
        return self.folder / CHECKPOINT

    def record(self, table: dict[str, Any]) -> None:
        """Write run.json, and refuse to continue a run that was recorded otherwise.

        Args:
            table: JSON values, such as the project, its preset and config. "commit", "code_sha256"
                and "hardware" may differ on resuming; the first two stay those of the beginning.
        """
        table = json.loads(json.dumps(table))
        if self.saved is not None and self.saved["record"]:
            before = self.saved["record"]
            new = table.keys() - before.keys()  # which an older version did not record
            ignore = ("commit", "code_sha256", "hardware", *new)
            compare(self.checkpoint, before, table, ignore=ignore)
            table |= {name: before[name] for name in ("commit", "code_sha256") if name in before}
        self.recorded = table
        if self.is_main:
            write_text(self.folder / RECORD, json.dumps(table, indent=2) + "\n")

    def setup(
        self,
        module: nn.Module,
        optimiser: type[Optimizer],
        *,
        lr: float,
        schedule: Schedule | None = None,
        ema_decay: float | None = None,
        clip_norm: float | None = None,
        optimiser_args: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> tuple[nn.Module, Optimizer]:
        """Put a module on the run's device and precision, and make its optimiser.

        May be called several times, for several networks.

        Args:
            module: any module; its parameters that require gradients are optimised.
            optimiser: a class such as `torch.optim.Adam`.
            lr: learning rate.
            schedule: multiplier of `lr` by the number of updates made, such as `cosine(...)`.
            ema_decay: keep an exponential moving average of the weights; it is what is validated
                and what `best` returns.
            clip_norm: clip the norm of the whole gradient to this.
            optimiser_args: further arguments of the optimiser. Adam, AdamW and SGD are fused unless
                these say otherwise.
            name: the network's name in checkpoints and metrics; the class's if None.

        Returns:
            (model, optimiser): the model to call in the loop, and the handle for `step`.
        """
        check_counts(lr=lr, clip_norm=clip_norm)
        if ema_decay is not None and not 0 <= ema_decay < 1:
            raise TrainingError(f"ema_decay must be at least 0 and below 1, got {ema_decay!r}")
        module = self.devices.prepare(module)
        parameters = [p for p in module.parameters() if p.requires_grad]
        made = make_optimiser(
            optimiser, parameters, lr, optimiser_args or {}, self.devices.precision
        )
        network = Network(self.new_name(module, name), module, made, schedule, clip_norm, ema_decay)
        self.networks.append(network)
        return in_precision(module, self.devices.fabric.strategy.precision), made

    def adopt(self, module: nn.Module, *, name: str | None = None) -> nn.Module:
        """Put a module on the run's device that no optimiser trains: EM, k-means, counting.

        The project changes its parameters itself and says so with `updated`. Everything else is as
        for a network that `setup` made: validation, best weights, checkpoints, resuming.
        """
        module = self.devices.prepare(module)
        self.networks.append(Network(self.new_name(module, name), module))
        return in_precision(module, self.devices.fabric.strategy.precision)

    def new_name(self, module: nn.Module, name: str | None) -> str:
        """The name given or the class's, numbered where it is taken."""
        name = name or type(module).__name__.lower()
        taken = sum(network.name.split("_")[0] == name for network in self.networks)
        return f"{name}_{taken + 1}" if taken else name

    def batches(
        self,
        split: Split,
        batch_size: int,
        *,
        epochs: float | None = None,
        steps: int | None = None,
        per_step: int = 1,
        validate: Callable[[], float] | None = None,
        validate_every: int | None = None,
        patience: int | None = None,
    ) -> Loop:
        """The batches of a training loop; the first limit that is reached ends it.

        Args:
            split: what to learn from.
            batch_size: examples a batch, over all processes together.
            epochs, steps: the project's own budget.
            per_step: batches a step; above 1 each step yields a list of them (critic steps).
            validate: returns a number to minimise; called in eval mode, without gradients, with
                averaged weights if there are any. The best weights are kept.
            validate_every: steps between validations; None is once an epoch.
            patience: stop after so many validations without a better one.

        Returns:
            A `Loop`: its length is the number of steps.
        """
        loop = Loop(
            self,
            len(self.loops),
            split.to(self.device),
            batch_size,
            epochs=epochs,
            steps=steps,
            per_step=per_step,
            validate=validate,
            validate_every=validate_every,
            patience=patience,
        )
        self.loops.append(loop)
        return loop

    def step(self, loss: Tensor, optimiser: Optimizer, **scalars: Tensor | float) -> None:
        """One update: gradients to zero, backward, clipping, optimiser, schedule, average, log.

        Args:
            loss: scalar to minimise; the mean over this process's examples.
            optimiser: a handle that `setup` returned.
            scalars: named numbers for the metrics, such as `kl=kl.mean()`.
        """
        if loss.ndim:
            raise ValueError(f"loss must be a scalar, got shape {tuple(loss.shape)}: take its mean")
        network = self.network(lambda each: each.optimiser is optimiser, "optimiser")
        network.set_rate()
        gradient_norm = self.devices.step(loss, network)
        network.updated()
        self.monitor.add(self.metric(network, "loss"), loss, is_loss=True)
        if gradient_norm is not None:
            self.monitor.add(self.metric(network, "gradient_norm"), gradient_norm)
        self.log(**scalars)

    def updated(self, loss: Tensor | float, model: nn.Module, **scalars: Tensor | float) -> None:
        """Note an update that the project made itself to a model of `adopt`: counted, logged.

        Args:
            loss: what the update minimises, such as minus the mean log-likelihood before it.
            model: what `adopt` returned.
            scalars: as in `step`.
        """
        network = self.network(lambda each: each.module.__dict__ is model.__dict__, "model")
        if network.optimiser is not None:
            raise ValueError(f"{network.name} has an optimiser: call run.step(loss, optimiser)")
        network.updated()
        self.monitor.add(self.metric(network, "loss"), loss, is_loss=True)
        self.log(**scalars)

    def log(self, **scalars: Tensor | float) -> None:
        """Add named numbers to the metrics of the current step."""
        for name, value in scalars.items():
            if name in RESERVED:
                raise ValueError(f"{name!r} is a name that the metrics have taken; choose another")
            self.monitor.add(name, value)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal noise for this process's `n` rows, (n, *shape), from `run.generator`.

        It is drawn for the global batch, so that several processes see what one would see.
        """
        world, rank = self.devices.world_size, self.devices.rank
        dtype = torch.float64 if self.devices.precision.startswith("64") else torch.float32
        size = (n * world, *shape)
        with torch._C.DisableTorchFunction():  # already for all processes
            noise = torch.randn(size, generator=self.generator, device=self.device, dtype=dtype)
        return noise[rank * n : (rank + 1) * n]

    def best(self, model: nn.Module) -> nn.Module:
        """The plain module in eval mode with its best weights.

        They are those of the lowest validation (averaged weights if `ema_decay` was given); without
        a validation, the last ones.

        Args:
            model: what `setup` or `adopt` returned.
        """
        network = self.network(lambda each: each.module.__dict__ is model.__dict__, "model")
        network.load_best()
        return network.module.eval()

    def close(self) -> None:
        """Let another process use the folder. A process that ends has let go by itself."""
        release(self.folder)

    def network(self, is_it: Callable[[Network], bool], what: str) -> Network:
        """The network that a handle of `setup` belongs to."""
        for network in self.networks:
            if is_it(network):
                return network
        raise ValueError(f"this {what} is not one that run.setup(...) or run.adopt(...) returned")

    def metric(self, network: Network, name: str) -> str:
        """`loss` in a run of one network, `<network>_loss` where there are several."""
        return name if len(self.networks) == 1 else f"{network.name}_{name}"
