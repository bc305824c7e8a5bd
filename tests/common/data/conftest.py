"""A small set of real archives, a server that misbehaves on request, and no mirror by accident."""

import gzip
import hashlib
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from common.data.catalogue import CATALOGUE
from common.data.registry import DatasetInfo, RemoteFile

MIRROR = os.environ.get("DGM_MIRROR")


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path):
    """Every test has an empty DGM_DATA and no mirror unless it asks for one."""
    monkeypatch.setenv("DGM_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DGM_MIRROR", raising=False)


@pytest.fixture
def mirror(monkeypatch) -> Path:
    """The mirror of real archives, where one is at hand."""
    if not MIRROR:
        pytest.skip("needs the real archives: set DGM_MIRROR to a folder or address that has them")
    monkeypatch.setenv("DGM_MIRROR", MIRROR)
    return Path(MIRROR)


def idx(array: np.ndarray) -> bytes:
    """A gzipped IDX file of unsigned bytes."""
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes(), mtime=0)


@dataclass
class Toy:
    """A set in the format of MNIST: 10 training images, 4 test images."""

    info: DatasetInfo
    content: dict[str, bytes]  # by path below the root
    images: np.ndarray
    labels: np.ndarray

    def write(self, folder: Path) -> Path:
        """Lay the archives out below a folder."""
        for path, data in self.content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    @property
    def first(self) -> str:
        """Path of the first archive, the training images."""
        return self.info.files[0].path


@dataclass
class Server:
    """Serves `content`; `behaviour[path]` is "cut", "short", "stall", or a status code."""

    address: str
    content: dict[str, bytes]
    behaviour: dict[str, str | int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def server():
    state = Server("", {})
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            state.requests.append(path)
            how = state.behaviour.get(path)
            data = state.content.get(path)
            if isinstance(how, int) or data is None:
                self.send_error(how if isinstance(how, int) else 404)
                return
            sent = data[: len(data) // 2] if how in ("cut", "short", "stall") else data
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent if how == "short" else data)))
            self.end_headers()
            self.wfile.write(sent)
            if how == "stall":
                self.wfile.flush()
                released.wait(30)

        def log_message(self, *args) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    state.address = f"http://127.0.0.1:{http.server_address[1]}"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield state
    released.set()
    http.shutdown()
    http.server_close()


@pytest.fixture
def toy(monkeypatch, server) -> Toy:
    """The toy set, in the catalogue as "toy", published at the test server."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (14, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, 14, dtype=np.uint8)
    parts = {
        "train-images-idx3-ubyte.gz": idx(images[:10]),
        "train-labels-idx1-ubyte.gz": idx(labels[:10]),
        "t10k-images-idx3-ubyte.gz": idx(images[10:]),
        "t10k-labels-idx1-ubyte.gz": idx(labels[10:]),
    }
    content = {f"toy/TOY/raw/{name}": data for name, data in parts.items()}
    files = tuple(
        RemoteFile(
            path,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            urls=(f"{server.address}/public/{path}",),
        )
        for path, data in content.items()
    )
    info = DatasetInfo(
        name="toy",
        title="A toy",
        shape=(1, 28, 28),
        splits={"train": 8, "valid": 2, "test": 4},
        num_levels=256,
        licence="MIT",
        citation="none",
        source="here",
        num_classes=10,
        forms=(files,),
    )
    server.content.update({f"public/{path}": data for path, data in content.items()})
    monkeypatch.setitem(CATALOGUE, "toy", info)
    return Toy(info, content, images, labels)
