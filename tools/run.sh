# Starts MediDesk with what it needs around it; sourced after common.sh, packages.sh, build.sh and
# postgres.sh. Used by `up` and `demo`. Everything started here is ended by its pid, and dies with
# this shell even after kill -9.

# load_env FILE: KEY=VALUE lines into the environment. Nothing is executed; what the environment has
# already wins; quotes around the value are taken off; # starts a comment line.
load_env() {
  local file="$1" line key value number=0
  [[ -f "$file" ]] || return 0
  while IFS= read -r line || [[ -n "$line" ]]; do
    number=$((number + 1))
    line="${line%$'\r'}"
    [[ "$line" =~ ^[[:space:]]*(#.*)?$ ]] && continue
    # The line itself may be a secret: it is not quoted.
    [[ "$line" =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || die "$file, line $number: expected NAME=VALUE"
    key="${BASH_REMATCH[2]}" value="${BASH_REMATCH[3]}"
    if [[ "$value" =~ ^\"(.*)\"[[:space:]]*$ || "$value" =~ ^\'(.*)\'[[:space:]]*$ ]]; then
      value="${BASH_REMATCH[1]}"
    else
      value="${value%"${value##*[![:space:]]}"}"
    fi
    [[ -n "${!key+x}" ]] || export "$key=$value"
  done <"$file"
}

# take_lock FOLDER NAME: one `NAME` at a time for this folder of state.
take_lock() {
  mkdir -p "$1"
  exec {LOCK_FD}>>"$1/lock"
  flock -n "$LOCK_FD" || die "another ./medidesk $2 is running on $1 (pid $(cat "$1/lock.pid" 2>/dev/null)); stop it first"
  echo $$ >"$1/lock.pid"
}

# True when something accepts connections on 127.0.0.1:PORT.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FIRST: FIRST if nobody listens there, else the next free one.
free_port() {
  local port="$1"
  while port_taken "$port"; do port=$((port + 1)); done
  printf '%s' "$port"
}

# database_folder FOLDER: where the cluster of FOLDER lives. Run as root, the server's account must be
# able to reach it: a checkout under a closed folder (/root, say) gets /var/lib/medidesk/<checksum of
# the path>, and FOLDER becomes a link to it.
database_folder() {
  local folder="$1" elsewhere
  if [[ -L "$folder" ]]; then
    readlink -f "$folder"
    return
  fi
  mkdir -p "$folder"
  if [[ "$(id -u)" != 0 ]] || (as_postgres test -x "$folder"); then
    printf '%s' "$folder"
    return
  fi
  elsewhere="/var/lib/medidesk/$(printf '%s' "$folder" | sha256sum | cut -c1-12)"
  mkdir -p "$elsewhere" && rmdir "$folder" && ln -s "$elsewhere" "$folder" && printf '%s' "$elsewhere"
}

# start_database FOLDER PORT: the private cluster with a database and a login `medidesk`; exports DATABASE_URL.
start_database() {
  local folder programs psql
  folder="$(database_folder "$1")" || die "cannot make $1"
  DATABASE_FOLDER="$folder"
  postgres_init "$folder" || exit 1
  postgres_start "$folder" "$2" || exit 1
  programs="$(postgres_programs)"
  psql=("$programs/psql" -X -q -v ON_ERROR_STOP=1 -d "$POSTGRES_URL")
  if [[ ! -e "$folder/database_made" ]]; then
    # createrole: the migrations make the role that the service works as.
    "${psql[@]}" -v password="$(cat "$folder/password")" >/dev/null <<'SQL' || die "cannot prepare the private database"
select format('create role medidesk login createrole password %L', :'password')
  where not exists (select from pg_roles where rolname = 'medidesk') \gexec
select 'create database medidesk owner medidesk' where not exists (select from pg_database where datname = 'medidesk') \gexec
SQL
    : >"$folder/database_made"
  fi
  if [[ -n "$POSTGRES_SOCKET" ]]; then
    export DATABASE_URL="postgresql://medidesk@/medidesk?host=$POSTGRES_SOCKET&port=$POSTGRES_PORT"
  else
    export DATABASE_URL="postgresql://medidesk:$(cat "$folder/password")@127.0.0.1:$POSTGRES_PORT/medidesk"
  fi
  (umask 077 && printf '%s\n' "$DATABASE_URL" >"$(dirname "$1")/database_url") # for psql; the server may move to another port
}

# restart_database: the same cluster on the same port. After a kill -9 its old backends need a moment.
restart_database() {
  local left=10
  while ((left-- > 0)); do
    sleep 1
    postgres_start "$DATABASE_FOLDER" "$POSTGRES_PORT" && return 0
  done
  return 1
}

# A key for sealing what WhatsApp's protocol keeps; made once, kept with mode 0600.
load_master_key() {
  local file="$1/master_key"
  [[ -z "${MEDIDESK_MASTER_KEY:-}" ]] || return 0
  if [[ ! -s "$file" ]]; then
    (umask 077 && head -c 32 /dev/urandom | base64 -w0 >"$file.new" && mv "$file.new" "$file") || die "cannot write $file"
  fi
  MEDIDESK_MASTER_KEY="$(cat "$file")"
  export MEDIDESK_MASTER_KEY
}

# start_child LOG COMMAND...: a child with a session of its own (a Ctrl-C at the terminal is ours to
# hand on) that dies with this shell. LOG `-` is our standard error. Sets CHILD_PID.
start_child() {
  local log="$1"
  shift
  (
    [[ -z "${LOCK_FD:-}" ]] || eval "exec $LOCK_FD>&-"
    [[ "$log" == - ]] && exec 1>&2 || exec >"$log" 2>&1
    exec setsid setpriv --pdeathsig TERM env --default-signal=INT,QUIT "$@"
  ) </dev/null &
  CHILD_PID=$!
}

# stop_child PID SECONDS: TERM, and KILL when that does not help in time.
stop_child() {
  [[ -n "$1" ]] || return 0
  kill -TERM "$1" 2>/dev/null
  if ! wait_gone "$1" "$2"; then
    kill -KILL "$1" 2>/dev/null
    wait_gone "$1" 5
  fi
  wait "$1" 2>/dev/null
  return 0
}

# wait_ready PID PORT SECONDS: until /readyz says 200; fails when the process ends first.
wait_ready() {
  local left=$(($3 * 10)) answer
  while alive "$1"; do
    answer="$(curl -s -o /dev/null -m 2 -w '%{http_code}' "http://127.0.0.1:$2/readyz" 2>/dev/null)"
    [[ "$answer" == 200 ]] && return 0
    ((left-- > 0)) || return 1
    sleep 0.1
  done
  return 1
}
