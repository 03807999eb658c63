#!/usr/bin/env bash
# ./medidesk up: everything on this machine, in the foreground. See `./medidesk help`.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build postgres run; do . "$ROOT/tools/$part.sh"; done

(($# == 0)) || die "up takes no arguments; settings come from the environment or .env (docs/configuration.md)"
load_env "$ROOT/.env"
VAR="${MEDIDESK_VAR:-$ROOT/var}"
mkdir -p "$VAR" || die "cannot make $VAR"
VAR="$(cd "$VAR" && pwd -P)"
export MEDIDESK_VAR="$VAR" PORT="${PORT:-8080}"
take_lock "$VAR" up
port_taken "$PORT" && die "port $PORT is taken by another program; set PORT to a free one"

ensure_packages run
build release medidesk-all medidesk-cli || die "the build failed; its messages are above"

app_pid=""
stopping=""
stop_all() {
  stopping=yes
  trap '' INT TERM HUP
  stop_child "$app_pid" 20
  postgres_stop
}
trap 'stopping=yes' INT TERM HUP
trap stop_all EXIT

private_database=""
if [[ -z "${DATABASE_URL:-}" ]]; then
  private_database=yes
  say "Starting a private PostgreSQL ($VAR/postgres)"
  start_database "$VAR/postgres" "${MEDIDESK_POSTGRES_PORT:-0}"
fi
[[ -z "$stopping" ]] || exit 130
load_master_key "$VAR"

start_child - "$ROOT/build/release/bin/medidesk-all" --hospital_file="${MEDIDESK_HOSPITAL_FILE:-$ROOT/examples/hospital.yaml}"
app_pid=$CHILD_PID
if ! wait_ready "$app_pid" "$PORT" 60; then
  [[ -n "$stopping" ]] && exit 130
  if alive "$app_pid"; then
    say "medidesk: not ready yet; http://127.0.0.1:$PORT/readyz says why. It goes on trying."
  else
    wait "$app_pid"
    die "medidesk-all ended with code $?; its last lines are above"
  fi
fi

# Until somebody has set a password there is one link that lets in the first admin.
first_link="$("$ROOT/build/release/bin/medidesk-cli" --store_address="${STORE_ADDRESS:-127.0.0.1:7003}" --port="$PORT" staff first 2>/dev/null)"

cat >&2 <<TEXT

MediDesk is up$([[ -n "${ANTHROPIC_API_KEY:-}" ]] || printf ' (no ANTHROPIC_API_KEY: answers come from the stored facts alone)').
  desk     ${first_link:-http://127.0.0.1:$PORT/}$([[ -z "$first_link" ]] || printf '\n           (the first admin sets a password there; the link works once, and a new start makes a new one)')
  webhook  http://127.0.0.1:$PORT/functions/v1/whatsapp-webhook
  health   http://127.0.0.1:$PORT/health   readiness /readyz   liveness /livez
  metrics  http://127.0.0.1:$PORT/metrics
  gRPC     ${ASSISTANT_ADDRESS:-127.0.0.1:7002} (medidesk.assistant.v1.AssistantService, with reflection)
$([[ -z "$private_database" ]] || printf '  database psql "$(cat %s)"' "$VAR/database_url")
Ctrl-C stops everything.

TEXT

# Until we are told to stop or the program ends; a private database that dies is started again.
while [[ -z "$stopping" ]] && alive "$app_pid"; do
  if [[ -n "$private_database" ]]; then
    wait -n "$app_pid" "$POSTGRES_PID" 2>/dev/null
    if [[ -z "$stopping" ]] && ! alive "$POSTGRES_PID"; then
      say "medidesk: the private PostgreSQL ended; starting it again"
      restart_database || exit 1
    fi
  else
    wait "$app_pid"
  fi
done
if [[ -n "$stopping" ]]; then
  say "Stopping"
  exit 0
fi
wait "$app_pid"
die "medidesk-all ended by itself with code $?"
