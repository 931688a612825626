#!/bin/sh
# How an image gets Kith: the Dockerfile runs these steps, and so does tests/containers. Run from the repository root.
#
#   install.sh tools TOOLS            uv and the build backend into the folder TOOLS
#   install.sh packages TOOLS ROLE VENV   a virtual environment with the packages of containers/ROLE.lock
#   install.sh kith TOOLS VENV        Kith itself into that environment, as a wheel
#
# PYTHON names the interpreter (default python3). Every package that is downloaded must have the hash of its lock.
set -eu

step=$1
tools=$2

case $step in
tools)
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --no-deps -r bootstrap.lock
    "$tools/bin/uv" pip install --quiet --python "$tools/bin/python" --require-hashes -r containers/build.lock
    ;;
packages)
    "${PYTHON:-python3}" -m venv --without-pip "$4"
    "$tools/bin/uv" pip install --quiet --python "$4/bin/python" --require-hashes \
        -r "containers/$3.lock"
    ;;
kith)
    rm -rf "$tools/wheel"
    "$tools/bin/uv" build --quiet --wheel --no-build-isolation --python "$tools/bin/python" \
        --out-dir "$tools/wheel" .
    "$tools/bin/uv" pip install --quiet --python "$3/bin/python" --no-deps "$tools"/wheel/*.whl
    ;;
*)
    echo "install.sh: unknown step $step" >&2
    exit 2
    ;;
esac
