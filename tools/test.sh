#!/usr/bin/env bash
# ./medidesk test [--quick] [--fuzz-seconds N] [FILTER]: see `./medidesk help` and CONTRIBUTING.md.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
for part in packages build; do . "$ROOT/tools/$part.sh"; done

# Checked before anything is installed or built.
usage="usage: ./medidesk test [--quick] [--fuzz-seconds N] [FILTER]"
arguments=("$@")
filter=""
while (($# > 0)); do
  case "$1" in
    --quick) ;;
    --fuzz-seconds)
      [[ "${2:-}" =~ ^[0-9]+$ ]] || die "$usage"
      shift
      ;;
    --fuzz-seconds=*) [[ "${1#*=}" =~ ^[0-9]+$ ]] || die "$usage" ;;
    -*) die "$usage" ;;
    *)
      [[ -z "$filter" ]] || die "$usage"
      filter="$1"
      ;;
  esac
  shift
done

ensure_packages tests
build release || die "the build failed; its messages are above"
exec "$ROOT/tests/with-postgres" /usr/bin/python3 "$ROOT/tools/run_tests.py" ${arguments[@]+"${arguments[@]}"}
