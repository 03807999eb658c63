#!/usr/bin/env bash
# tools/cli.sh COMMAND ...: builds medidesk-cli where it is older than its sources, and runs it with .env loaded.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build run; do . "$ROOT/tools/$part.sh"; done

load_env "$ROOT/.env"
build_programs medidesk-cli
exec "$ROOT/build/release/bin/medidesk-cli" "$@"
