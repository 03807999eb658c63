# Installs what deploy/debian-packages.txt names and the system lacks; sourced after common.sh.

PACKAGE_LIST="$ROOT/deploy/debian-packages.txt"

# package_lines GROUP: the list without comments; GROUP `run` leaves out what only tests need.
package_lines() {
  sed -e "$([[ "$1" == run ]] && printf '/^# \\[tests\\]/,$d')" -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$PACKAGE_LIST"
}

# missing_packages GROUP: the lines of which no alternative is installed.
missing_packages() {
  local line alternative found
  local -A installed=()
  while read -r alternative found; do
    [[ "$found" == ii* ]] && installed["${alternative%%:*}"]=1
  done < <(package_lines "$1" | tr '|' '\n' | xargs dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' 2>/dev/null)
  while read -r line; do
    found=""
    for alternative in ${line//|/ }; do [[ -z "${installed[$alternative]:-}" ]] || found=1; done
    [[ -n "$found" ]] || printf '%s\n' "$line"
  done < <(package_lines "$1")
}

as_root() {
  if [[ "$(id -u)" == 0 ]]; then env DEBIAN_FRONTEND=noninteractive "$@"; else sudo env DEBIAN_FRONTEND=noninteractive "$@"; fi
}

# A line of apt's talk every few seconds; all of it when it fails.
apt_install() {
  local log status
  log="$(mktemp)"
  (
    set -o pipefail
    as_root apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" 2>&1 |
      tee "$log" | thin_lines 'E: *'
  )
  status=$?
  ((status == 0)) || tail -40 "$log"
  rm -f "$log"
  return $status
}

# Installing a PostgreSQL server creates and starts a cluster `main`, which nobody here wants: the
# system's setting is switched off while we install, and put back as it was.
install_without_cluster() {
  local conf=/etc/postgresql-common/createcluster.conf status
  if [[ "$*" == *postgresql* ]]; then
    apt_install postgresql-common || return 1
    as_root sed -i.medidesk -e '$a create_main_cluster = false' "$conf" || return 1
  fi
  apt_install "$@"
  status=$?
  [[ ! -e "$conf.medidesk" ]] || as_root mv "$conf.medidesk" "$conf"
  return $status
}

# ensure_packages run|tests: quick when nothing is missing: one dpkg-query, no apt.
ensure_packages() {
  local line alternative choice
  local -a lines=() wanted=()
  command -v dpkg-query >/dev/null || die "this is not a Debian or Ubuntu system; install what deploy/debian-packages.txt names and call cmake --preset release"
  mapfile -t lines < <(missing_packages "$1")
  ((${#lines[@]} > 0)) || return 0
  if [[ "$(id -u)" != 0 ]] && ! command -v sudo >/dev/null; then
    die "packages are missing and there is no sudo; as root run: apt-get install ${lines[*]%% *}"
  fi
  say "Installing ${#lines[@]} Debian packages: ${lines[*]%% *}"
  as_root apt-get update -q -o DPkg::Lock::Timeout=600 >/dev/null || say "medidesk: apt-get update failed; trying with the lists at hand"
  for line in "${lines[@]}"; do
    choice=""
    for alternative in ${line//|/ }; do
      if [[ -z "$choice" && -n "$(apt-cache policy "$alternative" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9].*\)/\1/p')" ]]; then
        choice="$alternative"
      fi
    done
    [[ -n "$choice" ]] || die "the system's package archive has none of: $line"
    wanted+=("$choice")
  done
  trap ':' INT # dpkg must not be cut in two; Ctrl-C is heard after it
  install_without_cluster "${wanted[@]}" >&2 || die "apt-get could not install the packages; its messages are above"
  trap - INT
}
