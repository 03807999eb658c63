# Sourced by every shell script of the project: where things are, and how we speak.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"

say() { printf '%s\n' "$*" >&2; }

die() {
  printf 'medidesk: %s\n' "$*" >&2
  exit 1
}

# True when the process `pid` is there and not a zombie.
alive() {
  local state
  state="$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)" && [[ -n "$state" && "$state" != Z ]]
}

# wait_gone PID SECONDS: waits until the process is gone; fails when it outlives the time.
wait_gone() {
  local pid="$1" left=$(($2 * 10))
  while alive "$pid"; do
    ((left-- > 0)) || return 1
    sleep 0.1
  done
}

# thin_lines PATTERN: of standard input a line every five seconds, and each that matches the pattern.
thin_lines() {
  local line next=0
  while IFS= read -r line; do
    # shellcheck disable=SC2053  # a pattern is meant
    if [[ "$line" == $1 ]]; then
      printf '%s\n' "$line"
    elif ((SECONDS >= next)); then
      printf '%s\n' "$line"
      next=$((SECONDS + 5))
    fi
  done
}
