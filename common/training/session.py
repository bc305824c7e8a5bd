"""What happens between the steps of a loop: validation, checkpoints, the clock, being stopped."""

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch

from common.training.checkpoint import save_checkpoint
from common.training.errors import NonFiniteLoss, Stopped
from common.training.loop import ENDLESS
from common.training.progress import Progress
from common.training.resume import restore, run_state
from common.training.signals import StopRequest

if TYPE_CHECKING:
    from common.training.loop import Loop
    from common.training.run import Run


class Session:
    """The time that a process spends in a run's loops.

    Attributes:
        seconds_before: seconds of training before the current loop was entered.
        clock: seconds of training, as all processes agreed on at the last reading.
    """

    def __init__(self, run: "Run") -> None:
        self.run, self.monitor = run, run.monitor
        self.seconds_before, self.clock = 0.0, 0.0
        self.is_running = False
        self.steps_saved, self.interval = 0, run.checkpoint_seconds
        self.started = self.saved_at = time.monotonic()
        self.metrics_position = run.saved["metrics"] if run.saved else 0
        self.stop_request = StopRequest()

    @property
    def seconds(self) -> float:
        """Seconds of training, those before a resume included."""
        here = time.monotonic() - self.started if self.is_running else 0.0
        return self.seconds_before + here

    def is_out_of_time(self) -> bool:
        """Whether the run's `max_seconds` are over."""
        return self.run.max_seconds is not None and self.clock >= self.run.max_seconds

    def enter(self, loop: "Loop") -> None:
        """Before the first step: continue from the checkpoint, start to show and to listen."""
        run = self.run
        if run.saved is not None:
            restore(run, loop)
            self.steps_saved = run.steps_done
        if run.saved is None and self.metrics_position is not None:
            self.monitor.metrics.start(position=self.metrics_position, step=run.steps_done)
            self.metrics_position = None
        self.started = self.saved_at = time.monotonic()
        self.clock = self.seconds_before
        label = str(run.recorded.get("project", run.folder.name))
        total = loop.total if loop.total < ENDLESS else None
        shown = run.show_progress and run.is_main
        self.monitor.progress = Progress(label, total=total, done=loop.step, enabled=shown)
        self.stop_request.install()
        self.is_running = True

    def finish_step(self, loop: "Loop", batch: Any) -> None:
        """After each step: read the losses, validate, save and stop, each when it is due."""
        run = self.run
        run.steps_done += 1
        row = {"step": run.steps_done, "epoch": round(loop.epoch, 4)} | self.learning_rates()
        due = self.monitor.end_step(row, batch)
        if not (due or loop.ended or loop.step >= loop.total or loop.is_validation_due()):
            return
        rows, agreed = self.monitor.read(self.wishes())
        self.clock, save, terminate, interrupt = agreed
        self.monitor.check(rows, self.last_good)
        speed = {"rate": round(self.monitor.progress.rate(), 2), "seconds": round(self.clock, 3)}
        for row in rows:
            row |= speed
        if loop.validate is not None and (loop.is_validation_due() or loop.is_over()):
            rows[-1]["valid"] = self.validate(loop)
        self.monitor.write(rows)
        if save or terminate or interrupt:
            self.save(loop)
        if terminate or interrupt:
            raise Stopped if terminate else KeyboardInterrupt

    def wishes(self) -> list[float]:
        """The first process's clock and wish to save; whether this process was told to stop."""
        now = time.monotonic()
        is_time = now - self.saved_at >= self.interval
        wishes = [self.seconds, float(is_time)] if self.run.is_main else [0.0, 0.0]
        received = self.stop_request.received
        return [*wishes, float(received == signal.SIGTERM), float(received == signal.SIGINT)]

    def learning_rates(self) -> dict[str, float]:
        """Each network's learning rate, under the name it has in the metrics."""
        return {
            self.run.metric(network, "learning_rate"): network.optimiser.param_groups[0]["lr"]
            for network in self.run.networks
            if network.optimiser is not None
        }

    @torch.no_grad()
    def validate(self, loop: "Loop") -> float:
        """Call the loop's `validate` in eval mode with averaged weights; keep the best."""
        run = self.run
        modules = [module for network in run.networks for module in network.module.modules()]
        modes = [module.training for module in modules]
        self.share_buffers()
        with ExitStack() as stack:
            for network in run.networks:
                network.module.eval()
                stack.enter_context(network.averaged())
            # every process computes the same; the first one's word counts
            value = run.devices.first(float(loop.validate()))
            if loop.note_validation(value):
                for network in run.networks:
                    if network.updates > 0:
                        network.keep_best()
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        if self.monitor.progress is not None:
            self.monitor.progress.valid = value
        return value

    def save(self, loop: "Loop") -> None:
        """Write the checkpoint; NonFiniteLoss rather than over a good one with broken weights."""
        run = self.run
        for network in run.networks:
            if not network.is_finite():
                raise NonFiniteLoss(
                    f"the weights of {network.name} are not finite after step {run.steps_done}, "
                    f"though the loss is: a gradient was not. {self.last_good()} Set clip_norm or "
                    "lower the learning rate."
                )
        self.share_buffers()
        began = time.monotonic()
        position = self.monitor.metrics.flush(sync=True)
        if run.is_main:
            save_checkpoint(run.checkpoint, run_state(run, loop, position))
        run.devices.barrier()  # no process ends while the first still writes
        self.saved_at, self.steps_saved = time.monotonic(), run.steps_done
        if run.checkpoint_seconds > 0:  # of a big model's time writing takes at most a twentieth
            self.interval = max(run.checkpoint_seconds, 20 * (self.saved_at - began))

    def share_buffers(self) -> None:
        """Running statistics are the first process's, as they would be in the checkpoint."""
        for network in self.run.networks:
            self.run.devices.share(network.module.buffers())

    def last_good(self) -> str:
        """Where the last good checkpoint is, for a message."""
        if self.run.checkpoint.exists():
            return f"The last good checkpoint is {self.run.checkpoint} (step {self.steps_saved})."
        return "There is no checkpoint yet."

    def finish_loop(self, loop: "Loop") -> None:
        """After the last step: save, unless nothing was done since the checkpoint."""
        if self.run.steps_done > self.steps_saved:
            self.save(loop)

    def leave(self, loop: "Loop") -> None:
        """Whatever happened: write the metrics, give back the signals, say how it ended."""
        if self.is_running:
            self.seconds_before, self.is_running = self.seconds, False
            self.stop_request.remove()
            self.monitor.metrics.flush()
            self.monitor.progress.close(loop.ended)
