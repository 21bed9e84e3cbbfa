#!/bin/sh
# Runs tests on the oldest supported Python with the oldest releases that pyproject.toml allows, in an environment that
# is removed afterwards. Needs uv. Usage: test_oldest.sh [TESTS...]
set -eu
cd "$(dirname "$0")/.."
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
trap 'exit 130' INT TERM
uv venv --quiet --clear --python "${OLDEST_PYTHON:-3.10}" "$environment"
uv pip install --quiet --python "$environment/bin/python" --resolution lowest-direct \
    -r pyproject.toml --extra app --extra train --extra dev
if [ "$#" = 0 ]; then
    set -- tests/media tests/pictures tests/exchange tests/jobs tests/evaluation tests/datasets tests/network
fi
# Old releases use what newer ones of other packages have deprecated: their warnings are no errors here.
PYTHONPATH=src OMP_NUM_THREADS=1 "$environment/bin/python" -m pytest -q -W default -p no:cacheprovider "$@"
