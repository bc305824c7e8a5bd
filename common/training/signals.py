"""Being told to stop: finish the step, save, and then go."""

import signal
import threading
from types import FrameType


class StopRequest:
    """Notes SIGTERM and Ctrl-C while a loop runs, so that a step is never cut in half.

    A second Ctrl-C interrupts at once. Outside the main thread signals stay as they are.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.previous: dict[int, object] = {}

    def install(self) -> None:
        """Start to listen."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.previous[number] = signal.signal(number, self.note)

    def remove(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        self.previous.clear()

    def note(self, number: int, frame: FrameType | None) -> None:
        """The handler."""
        if number == signal.SIGINT and self.received is not None:
            raise KeyboardInterrupt
        self.received = number
