#!/usr/bin/env bash
# Publishes what tests/gpu/run.sh runs, self-contained, to artifacts/gpu; fails when it is larger than 64 MiB.
set -euo pipefail
cd "$(dirname "$0")/../.."
rm -rf artifacts/gpu
dotnet publish tests/Bnb.Benchmarks -c Release -r linux-x64 --self-contained -o artifacts/gpu \
  -p:PublishSingleFile=true -p:EnableCompressionInSingleFile=true -p:IncludeNativeLibrariesForSelfExtract=true \
  -p:DebugType=none -p:PublishDocumentationFile=false -p:PublishReferencesDocumentationFiles=false -v quiet -nologo
mv artifacts/gpu/Bnb.Benchmarks artifacts/gpu/gpu-run
bytes=$(du -sb artifacts/gpu | cut -f1)
echo "artifacts/gpu: $((bytes >> 20)) MiB"
[ "$bytes" -le $((64 << 20)) ] || { echo "larger than 64 MiB" >&2; exit 1; }
