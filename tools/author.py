"""Write a notebook as plain text, and get plain text back from a notebook.

    python tools/author.py draft.py notebooks/04_name.ipynb      # text to notebook, without outputs
    python tools/author.py --back notebooks/04_name.ipynb draft.py

The notebook is what is kept; the text is a scratch form that an editor and a diff like better. A line
`# %%` opens a code cell, `# %% [markdown]` a cell of prose (each line behind `# `), and
`# %% [tags: raises-exception]` a code cell with tags.
"""

import argparse
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

MARK = re.compile(r"^# %%\s*(?P<prose>\[markdown\])?\s*(?:\[tags:(?P<tags>[^\]]*)\])?\s*$")


def to_notebook(text: str) -> Any:
    """Return the notebook that the text describes; lines before the first mark are dropped."""
    cells: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if mark := MARK.match(line):
            cells.append((mark, []))
        elif line.startswith("# %%"):
            raise SystemExit(f"cannot read the cell mark {line!r}: write # %%, # %% [markdown] or # %% [tags: name]")
        elif cells:
            cells[-1][1].append(line)
    notebook = new_notebook()
    for number, (mark, lines) in enumerate(cells):
        source = "\n".join(re.sub(r"^# ?", "", line) if mark["prose"] else line for line in lines).strip("\n")
        cell = (new_markdown_cell if mark["prose"] else new_code_cell)(source)
        cell["id"] = f"c{number:03d}"
        if mark["tags"]:
            cell.metadata["tags"] = [tag.strip() for tag in mark["tags"].split(",")]
        notebook.cells.append(cell)
    return notebook


def to_text(notebook: Any) -> str:
    """Return the text form; `to_notebook` reads it back to the same cells."""
    blocks = []
    for cell in notebook.cells:
        prose, tags = cell.cell_type == "markdown", cell.metadata.get("tags", [])
        mark = "# %%" + " [markdown]" * prose + (f" [tags: {', '.join(tags)}]" if tags else "")
        lines = [f"# {line}".rstrip() for line in cell.source.splitlines()] if prose else [cell.source]
        blocks.append("\n".join([mark, *lines]))
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--back", action="store_true", help="from notebook to text")
    args = parser.parse_args()
    if args.back:
        args.target.write_text(to_text(nbformat.read(args.source, as_version=4)), encoding="utf-8", newline="\n")
    else:
        nbformat.write(to_notebook(args.source.read_text(encoding="utf-8")), args.target)
