"""What a person sees of a run: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import TextIO

from tqdm import tqdm

BAR = "{desc}|{bar:10}| {n_fmt}/{total_fmt}{postfix} {remaining}"
ENDLESS = "{desc}{n_fmt} steps{postfix} {elapsed}"


class Progress:
    """Loss, rate and validation of a run, on stderr.

    On a terminal a bar that fits into 80 columns; anywhere else (a log file, a job's output) a line
    every tenth of the way, and at least once a minute.

    Args:
        label: the first word.
        total: steps there will be, or None if only the clock ends the run.
        done: steps already made.
        enabled: False says nothing at all.
        stream: where to write; stderr if None.
    """

    def __init__(
        self,
        label: str,
        *,
        total: int | None,
        done: int,
        enabled: bool,
        stream: TextIO | None = None,
    ) -> None:
        self.label, self.total, self.step, self.enabled = label, total, done, enabled
        self.stream = stream or sys.stderr
        self.first, self.started = done, time.monotonic()
        self.spoke = self.started
        self.loss: float | None = None
        self.valid: float | None = None
        self.note = ""
        self.bar = None
        if enabled and self.stream.isatty():
            self.bar = tqdm(
                total=total,
                initial=done,
                desc=label[:12],
                file=self.stream,
                bar_format=BAR if total else ENDLESS,
                dynamic_ncols=True,
                leave=True,
            )

    def rate(self) -> float:
        """Steps a second since the start."""
        return (self.step - self.first) / max(time.monotonic() - self.started, 1e-9)

    def update(self, step: int, loss: float | None) -> None:
        """Note a step; shown when it is time."""
        before, self.step = self.step, step
        if loss is not None:
            self.loss = loss
        if not self.enabled:
            return
        now = time.monotonic()
        if self.bar is not None:
            if now - self.spoke > 0.1:
                self.show(now)
            return
        tenth = self.total / 10 if self.total else float("inf")
        if now - self.spoke > 60 or (now - self.spoke > 1 and before // tenth != step // tenth):
            self.show(now)

    def show(self, now: float) -> None:
        """Draw the bar, or write a line."""
        self.spoke = now
        values = [f"{name} {value:.4g}" for name, value in self.values().items()]
        rate = self.rate()
        values.append(f"{rate:.0f}/s" if rate >= 100 else f"{rate:.3g}/s")
        if self.bar is not None:
            self.bar.postfix = " ".join(values)
            self.bar.n = self.step
            self.bar.refresh()
        else:
            of = f"/{self.total}" if self.total else ""
            print(f"{self.label}: step {self.step}{of} ", *values, file=self.stream, flush=True)

    def values(self) -> dict[str, float]:
        """The numbers there are so far."""
        named = {"loss": self.loss, "valid": self.valid}
        return {name: value for name, value in named.items() if value is not None}

    def close(self, note: str = "") -> None:
        """The last word: where the run stands and why it ended."""
        if not self.enabled:
            return
        if self.step > self.first:
            self.show(time.monotonic())
        if self.bar is not None:
            self.bar.close()
        if note:
            print(f"{self.label}: {note}", file=self.stream, flush=True)
