# Private PostgreSQL clusters, sourced after common.sh. One cluster is one folder:
#
#   FOLDER/data      initdb's cluster          FOLDER/log       the server's log
#   FOLDER/socket/   the unix socket           FOLDER/password  of the superuser `postgres`, mode 0600
#
# The server listens on 127.0.0.1 (scram) and on the socket (no password: the folder has mode 0700).
# PostgreSQL refuses to run as root, so for root it runs as the user `postgres`, who owns FOLDER.
# The server is a child of the calling shell and dies with it (pdeathsig), even after kill -9; it
# has a session of its own, so a Ctrl-C at the terminal reaches the caller alone.

# The newest installed server's programs; PostgreSQL 15 is preferred.
postgres_programs() {
  local folder
  for folder in /usr/lib/postgresql/15/bin $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -Vr); do
    if [[ -x "$folder/postgres" && -x "$folder/initdb" ]]; then
      printf '%s' "$folder"
      return
    fi
  done
  return 1
}

# postgres_user: the account the server runs as; empty when that is the caller's own.
postgres_user() {
  [[ "$(id -u)" == 0 ]] && printf postgres
  return 0
}

# as_postgres COMMAND...: replaces the (sub)shell by the command, run as the server's account.
as_postgres() {
  if [[ "$(id -u)" == 0 ]]; then
    exec setpriv --reuid=postgres --regid=postgres --init-groups --pdeathsig=INT "$@"
  fi
  exec setpriv --pdeathsig=INT "$@"
}

# postgres_init FOLDER: makes the cluster when it is not there yet.
postgres_init() {
  local folder="$1" programs user
  programs="$(postgres_programs)" || { say "medidesk: PostgreSQL's server programs are missing: run ./medidesk up once, or install postgresql-15"; return 1; }
  user="$(postgres_user)"
  if [[ -n "$user" ]] && ! id "$user" >/dev/null 2>&1; then
    say "medidesk: the account '$user' is missing: install the package postgresql-common"
    return 1
  fi
  mkdir -p "$folder" && chmod 0700 "$folder" || return 1
  [[ -z "$user" ]] || chown "$user:" "$folder" || return 1
  if [[ -n "$user" ]] && ! (as_postgres test -w "$folder"); then
    say "medidesk: the account '$user' cannot reach $folder"
    return 1
  fi
  [[ -s "$folder/data/PG_VERSION" && -e "$folder/ready" ]] && return 0
  rm -rf "$folder/data"
  (umask 077 && head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$folder/password") || return 1
  [[ -z "$user" ]] || chown "$user:" "$folder/password" || return 1
  mkdir -p "$folder/socket" && { [[ -z "$user" ]] || chown "$user:" "$folder/socket"; } || return 1
  if ! (cd / && as_postgres "$programs/initdb" --pgdata="$folder/data" --username=postgres --pwfile="$folder/password" \
    --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8) >"$folder/initdb.log" 2>&1; then
    say "medidesk: initdb failed:"
    tail -5 "$folder/initdb.log" >&2
    return 1
  fi
  : >"$folder/ready" # initdb was not cut short
}

# True when a unix socket can live there: the kernel's limit is 107 bytes, and odd characters
# would need quoting in postgresql.conf and in every URL.
socket_usable() { [[ ${#1} -le 80 && "$1" =~ ^[A-Za-z0-9/._-]+$ ]]; }

# postgres_start FOLDER PORT [SETTING...]: starts the server and waits until it answers. PORT 0 takes
# a free one. Sets POSTGRES_PID, POSTGRES_PORT and POSTGRES_URL (superuser, 127.0.0.1, database `postgres`).
postgres_start() {
  local folder="$1" port="$2" programs setting attempts=1 socket="" log="$1/log"
  shift 2
  programs="$(postgres_programs)" || return 1
  local -a settings=(-c listen_addresses=127.0.0.1 -c fsync=on -c shared_buffers=128MB -c jit=off
    -c max_connections=60 -c logging_collector=off -c "log_line_prefix=%m [%p] ")
  for setting in "$@"; do settings+=(-c "$setting"); done
  socket_usable "$folder/socket" && socket="$folder/socket"
  settings+=(-c "unix_socket_directories=$socket")
  [[ "$port" == 0 ]] && attempts=20
  while ((attempts-- > 0)); do
    # Below the ephemeral ports, so that no outgoing connection holds it.
    POSTGRES_PORT="$port"
    [[ "$port" == 0 ]] && POSTGRES_PORT=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (
      cd /
      # Locks that the caller holds must not live on in the server.
      [[ -z "${LOCK_FD:-}" ]] || eval "exec $LOCK_FD>&-"
      umask 077
      if [[ "$(id -u)" == 0 ]]; then
        exec setsid setpriv --reuid=postgres --regid=postgres --init-groups --pdeathsig=INT \
          "$programs/postgres" -D "$folder/data" -p "$POSTGRES_PORT" "${settings[@]}"
      fi
      exec setsid setpriv --pdeathsig=INT "$programs/postgres" -D "$folder/data" -p "$POSTGRES_PORT" "${settings[@]}"
    ) </dev/null >"$log" 2>&1 &
    POSTGRES_PID=$!
    while alive "$POSTGRES_PID"; do
      if "$programs/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT" && grep -q 'ready to accept connections' "$log"; then
        POSTGRES_URL="postgresql://postgres:$(cat "$folder/password")@127.0.0.1:$POSTGRES_PORT/postgres"
        POSTGRES_SOCKET="$socket"
        return 0
      fi
      sleep 0.05
    done
    wait "$POSTGRES_PID" 2>/dev/null
    POSTGRES_PID=""
    grep -q 'Address already in use' "$log" || break
  done
  say "medidesk: PostgreSQL did not start; the end of its log ($log):"
  tail -5 "$log" >&2
  return 1
}

# postgres_stop: ends the server started by postgres_start: fast shutdown, then immediate.
postgres_stop() {
  [[ -n "${POSTGRES_PID:-}" ]] || return 0
  kill -INT "$POSTGRES_PID" 2>/dev/null
  if ! wait_gone "$POSTGRES_PID" 20; then
    kill -QUIT "$POSTGRES_PID" 2>/dev/null
    wait_gone "$POSTGRES_PID" 10 || say "medidesk: PostgreSQL (pid $POSTGRES_PID) does not end"
  fi
  wait "$POSTGRES_PID" 2>/dev/null
  POSTGRES_PID=""
}
