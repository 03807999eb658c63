#!/usr/bin/env bash
# ./medidesk doctor ...: builds the programs that look (medidesk-cli, medidesk-store, medidesk-assistant) where they
# are older than their sources, and runs the checks. The .env file is read by doctor itself: one that does not
# parse is a finding.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build; do . "$ROOT/tools/$part.sh"; done

build_programs medidesk-cli medidesk-store medidesk-assistant
export MEDIDESK_VAR="${MEDIDESK_VAR:-$ROOT/var}"
exec "$ROOT/build/release/bin/medidesk-cli" doctor --env "$ROOT/.env" "$@"
