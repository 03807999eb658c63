#!/usr/bin/env bash
# ./medidesk demo [--once]: MediDesk beside stand-ins for WhatsApp and Claude, with a new database and ports of its
# own; nothing of .env is read. A scripted conversation runs on WhatsApp, with --once through the webhook; see
# tools/demo.py.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build postgres run; do . "$ROOT/tools/$part.sh"; done

once=""
[[ "${1:-}" == --once ]] && once=yes && shift
(($# == 0)) || die "usage: ./medidesk demo [--once]"
VAR="${MEDIDESK_VAR:-$ROOT/var}/demo"
mkdir -p "$VAR" || die "cannot make $VAR"
VAR="$(cd "$VAR" && pwd -P)"
take_lock "$VAR" demo

ensure_packages run
programs=(medidesk-all claude-stub)
[[ -n "$once" ]] || programs+=(medidesk-cli whatsapp-sim echo-clinic) # the last is a patient's device here
build release "${programs[@]}" || die "the build failed; its messages are above"

stub_pid="" sim_pid="" app_pid="" stopping=""
stop_all() {
  trap '' INT TERM HUP
  stop_child "$app_pid" 20
  stop_child "$sim_pid" 5
  stop_child "$stub_pid" 5
  postgres_stop
}
trap 'stopping=yes' INT TERM HUP
trap stop_all EXIT

say "Starting a new database, the stand-in for Claude and MediDesk"
database="$(database_folder "$VAR/postgres")" && [[ -n "$database" ]] || die "cannot make $VAR/postgres"
rm -rf "${database:?}/data" "$database/ready" "$database/database_made"
start_database "$VAR/postgres" 0
[[ -z "$stopping" ]] || exit 130

bin="$ROOT/build/release/bin"
# Nothing of the caller's configuration may reach a demo: neither a key nor an address.
clean=(env -i "PATH=$PATH" "HOME=${HOME:-/}" "LANG=C.UTF-8")
: >"$VAR/claude-stub.url"
start_child "$VAR/claude-stub.url" "${clean[@]}" "$bin/claude-stub" --facts --port=0
stub_pid=$CHILD_PID
for ((left = 50; left > 0; left--)); do
  claude_url="$(grep -m1 -o 'http://[^ ]*' "$VAR/claude-stub.url")" && break
  alive "$stub_pid" || break
  sleep 0.1
done
[[ -n "$claude_url" ]] || die "the stand-in for Claude did not start; see $VAR/claude-stub.url"

whatsapp=()
if [[ -z "$once" ]]; then
  : >"$VAR/whatsapp-sim.json"
  start_child "$VAR/whatsapp-sim.json" "${clean[@]}" "$bin/whatsapp-sim"
  sim_pid=$CHILD_PID
  for ((left = 50; left > 0; left--)); do
    whatsapp_url="$(grep -m1 -o 'ws://[^"]*' "$VAR/whatsapp-sim.json")" && break
    alive "$sim_pid" || break
    sleep 0.1
  done
  [[ -n "$whatsapp_url" ]] || die "the stand-in for WhatsApp did not start; see $VAR/whatsapp-sim.json"
  whatsapp=(WHATSAPP_URL="$whatsapp_url" WHATSAPP_ROOT_KEY="$(grep -m1 -o '[0-9a-f]\{64\}' "$VAR/whatsapp-sim.json")")
fi

port="$(free_port 18080)"
assistant_port="$(free_port 17002)"
store_port="$(free_port $((assistant_port + 1)))"
gateway_port="$(free_port $((store_port + 1)))"
# The script writes faster, and more, than people do: it must not be taken for another machine.
start_child "$VAR/medidesk.log" "${clean[@]}" DATABASE_URL="$DATABASE_URL" PORT="$port" MEDIDESK_VAR="$VAR" \
  LOOP_GUARD=false REPLIES_AN_HOUR=0 "${whatsapp[@]}" GATEWAY_ADDRESS="127.0.0.1:$gateway_port" \
  ASSISTANT_ADDRESS="127.0.0.1:$assistant_port" STORE_ADDRESS="127.0.0.1:$store_port" \
  MEDIDESK_MASTER_KEY="$(head -c 32 /dev/urandom | base64 -w0)" \
  ANTHROPIC_API_KEY=demo ANTHROPIC_BASE_URL="$claude_url" \
  "$bin/medidesk-all" --hospital_file="$ROOT/examples/hospital.yaml"
app_pid=$CHILD_PID
if ! wait_ready "$app_pid" "$port" 60; then
  [[ -n "$stopping" ]] && exit 130
  tail -20 "$VAR/medidesk.log" >&2
  die "MediDesk did not become ready; the end of its log is above"
fi

say "Claude's stand-in  $claude_url
MediDesk           http://127.0.0.1:$port/functions/v1/whatsapp-webhook (log: $VAR/medidesk.log)
"
how=(--once)
if [[ -z "$once" ]]; then
  say "WhatsApp's stand-in $whatsapp_url. A phone scans the code of the hospital's number, patients write to it:
"
  how=(--whatsapp="$VAR/whatsapp-sim.json" --programs="$bin" --store="127.0.0.1:$store_port" --gateway="127.0.0.1:$gateway_port")
fi
/usr/bin/python3 -B "$ROOT/tools/demo.py" --url="http://127.0.0.1:$port" \
  --hospital="$ROOT/examples/hospital.yaml" "${how[@]}"
status=$?
[[ -n "$stopping" && -z "$once" ]] && exit 0
exit "$status"
