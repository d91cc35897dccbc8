"""Start JupyterLab at the first notebook, on this machine only, and say which address to open."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
FIRST = "00_start_here.ipynb"
PORTS = range(8888, 8988)
PATIENCE = 60  # seconds until the server must answer


def has_display() -> bool:
    """Say whether a browser window can be opened where this runs."""
    if os.environ.get("CI"):
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return "SSH_CONNECTION" not in os.environ


def free_port() -> int:
    """Return the first port of PORTS that nobody listens on."""
    for port in PORTS:
        with socket.socket() as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit(f"no free port from {PORTS[0]} to {PORTS[-1]}: close another JupyterLab first")


def command(port: int, *, browser: bool) -> list[str]:
    """Return the command line of the server."""
    line = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    line += [f"--ServerApp.root_dir={NOTEBOOKS}", "--ServerApp.log_level=WARN", "--LabApp.log_level=WARN"]
    if not browser:
        line.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")  # refused otherwise, and in a container there is often no other user
    return [*line, str(NOTEBOOKS / FIRST)] if browser else line


def answers(port: int, token: str) -> bool:
    """Say whether the server is up."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"})
    try:
        with urllib.request.urlopen(request, timeout=2) as reply:  # noqa: S310 (the address is ours)
            return "started" in json.load(reply)
    except (OSError, urllib.error.URLError):
        return False


def main() -> int:
    """Run the server until it ends or Ctrl-C. Return its exit status."""
    if not (NOTEBOOKS / FIRST).exists():
        raise SystemExit(f"notebooks/{FIRST} is missing: run this from a complete copy of the repository")
    port, token, browser = free_port(), secrets.token_hex(16), has_display()
    server = subprocess.Popen(command(port, browser=browser), env=os.environ | {"JUPYTER_TOKEN": token})
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        limit = time.monotonic() + PATIENCE
        while server.poll() is None and not answers(port, token):
            if time.monotonic() > limit:
                server.terminate()
                raise SystemExit(f"JupyterLab did not answer on port {port} within {PATIENCE} s")
            time.sleep(0.2)
        if server.poll() is None:
            where = "Opening" if browser else "Open this address in a browser:"
            print(f"{where} http://127.0.0.1:{port}/lab/tree/{FIRST}?token={token}\nCtrl-C ends it.", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait(timeout=20)
        return 0


if __name__ == "__main__":
    sys.exit(main())
