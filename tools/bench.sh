#!/usr/bin/env bash
# ./medidesk bench: every benchmark, one JSON document on standard output; progress on standard error. With arguments: those of
# the webhook's (tests/bench/run --help); the WhatsApp flow's alone is tests/bench/flow.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build; do . "$ROOT/tools/$part.sh"; done

[[ -x "$ROOT/tests/bench/run" ]] || die "there is no benchmark yet"
ensure_packages tests >&2
build release >&2 || die "the build failed; its messages are above"
(($# > 0)) || exec "$ROOT/tests/bench/every"
exec "$ROOT/tests/bench/run" "$@"
