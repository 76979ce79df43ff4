#!/usr/bin/env bash
# One prepared run for a machine with a GPU: tests/gpu/run.sh OUT [DEVICE]
#
# Equality of all kernels and of whole files with the CPU, faults, kernel speeds as shares of the device's own copy, products
# beside cuBLAS, streaming beside the CPU. Writes OUT/gpu.md and OUT/gpu.json and prints "N passed, N failed". At most eight
# minutes; a run that was cut off goes on where it stopped when it is started again with the same OUT.
#
# Exit codes: 0 all passed, 1 some failed, 2 wrong arguments, 16 no usable device, 124 cut off after eight minutes. DEVICE
# cpu-sim:0 is the simulator, which needs no GPU and goes through everything with little data.
#
# Needs nothing but the driver once tests/gpu/publish.sh has made artifacts/gpu, which travels as a folder of at most 64 MiB.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:?usage: tests/gpu/run.sh OUT [DEVICE]}
program=artifacts/gpu/gpu-run
[ -x "$program" ] || tests/gpu/publish.sh
mkdir -p "$out"
timeout 480 "$program" gpu-run "$out" "${@:2}"
