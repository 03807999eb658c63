#!/usr/bin/env bash
# ./medidesk bench: every benchmark, one JSON document on standard output; progress on standard error.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build; do . "$ROOT/tools/$part.sh"; done

[[ -x "$ROOT/tests/bench/run" ]] || die "there is no benchmark yet"
ensure_packages tests >&2
build release >&2 || die "the build failed; its messages are above"
exec "$ROOT/tests/bench/run" "$@"
