#!/usr/bin/env bash
# From a released table to a served version, and back when the table is withdrawn: every role in one shell, against sqlite.
#
#     uv run bash examples/story/story.sh
#
# Everything is written into the working folder: keys, the release, the store.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
say() { printf '\n$ %s\n' "$*"; "$@"; }

python "$here/../release/make_tables.py" >/dev/null
for who in custodian engineer evaluator reviewer gate operator; do
  synthml key new --output "$who.key" >"$who.pub" 2>/dev/null
done
cp "$here/trust.yaml" trust.yaml
export SYNTHML_TRUST=$PWD/trust.yaml

say synthml release "$here/../release/study.yaml" --policy release-default --output released --sign-key custodian.key | tail -2
say synthml run "$here/study.yaml" --release released/release.dsse.json --release-key custodian.pub --sign-key engineer.key | tail -6
version=models:/high-use/1
say synthml evaluate $version "$here/study.yaml" --sign-key evaluator.key | tail -1
say synthml approve $version --policy "$here/policy.yaml" --reason "fit for the pilot" --expires 2030-01-31 --sign-key reviewer.key
say synthml gate $version --policy "$here/policy.yaml" --sign-key gate.key
say synthml promote $version --alias pilot --policy "$here/policy.yaml" --sign-key gate.key
say synthml deployment record $version --environment pilot --endpoint https://ward.example/high-use --by pipeline --sign-key operator.key
source=$(synthml digest "$here/../release/source.parquet" --schema "$here/study.yaml")
say synthml impact "$source"
say synthml recall "$source" --reason "consent withdrawn" --sign-key custodian.key
say synthml impact "$source" --live
if say synthml gate $version --policy "$here/policy.yaml" --sign-key gate.key; then
  echo "a version that depends on a withdrawn table passed"
  exit 1
fi
