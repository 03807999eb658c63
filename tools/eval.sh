#!/usr/bin/env bash
# ./medidesk eval [--set FILE] ...: builds medidesk-eval (no gRPC: seconds) and runs it in the caller's folder.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build; do . "$ROOT/tools/$part.sh"; done

build_programs medidesk-eval
case " $* " in
  *" --set"* | *" --text"* | *" --help"*) exec "$ROOT/build/release/bin/medidesk-eval" "$@" ;;
  *) exec "$ROOT/build/release/bin/medidesk-eval" --set "$ROOT/tests/eval/development.jsonl" "$@" ;;
esac
