"""Execute the notebooks and write them in one normal form, so that a second run gives the same bytes.

    python tools/notebooks.py                 # rebuild all of notebooks/NN_*.ipynb
    python tools/notebooks.py 00 09           # some, by the start of their names
    python tools/notebooks.py --check         # rebuild, compare with the files, write nothing

`--check` compares sources, ids and text to the letter, but a picture only by its size in pixels: another
build of matplotlib or freetype draws the same figure with other bytes. `--exact` compares all bytes.
"""

import argparse
import asyncio
import base64
import difflib
import json
import os
import re
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
LIMIT = 100  # seconds for a whole notebook, two at a time; alone it takes half of that
if os.environ.get("EDAKIT_EVIDENCE"):
    LIMIT = 3600  # every seed of every sweep is run: nobody waits for that
AT_ONCE = 2  # kernels at one time
VIEW = "application/vnd.jupyter.widget-view+json"  # names a model that is gone when the file is opened again
KEPT_METADATA = {"tags", "jupyter", "slideshow"}


def steady(text: str) -> str:
    """Take out what differs from run to run: memory addresses, the kernel's own file names, terminal colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x0", text)
    return re.sub(r"\S*ipykernel_\d+[/\\]\d+\.py", "IPYKERNEL", text)


def join_streams(outputs: list[Any]) -> list[Any]:
    """Put stream pieces of one name together: where the kernel cuts them depends on timing."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def settle(output: Any, count: int) -> None:
    """Normalise one output in place."""
    if output.output_type == "stream":
        output.text = steady(output.text)
    elif output.output_type == "error":
        output.evalue = steady(output.evalue)
        output.traceback = [f"{output.ename}: {output.evalue}"]  # the frames name files of this machine
    else:
        output.data.pop(VIEW, None)
        for kind, value in output.data.items():
            if isinstance(value, str) and not kind.startswith(("image/png", "image/jpeg")):
                output.data[kind] = steady(value)
        if output.output_type == "execute_result":
            output.execution_count = count


def normalise(notebook: Any) -> str:
    """Return the text of the file: numbered ids and counts, no widget state, no addresses, sorted keys."""
    count = 0
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
        cell["metadata"] = {name: value for name, value in cell.metadata.items() if name in KEPT_METADATA}
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count  # never null: nbval refuses a cell that was not run
            cell.outputs = join_streams(cell.outputs)
            for output in cell.outputs:
                settle(output, count)
            cell.outputs = [output for output in cell.outputs if output.get("data", True)]
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    return text.rstrip("\n") + "\n"


async def rebuild(path: Path) -> str:
    """Execute a notebook in its folder with a fresh kernel and return its normal form."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=40"],  # the kernel warns that loopback is not encrypted
        store_widget_state=True,  # False fails with a KeyError on some widgets; normalise() drops the state
        resources={"metadata": {"path": str(path.parent)}},
    )
    await client.async_execute()
    return normalise(notebook)


def size_of_png(data: str) -> str:
    """Return "WxH" from the header of a base64 PNG, or say that it is none."""
    header = base64.b64decode("".join(data.split())[:64])
    if header[:8] != b"\x89PNG\r\n\x1a\n":
        return "not a PNG"
    return "{}x{}".format(*struct.unpack(">II", header[16:24]))


def without_pixels(text: str) -> str:
    """Return the notebook with every PNG replaced by its size."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                output["data"]["image/png"] = size_of_png("".join(png))
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)


def differences(old: str, new: str, *, exact: bool) -> list[str]:
    """Return the first lines in which a file and its rebuilt form differ; empty when they agree."""
    if not exact:
        old, new = without_pixels(old), without_pixels(new)
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "in the file", "rebuilt", lineterm="", n=0)
    return [line[:200] for line in lines][:40]


def chosen(names: list[str]) -> Iterator[Path]:
    """Yield the notebooks whose names start with one of `names`; all of them when there are no names."""
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    starts = [Path(name).name for name in names] or [""]
    for start in starts:
        if not any(path.name.startswith(start) for path in paths):
            known = ", ".join(path.stem for path in paths) or "none"
            raise SystemExit(f"no notebook starts with {start!r}; there are: {known}")
    yield from (path for path in paths if path.name.startswith(tuple(starts)))


async def handle(path: Path, slots: asyncio.Semaphore, args: argparse.Namespace) -> bool:
    """Rebuild one notebook, write or compare it, print its line. Return True when all is well."""
    async with slots:
        start = time.perf_counter()
        try:
            new = await rebuild(path)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"{path.name}: FAILED\n{steady(str(error))}", flush=True)
            return False
        seconds = time.perf_counter() - start
    old = path.read_text(encoding="utf-8")
    found = differences(old, new, exact=args.exact) if args.check else []
    if not args.check and new != old:
        path.write_text(new, encoding="utf-8", newline="\n")
    if args.check:
        verdict = "differs from the file; run: make notebooks" if found else "as in the file"
    else:
        verdict = "unchanged" if new == old else "written"
    slow = f"; over the limit of {LIMIT} s" if seconds > LIMIT else ""
    print("\n".join([f"{path.name}: {seconds:.1f} s, {verdict}{slow}", *found]), flush=True)
    return not found and not slow


async def main(args: argparse.Namespace) -> int:
    """Handle the chosen notebooks, at most AT_ONCE together. Return the exit status."""
    slots = asyncio.Semaphore(AT_ONCE)
    paths = list(chosen(args.names))
    results = await asyncio.gather(*(handle(path, slots, args) for path in paths))
    print(f"{sum(results)} of {len(results)} notebooks are well")
    return 0 if all(results) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help="starts of notebook names, such as 00")
    parser.add_argument("--check", action="store_true", help="compare with the files and write nothing")
    parser.add_argument("--exact", action="store_true", help="with --check: compare the bytes of pictures too")
    with tempfile.TemporaryDirectory() as profile:
        # Kernels get these: no progress bars, a new hash seed for each, and no settings from the user's home.
        os.environ |= {"EDAKIT_CHECK": "1", "PYTHONHASHSEED": "random", "IPYTHONDIR": profile}
        sys.exit(asyncio.run(main(parser.parse_args())))
