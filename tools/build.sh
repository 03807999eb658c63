# Configures and builds a preset with visible progress; sourced after common.sh.

# How many compilers at once: a translation unit that includes gRPC takes about 1.2 GiB.
build_jobs() {
  local cores memory
  cores="$(nproc)"
  memory=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1258291))
  ((memory < 1)) && memory=1
  printf '%s' "${MEDIDESK_JOBS:-$((cores < memory ? cores : memory))}"
}

# Away from a terminal ninja writes a line per step: few of them are kept, and all that are no step.
thin_steps() {
  local line next=0
  while IFS= read -r line; do
    if [[ "$line" == \[*/*\]* && "$line" != *FAILED* ]] && ((SECONDS < next)); then continue; fi
    [[ "$line" == \[*/*\]* ]] && next=$((SECONDS + 5))
    printf '%s\n' "$line"
  done
}

# build PRESET [TARGET...]
build() {
  local preset="$1" folder="$ROOT/build/$1"
  shift
  if [[ ! -f "$folder/build.ninja" ]]; then
    say "Configuring ($preset)"
    mkdir -p "$folder"
    if ! (cd "$ROOT" && cmake --preset "$preset") >"$folder/configure.log" 2>&1; then
      tail -30 "$folder/configure.log" >&2
      return 1
    fi
  fi
  say "Building ($preset)"
  if [[ -t 1 ]]; then
    NINJA_STATUS='[%f/%t] ' ninja -C "$folder" -j "$(build_jobs)" "$@"
  else
    (set -o pipefail; NINJA_STATUS='[%f/%t] ' ninja -C "$folder" -j "$(build_jobs)" "$@" 2>&1 | thin_steps)
  fi
}

# build_programs PROGRAM...: of the release preset, quietly where nothing or little is to do; a build that fails
# tells why. Needs packages.sh.
build_programs() {
  local program log
  for program in "$@"; do
    [[ -x "$ROOT/build/release/bin/$program" ]] && continue
    ensure_packages run >&2
    build release "$@" >&2 || die "the build failed; its messages are above"
    return
  done
  log="$(mktemp)" || die "cannot make a temporary file"
  ninja -C "$ROOT/build/release" -j "$(build_jobs)" "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    rm -f "$log"
    die "the build failed; its messages are above"
  }
  rm -f "$log"
}
