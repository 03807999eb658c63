// One message through four processes: its trace id is the caller's, stands in a log line of each, in the audit log, and
// `medidesk-cli trace` tells the way.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { alive, freePort, start, stop, until } from '../support/processes.mjs';

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const cli = (port, ...words) => new Promise((resolve) => execFile(path.join(process.env.MEDIDESK_BIN, 'medidesk-cli'), [`--store_address=127.0.0.1:${port}`, ...words],
  { env: { PATH: process.env.PATH } }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, out: stdout, err: stderr })));

test('the way of a message', async () => {
  const databaseUrl = await createDatabase(pg);
  const ports = { store: await freePort(), assistant: await freePort(), gateway: await freePort(), http: await freePort() };
  const folder = mkdtempSync(path.join(os.tmpdir(), 'trace.'));
  const common = { LOG_LEVEL: 'debug', STORE_ADDRESS: `127.0.0.1:${ports.store}`, ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}`, GATEWAY_ADDRESS: `127.0.0.1:${ports.gateway}` };
  const children = {
    store: start('medidesk-store', ['--metrics_address='], { ...common, LOG_FORMAT: 'json', DATABASE_URL: databaseUrl.toString(), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml' }),
    assistant: start('medidesk-assistant', ['--metrics_address='], common),
    admin: start('medidesk-admin', [], { ...common, LOG_FORMAT: 'json', PORT: String(ports.http) }),
  };
  try {
    await until('readiness', 60, async () => {
      for (const child of Object.values(children)) if (!alive(child)) throw new Error(child.output);
      return (await fetch(`http://127.0.0.1:${ports.http}/readyz`).catch(() => null))?.status === 200;
    });
    const answer = await fetch(`http://127.0.0.1:${ports.http}/functions/v1/whatsapp-webhook`, {
      method: 'POST', headers: { 'content-type': 'application/json', traceparent: `00-${trace}-00f067aa0ba902b7-01` },
      body: JSON.stringify({ phone: '+15550951000', message: 'What are your visiting hours?', messageId: 't-1' }),
    });
    assert.equal(answer.status, 200);
    const { conversationId } = await answer.json();

    const files = [];
    for (const [name, child] of Object.entries(children)) {
      await until(`a line of ${name}`, 10, () => child.output.includes(trace));
      files.push(path.join(folder, `${name}.log`));
      writeFileSync(files.at(-1), child.output);
      assert.doesNotMatch(child.output, /visiting hours|5550951000/i, `${name}: no word and no number of the patient`);
    }
    const sql = new pg.Client(databaseUrl.toString());
    await sql.connect();
    const audit = (await sql.query('select distinct action from audit_log where trace_id = $1 order by 1', [trace])).rows.map((row) => row.action);
    assert.deepEqual(audit, ['message_accepted', 'reply_committed']);
    const [turn] = (await sql.query('select id, trace_id from turns where conversation_id = $1', [conversationId])).rows;
    assert.equal(turn.trace_id, trace);
    await sql.end();

    const told = await cli(ports.store, 'trace', trace, ...files.flatMap((file) => ['--logs', file]));
    assert.equal(told.code, 0, told.err);
    console.log(told.out.trimEnd());
    for (const step of [/assistant +accept /, /store +seal /, /assistant +commit_reply /, /store +answered /, /assistant +returned /,
      /admin +log webhook_answered .*code=200/, /store +log rpc_ended .*ConversationService\/Accept/, /assistant +log turn_finished/]) assert.match(told.out, step);
    const times = [...told.out.matchAll(/^\S+ +([\d.]+) ms/gm)].map(([, ms]) => Number(ms));
    assert.ok(times.length > 8 && times.every((ms, i) => i === 0 || ms >= times[i - 1]));
    const byTurn = JSON.parse((await cli(ports.store, 'trace', turn.id, '--json')).out);
    assert.equal(byTurn.traceId, trace);
    assert.deepEqual(byTurn.turnIds, [turn.id]);
    assert.equal((await cli(ports.store, 'trace', '0'.repeat(31) + '1')).code, 1);
  } finally {
    await Promise.all(Object.values(children).map((child) => stop(child)));
    rmSync(folder, { recursive: true, force: true });
  }
});
