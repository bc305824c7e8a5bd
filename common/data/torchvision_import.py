"""Import torchvision where its compiled operators do not fit the installed torch.

The wheel of torchvision on the package index is built for CUDA. Beside a CPU build of torch its
library of operators does not load, and `import torchvision` fails on registering two of them:
"operator torchvision::nms does not exist". We only want its tables and readers, so we declare
the two schemas first. A torchvision that loads is left as it is.
"""

import importlib.machinery
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision() -> ModuleType:
    """torchvision, imported so that missing operators do not stop it.

    Raises:
        ImportError: torchvision is not installed.
    """
    prepare_torchvision()
    import torchvision

    return torchvision


@cache
def prepare_torchvision() -> bool:
    """Make `import torchvision` possible; True if schemas had to be declared. Once a process.

    Call it before importing anything that imports torchvision.
    """
    if "torchvision" in sys.modules or _operators_load():
        return False
    import torch

    for name, schema in _SCHEMAS.items():
        torch.library.define(f"torchvision::{name}", schema)
    return True


def _operators_load() -> bool:
    """Load torchvision's library of operators as its own import will; False if that fails."""
    spec = importlib.util.find_spec("torchvision")  # finds, does not import
    if spec is None or spec.origin is None:
        return True  # nothing to cure
    import torch

    folder = Path(spec.origin).parent
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        library = folder / f"_C{suffix}"
        if library.exists():
            try:
                torch.ops.load_library(str(library))
            except (ImportError, OSError):
                return False
            return True
    return False
