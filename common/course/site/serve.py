"""The site on this machine: built again whenever a page is asked for and the tree has changed."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

from common.course.site.build import build
from common.errors import UserError


class Handler(SimpleHTTPRequestHandler):
    """Files of the folder; a page is built before it is sent."""

    def __init__(self, *arguments, rebuild, **options):
        self.rebuild = rebuild
        super().__init__(*arguments, **options)

    def do_GET(self):  # the name is the base class's
        """Send a file."""
        path = self.path.partition("?")[0]
        if path.endswith(("/", ".html")):
            self.rebuild()
        super().do_GET()

    def end_headers(self):
        """Nothing is kept by the browser: the next look shows the next state."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def list_directory(self, path):
        """A folder without a page has nothing to show."""
        self.send_error(404)

    def log_request(self, code="-", size="-"):
        """Only what went wrong is worth a line."""


def serve(root: Path, out: Path, port: int, *, repository: str = "") -> int:
    """Answer the browsers of this machine, and nobody else's, until interrupted."""
    lock = Lock()

    def rebuild() -> None:
        with lock:
            try:
                build(root, out, repository=repository, processes=1)
            except UserError as error:  # a file half written: the last page stays
                print(f"not built: {error}", file=sys.stderr)

    build(root, out, repository=repository)
    handler = partial(Handler, directory=str(out), rebuild=rebuild)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(f"port {port} cannot be used: {error.strerror}; try --port 0.") from None
    with server:
        print(f"http://127.0.0.1:{server.server_port}/  (stop it with Ctrl-C)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0
