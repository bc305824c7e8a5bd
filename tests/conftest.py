"""One thread a process: models under test are tiny, and pytest-xdist runs a process on every core."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported
