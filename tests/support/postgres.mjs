// A PostgreSQL of the test's own that can be ended and started again, on the same port and folder. It dies with the test.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root, until } from './processes.mjs';

const script = `
. tools/common.sh
. tools/postgres.sh
folder="$(mktemp -d /tmp/medidesk-postgres.XXXXXX)" || exit 1
trap 'postgres_stop; rm -rf "$folder"' EXIT
trap 'exit 143' INT TERM HUP
settings=(max_connections=200)
postgres_init "$folder" && postgres_start "$folder" 0 "\${settings[@]}" || exit 1
echo "ready $POSTGRES_URL"
while read -r signal; do
  kill "-$signal" "$POSTGRES_PID"
  wait_gone "$POSTGRES_PID" 20 || exit 1
  wait "$POSTGRES_PID" 2>/dev/null
  # The backends of a server that was killed need a moment to notice.
  for ((left = 50; ; left--)); do
    postgres_start "$folder" "$POSTGRES_PORT" "\${settings[@]}" 2>/dev/null && break
    ((left > 0)) || exit 1
    sleep 0.1
  done
  echo "ready $POSTGRES_URL"
done`;

export async function startPostgres() {
  const child = spawn('bash', ['-c', script], { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGTERM'));
  let text = '';
  let ended = false;
  child.stdout.on('data', (data) => { text += data; });
  const exited = new Promise((resolve) => child.once('exit', () => { ended = true; resolve(); }));
  const ready = (count) => until('PostgreSQL', 60, () => {
    if (ended) throw new Error('PostgreSQL does not start');
    return [...text.matchAll(/^ready (\S+)\n/gm)][count - 1]?.[1];
  });
  let starts = 1;
  const url = await ready(starts);
  return {
    url,
    // INT: as an operator does it. QUIT, KILL: as a crash does; the log is replayed at the start.
    async restart(signal) {
      child.stdin.write(`${signal}\n`);
      starts += 1;
      await ready(starts);
    },
    stop() {
      child.stdin.end();
      return exited;
    },
  };
}
