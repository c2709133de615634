#!/usr/bin/env bash
# The research pipelines that benchmarks compare with, in an environment of their own: they are no dependencies of this
# project. gaitmap-mad is AGPL: it only ever runs as a program of its own, and nothing of it is imported or copied.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly PEERS=build/peers
PYTHON=${PYTHON:-python3}

[ -e "$PEERS/ready" ] && exit 0
"$PYTHON" -m venv --clear "$PEERS"
"$PEERS/bin/python" -m pip --disable-pip-version-check install --quiet --progress-bar off \
  gaitmap==2.6.0 gaitmap-mad==2.6.0 mobgap==1.2.0 numpy==2.0.2 vqf==2.1.1
touch "$PEERS/ready"
