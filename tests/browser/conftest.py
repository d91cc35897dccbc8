"""A real JupyterLab on a loopback port and a real Chromium in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
START = 60  # seconds until the server must answer
LOAD = 90_000  # milliseconds until a notebook must have a kernel, on two shared cores
CALM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium on this machine: install it, or name it in CHROMIUM")
    return found or pytest.skip("no Chromium on this machine: install it, or name it in CHROMIUM")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_settings(home: Path) -> dict[str, str]:
    """A theme chosen in one test, or by the person at this machine, must not reach another."""
    names = ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    settings = {name: str(home / name.lower()) for name in (*names, "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    return os.environ | settings | {"JUPYTER_TOKEN": "", "EDAKIT_CHECK": "1"}


@dataclass
class Server:
    url: str
    folder: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("lab")
    folder, log = home / "notebooks", home / "server.log"
    ignore = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    shutil.copytree(NOTEBOOKS, folder, ignore=ignore) if NOTEBOOKS.exists() else folder.mkdir()
    port = free_port()
    line = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    line += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token="]
    line += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    line += ["--LabApp.expose_app_in_browser=True"]
    with log.open("w") as out:
        process = subprocess.Popen(line, env=own_settings(home), stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/api/status", process, log)
            yield Server(f"http://127.0.0.1:{port}", folder)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + START
    while time.monotonic() < limit and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"JupyterLab did not answer within {START} s:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, args=CALM)
        yield instance
        instance.close()


@dataclass
class Notebook:
    """An open notebook, and what the page asked for since it was opened."""

    page: object
    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def run_all(self, seconds: float = 75) -> None:
        """Forget the saved outputs, run all cells, wait until each has run or one has raised."""
        page = self.page
        page.evaluate(FORGET)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        limit, calm = time.monotonic() + seconds, 0
        while calm < 3:  # a reply may overtake the outputs of its cell
            if time.monotonic() > limit:
                pytest.fail(f"not all cells ran within {seconds} s: {page.evaluate(STATE)}")
            page.wait_for_timeout(250)
            calm = calm + 1 if page.evaluate(ALL_DONE) else 0

    def cell(self, index: int) -> object:
        """The cell of that number, scrolled into view: JupyterLab draws only what is near the window."""
        self.page.evaluate(SHOW_CELL, index)
        cell = self.page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]').first
        cell.wait_for(state="attached", timeout=20_000)
        cell.scroll_into_view_if_needed()
        return cell

    def theme(self, name: str) -> None:
        """Choose "JupyterLab Light" or "JupyterLab Dark" and wait until it is there."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})",
            name,
        )
        self.page.wait_for_selector(f'body[data-jp-theme-name="{name}"]', state="attached", timeout=20_000)


NOTEBOOK = "window.jupyterapp.shell.currentWidget.content"
KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
READY = f"""() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady
    && {KERNEL}?.connectionStatus === "connected" && {KERNEL}.status === "idle" """
CODE = f"{NOTEBOOK}.widgets.map(cell => cell.model).filter(model => model.type === 'code')"
FORGET = f"() => {CODE}.forEach(model => model.clearExecution())"
ALL_DONE = f"""() => {{
    const models = {CODE}.filter(model => model.sharedModel.getSource().trim());
    const raised = models.some(model => model.outputs.toJSON().some(output => output.output_type === "error"));
    const ran = models.every(model => model.executionCount > 0);
    const calm = models.every(model => model.executionState === "idle") && {KERNEL}?.status === "idle";
    return (ran || raised) && calm;
}}"""
STATE = f"""() => [{KERNEL}?.status, {KERNEL}?.connectionStatus,
    ...{CODE}.map(model => [model.executionState, model.executionCount])]"""
SHOW_CELL = f"index => {NOTEBOOK}.scrollToItem(index, 'center')"


@pytest.fixture
def open_notebook(server: Server, browser: object) -> Iterator[Callable[[str], Notebook]]:
    contexts = []

    def open_it(name: str) -> Notebook:
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        contexts.append(context)
        notebook = Notebook(context.new_page())
        notebook.page.on("request", lambda request: notebook.hosts.add(urlsplit(request.url).hostname or ""))
        notebook.page.on("pageerror", lambda error: notebook.errors.append(str(error)))
        notebook.page.goto(f"{server.url}/lab/tree/{name}?reset", timeout=LOAD)
        # Run All is lost while the kernel still starts; the indicator of the page says idle even before.
        notebook.page.wait_for_function(READY, timeout=LOAD)
        return notebook

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots; EDAKIT_SHOTS keeps them."""
    folder = Path(os.environ.get("EDAKIT_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
