#!/usr/bin/env bash
# Runs inside the new environment, in the directory where Snakemake was started: the root of the checkout.
set -euo pipefail
python -m pip install --constraint constraints.txt .
