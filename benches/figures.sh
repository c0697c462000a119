#!/usr/bin/env bash
# Measures the program from outside: restart and takeover after kill -9, memory at rest, time and memory of a plan of 30 steps.
# Needs jq and GNU time. Works in a directory of its own and ends everything that it starts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --locked --quiet
cutover=$PWD/target/release/cutover
work=$(mktemp -d)
export CUTOVER_DATA=$work/data
export CUTOVER_NO_INPUT=true
trap '"$cutover" serve --stop -q || true; "$cutover" stack down -q 2> "$work/down.log" || true; rm -rf "$work"' EXIT

cd "$work"
printf 'environments:\n  local:\n    from: stack\n' > cutover.yaml
{
  printf 'playbook: ticking\nsteps:\n'
  for step in $(seq 1 400); do printf '  - id: s%s\n    wait: {for: 50ms}\n' "$step"; done
} > ticking.yaml
{
  printf 'playbook: thirty\nsteps:\n'
  for step in $(seq 1 10); do
    printf '  - id: t%s\n    create_topic: {topic: figures.t%s, partitions: 1}\n' "$step" "$step"
    printf '  - id: f%s\n    set_flag: {flag: figures-%s, to: on}\n' "$step" "$step"
    printf '  - id: n%s\n    note: {text: "number %s"}\n' "$step" "$step"
  done
} > thirty.yaml

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
pid() { jq .pid "$CUTOVER_DATA/server.json"; }

"$cutover" stack up -q > up.log 2>&1
"$cutover" plan thirty.yaml -q > plan.log 2>&1
sleep 3
printf 'idle server: %s MB resident\n' "$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$(pid)/status")"

ticks() { awk '{ print $14 + $15 }' "/proc/$(pid)/stat"; }
before=$(ticks)
for round in 1 2 3 4 5; do
  /usr/bin/time -f '%e %M %U %S' -o "time.$round" "$cutover" plan thirty.yaml -q > plan.log 2>&1
done
served=$(($(ticks) - before))
printf 'plan of 30 steps: %s s, %s kB in the command\n' "$(awk '{ print $1 }' time.* | median)" "$(awk '{ print $2 }' time.* | median)"
awk -v served="$served" -v second="$(getconf CLK_TCK)" '{ own += $3 + $4 } END { printf "own CPU of such a plan: %.0f ms in the command, %.0f ms in the server\n", own / NR * 1000, served / second / NR * 1000 }' time.*

# Thirty resources that terraform has built in, so that nothing is fetched.
if command -v terraform > /dev/null; then
  mkdir terraform
  for step in $(seq 1 30); do printf 'resource "terraform_data" "r%s" {\n  input = "%s"\n}\n' "$step" "$step"; done > terraform/main.tf
  terraform -chdir=terraform init -input=false > terraform.log 2>&1
  for round in 1 2 3 4 5; do
    /usr/bin/time -f '%e %M %U %S' -o "terraform.$round" terraform -chdir=terraform plan -input=false > terraform.log 2>&1
  done
  printf 'terraform plan of 30 built-in resources: %s s, %s kB, ' "$(awk '{ print $1 }' terraform.? | median)" "$(awk '{ print $2 }' terraform.? | median)"
  awk '{ own += $3 + $4 } END { printf "%.0f ms CPU\n", own / NR * 1000 }' terraform.?
fi

# The longest gap between two steps of any of these runs: what a person would see as standstill around a kill.
gap() {
  for run in "$@"; do
    "$cutover" log "$run" --output json | jq '[.events[] | select(.kind == "step_done") | .at | (.[0:19] + "Z" | fromdate) + ("0" + .[19:23] | tonumber)] | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | max'
  done | sort -n | tail -1
}

# Eight runs at once, so that each of two servers drives some of them.
begin() {
  runs=()
  for _ in 1 2 3 4 5 6 7 8; do runs+=("$("$cutover" apply ticking.yaml --yes --detach -q | tail -1)"); done
}

finish() {
  for run in "${runs[@]}"; do "$cutover" runs abort "$run" -q > abort.log 2>&1 || true; done
}

for _ in 1 2 3; do
  begin
  sleep 2
  kill -9 "$(pid)"
  "$cutover" runs -q > runs.log 2>&1
  sleep 8
  gap "${runs[@]}" >> restart
  finish
done
printf 'kill -9, restarted at once: longest gap between two steps %s s (a step is 0.05 s)\n' "$(median < restart)"

for _ in 1 2 3; do
  "$cutover" serve -q > second.log 2>&1 &
  second=$!
  sleep 6
  begin
  sleep 2
  kill -9 "$(pid)"
  sleep 9
  "$cutover" runs -q > runs.log 2>&1
  gap "${runs[@]}" >> takeover
  finish
  kill "$second"
  wait "$second" || true
done
printf 'kill -9 with a second server: longest gap between two steps %s s\n' "$(median < takeover)"
