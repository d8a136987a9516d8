#!/bin/sh
# Prints a Python that can build the environment: 3.11 or newer, with venv and ensurepip.
# PYTHON=… names the one to use; otherwise python3 is tried first, then python3.14 down to python3.11.
set -u

new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
complete='import ensurepip, venv'
incomplete=''

for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    "$candidate" -c "$new_enough" >/dev/null 2>&1 || continue
    if "$candidate" -c "$complete" >/dev/null 2>&1; then
        command -v "$candidate"
        exit 0
    fi
    incomplete=$candidate
done

if [ -n "$incomplete" ]; then
    echo "error: $incomplete has no venv and ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "error: PYTHON=$PYTHON is not a Python 3.11 or newer that runs." >&2
else
    echo "error: no Python 3.11 or newer found. Install one, or name it: make PYTHON=/path/to/python3" >&2
fi
exit 1
