// Far more callers than the limits let in: each gets an answer or is told when to come again, memory
// stays flat, nothing accepted is lost.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { alive, freePort, start, startClaude, stop, until } from '../support/processes.mjs';
import { post } from './services.mjs';

const callers = 300, rounds = 3;

const memory = (child, name) => Number(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'))[1]) / 1024;

test('300 callers against small limits', async () => {
  const databaseUrl = await createDatabase(pg);
  const sql = new pg.Pool({ connectionString: databaseUrl.toString(), max: 1 });
  const claude = await startClaude(['--latency=150ms', '--threads=2']);
  const port = await freePort(), base = `http://127.0.0.1:${port}`;
  const system = start('medidesk-all', ['--pool_size=1', '--pool_queue=8', '--http_max_in_flight=64', '--assistant_max_in_flight=48', '--claude_connections=16', '--claude_queue=16'], {
    DATABASE_URL: databaseUrl.toString(), PORT: String(port), GATEWAY_ADDRESS: '', ASSISTANT_ADDRESS: '', STORE_ADDRESS: '',
    MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml', WEBHOOK_RATE_PHONE: '0', ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url,
  });
  try {
    const ready = async () => {
      if (!alive(system)) throw new Error(`medidesk-all ended:\n${system.output}`);
      return (await fetch(`${base}/readyz`).catch(() => null))?.status === 200;
    };
    await until('medidesk-all to be ready', 90, ready);
    const message = (caller, round) => ({
      phone: `+1555040${1000 + caller}`, message: `question ${caller} of ${round}`, messageId: `load-${caller}-${round}`,
    });
    for (let i = 0; i < 20; ++i) assert.equal((await post(base, message(callers + i, 0))).status, 200);

    const before = memory(system, 'VmRSS');
    const codes = {}, answers = new Map();
    await Promise.all(Array.from({ length: callers }, async (_, caller) => {
      for (let round = 0; round < rounds; ++round) {
        const body = message(caller, round);
        const answer = await post(base, body);  // throws when it hangs
        codes[answer.status] = (codes[answer.status] ?? 0) + 1;
        if (answer.status === 200) {
          assert.ok(answer.body.response.length > 0);
          answers.set(body.messageId, answer.body.response);
        } else {
          assert.ok([503, 429].includes(answer.status), `${answer.status} ${JSON.stringify(answer.body)}`);
          assert.ok(Number(answer.headers.get('retry-after')) >= 1, 'says when to come again');
          assert.equal(answer.body.success, false);
        }
      }
    }));
    const grown = memory(system, 'VmHWM') - before;
    console.log(`answers by status ${JSON.stringify(codes)}, memory grew by ${grown.toFixed(1)} MB from ${before.toFixed(1)} MB`);
    assert.ok(codes[200] > 0, 'some are answered');
    assert.ok(codes[503] > 0, 'the limits were reached');
    assert.ok(grown < 64, `memory grew by ${grown.toFixed(1)} MB`);

    await until('readiness', 30, ready);
    const rows = (await sql.query(
      `select m.whatsapp_message_id as id, (select c.phone from conversations c where c.id = m.conversation_id) as phone,
              m.content, t.state, (select x.content from replies r join messages x on x.id = r.id where r.turn_id = t.id) as reply
         from messages m join turns t on t.id = m.turn_id where m.direction = 'received' and m.whatsapp_message_id like 'load-%'`)).rows;
    const stored = new Map(rows.map((row) => [row.id, row]));
    assert.equal(stored.size, rows.length);
    for (const [id, response] of answers) assert.equal(stored.get(id)?.reply, response, id);
    // Accepted and refused all the same: a repeat is answered.
    const open = rows.filter((row) => row.state !== 'answered');
    // Who is busy refuses new messages; an answer that was made is not thrown away.
    assert.ok(open.length * 10 <= rows.length, `${open.length} of ${rows.length} accepted messages were not answered`);
    console.log(`${rows.length} messages stored, ${open.length} of them to be asked for again`);
    for (const row of open) {
      const answer = await until('the repeat to be answered', 60, async () => {
        const again = await post(base, { phone: row.phone, message: row.content, messageId: row.id });
        return again.status === 200 ? again : null;
      });
      assert.ok(answer.body.response.length > 0);
    }
    const [counts] = (await sql.query("select count(*)::int as replies, count(distinct turn_id)::int as turns from replies")).rows;
    assert.equal(counts.replies, counts.turns);
    assert.equal((await post(base, message(callers + 50, 0))).status, 200);
  } finally {
    await Promise.all([stop(system), stop(claude.child), sql.end()]);
  }
});
