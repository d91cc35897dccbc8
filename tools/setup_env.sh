#!/bin/sh
# Make .venv with the pinned packages of requirements.lock and edakit itself (editable). Does nothing when it is up to date.
# PYTHON=/path/to/python chooses the interpreter; else the first of python3, python, python3.14 ... python3.11 that is new enough.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
python=$venv/bin/python
stamp=$venv/.edakit-ready
ask='import sys; print(".".join(map(str, sys.version_info[:3]))); sys.exit(sys.version_info < (3, 11))'

state="$(cksum requirements.lock pyproject.toml tools/setup_env.sh) ${PYTHON:-}"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && "$python" -c '' 2>/dev/null; then
    exit 0
fi

found=
chosen=
for candidate in ${PYTHON:-python3 python python3.14 python3.13 python3.12 python3.11}; do
    if version=$("$candidate" -c "$ask" 2>/dev/null); then
        chosen=$candidate
        break
    elif [ -n "${version:-}" ] && [ -z "$found" ]; then
        found="$candidate is Python $version"
    fi
done
if [ -z "$chosen" ]; then
    echo "edakit needs Python 3.11 or newer, but ${found:-no ${PYTHON:-python3} was found}: install one, or name it: make PYTHON=/path/to/python3.12 lab" >&2
    exit 1
fi

echo "Setting up $venv with Python $version (once, about a minute) ..."
rm -f "$stamp"
uv=$(command -v uv || true)
if ! "$python" -c "$ask" >/dev/null 2>&1 || [ -n "${PYTHON:-}" ]; then
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --clear --python "$(command -v "$chosen")" "$venv"
    elif ! "$chosen" -m venv --clear "$venv" >/dev/null 2>&1; then
        echo "Python $version has no working venv module: install it (on Debian and Ubuntu: apt install python3-venv), then run make again" >&2
        exit 1
    fi
fi
if [ -z "$uv" ] && ! "$python" -c 'import uv' 2>/dev/null; then
    # uv is ten times as quick as pip, and its own pin stands in the lock.
    awk '/^[a-z]/ { on = /^uv==/ } on' requirements.lock >"$venv/uv.txt"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/uv.txt" 2>/dev/null || true
fi
if [ -n "$uv" ]; then
    install="$uv pip install --quiet --python $python"
elif "$python" -m uv --version >/dev/null 2>&1; then
    install="$python -m uv pip install --quiet --python $python"
else
    install="$python -m pip install --quiet --disable-pip-version-check"
fi
$install --require-hashes -r requirements.lock
$install --no-deps --no-build-isolation -e .
# A learner's first screen is the notebook, not a question about news.
"$python" -m jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" >/dev/null 2>&1
printf '%s' "$state" >"$stamp"
