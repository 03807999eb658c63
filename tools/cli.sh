#!/usr/bin/env bash
# tools/cli.sh COMMAND ...: builds medidesk-cli where it is older than its sources, and runs it with .env loaded.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build run; do . "$ROOT/tools/$part.sh"; done

load_env "$ROOT/.env"
program="$ROOT/build/release/bin/medidesk-cli"
if [[ ! -x "$program" ]]; then
  ensure_packages run
  build release medidesk-cli >&2 || die "the build failed; its messages are above"
else
  # Quiet when nothing is to do; a build that fails tells why.
  log="$(mktemp)" || die "cannot make a temporary file"
  ninja -C "$ROOT/build/release" -j "$(build_jobs)" medidesk-cli >"$log" 2>&1 || {
    cat "$log" >&2
    rm -f "$log"
    die "the build failed; its messages are above"
  }
  rm -f "$log"
fi
exec "$program" "$@"
