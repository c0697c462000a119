#!/usr/bin/env bash
# Measures how long a flip takes until twenty instances of a service use it: from the written revision to the last acknowledgement.
# Needs jq. Works in a directory of its own and ends everything that it starts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --locked --quiet
cutover=$PWD/target/release/cutover
work=$(mktemp -d)
cp cutover.yaml workloads.yaml "$work"
export CUTOVER_DATA=$work/data
export CUTOVER_NO_INPUT=true
trap '"$cutover" stack down -q 2> "$work/down.log" || true; "$cutover" serve --stop -q || true; rm -rf "$work"' EXIT

cd "$work"
variants='variants: {call: call, events: events}'
printf 'playbook: twenty\nsteps:\n  - id: flag\n    set_flag: {flag: exercise-read, to: call, %s}\n' "$variants" > twenty.yaml
printf '  - id: many\n    deploy: {service: hiring, release: "1.5", instances: 20}\n' >> twenty.yaml
{
  printf 'playbook: flips\nsteps:\n'
  for step in $(seq 1 100); do
    to=events
    if [ $((step % 2)) = 0 ]; then to=call; fi
    printf '  - id: f%s\n    set_flag: {flag: exercise-read, to: %s}\n' "$step" "$to"
  done
} > flips.yaml

"$cutover" stack up -q > up.log 2>&1
"$cutover" plan twenty.yaml -q > plan.log 2>&1 || true
"$cutover" supervise --background -q > supervise.log 2>&1
"$cutover" apply twenty.yaml --yes -q > twenty.log 2>&1
"$cutover" apply flips.yaml --yes -q > flips.log 2>&1
"$cutover" log --output json > log.json
jq -r '
  def at: (.[0:19] + "Z" | fromdate) + ("0" + .[19:23] | tonumber);
  [.events[] | select(.step != null)] | group_by(.step)[]
  | (map(select(.kind == "act_done"))[0].at | at) as $written
  | (map(select(.kind == "step_done"))[0].at | at) - $written' log.json | sort -n > seconds
awk '{ value[NR] = $1 } END {
  printf "flip to acknowledged by 20 instances, %d flips: p50 %.2f s, p99 %.2f s\n", NR, value[int((NR + 1) / 2)], value[int(NR * 0.99)]
}' seconds
