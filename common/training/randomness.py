"""Seeds and random states: each purpose has its own generator, all of them follow from one seed."""

import hashlib
import random
from typing import Any

import numpy as np
import torch


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, unrelated to those of other purposes and seeds.

    >>> derive_seed(0, "noise") == derive_seed(0, "noise") != derive_seed(0, "init")
    True
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def make_generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on a device, seeded for one purpose."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose))


def seed_global(seed: int) -> None:
    """Seed the process's own generators, which dropout and careless code draw from."""
    value = derive_seed(seed, "global")
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002


def global_state() -> dict[str, Any]:
    """The states of torch's (CPU and GPU), NumPy's and Python's own generators."""
    kind, keys, *numbers = np.random.get_state()  # noqa: NPY002
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *numbers],
        "python": [version, torch.tensor(words), gauss],
    }


def load_global_state(state: dict[str, Any]) -> None:
    """Set every generator to where `global_state` found it."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    kind, keys, *numbers = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *numbers))  # noqa: NPY002
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
