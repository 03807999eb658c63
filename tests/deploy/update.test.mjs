// An update under load: every process is replaced, one after another, while patients keep writing. Nothing is lost and
// nothing is answered twice; how long the gap was is printed.
//
//   callers -> balancer -> admin a, b -> assistant a, b -> store a, b -> PostgreSQL
//
// `localhost` has two addresses, 127.0.0.1 and ::1, so a name stands for two instances as a headless Service's does.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';
import { alive, freePort, pause, start, startClaude, stop, until } from '../support/processes.mjs';

const patients = 12;
const hosts = { a: '127.0.0.1', b: '[::1]' };

async function startSystem(instances) {
  const databaseUrl = await createDatabase(pg);
  const pool = new pg.Pool({ connectionString: databaseUrl.toString(), max: 2 });
  const claude = await startClaude(['--latency=60ms']);
  const port = { store: await freePort(), assistant: await freePort(), gateway: await freePort() };
  const http = Object.fromEntries(await Promise.all(instances.map(async (name) => [name, await freePort()])));
  const settings = {
    store: (name) => ({ DATABASE_URL: databaseUrl.toString(), STORE_ADDRESS: `${hosts[name]}:${port.store}`, MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml', POOL_SIZE: '4' }),
    assistant: (name) => ({ ASSISTANT_ADDRESS: `${hosts[name]}:${port.assistant}`, STORE_ADDRESS: `localhost:${port.store}`, ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url }),
    gateway: (name) => ({ GATEWAY_ADDRESS: `${hosts[name]}:${port.gateway}`, STORE_ADDRESS: `localhost:${port.store}` }),
    admin: (name) => ({ PORT: String(http[name]), STORE_ADDRESS: `localhost:${port.store}`, ASSISTANT_ADDRESS: `localhost:${port.assistant}`, GATEWAY_ADDRESS: `localhost:${port.gateway}`, WEBHOOK_RATE_PHONE: '0' }),
  };
  const running = {};
  const serving = new Set(instances);  // admins that the balancer sends to
  const system = {
    pool, claude, serving, running,
    start(service, name) {
      running[`${service} ${name}`] = start(`medidesk-${service}`, service === 'admin' ? [] : ['--metrics_address='], settings[service](name));
    },
    // As a probe asks.
    async ready(service, name) {
      const child = running[`${service} ${name}`];
      await until(`${service} ${name}`, 60, async () => {
        if (!alive(child)) throw new Error(`${service} ${name} ended:\n${child.output}`);
        if (service === 'admin') return (await fetch(`http://127.0.0.1:${http[name]}/readyz`).catch(() => null))?.status === 200;
        const asked = start('medidesk-cli', [`--${service}_address=${hosts[name]}:${port[service]}`, '--timeout=2s', 'health', service]);
        return (await asked.ended).code === 0;
      });
    },
    // What Kubernetes or an operator does to one instance: no new requests to it, TERM, the new one, wait until it is
    // ready, and until its callers have found it again: they knock every half second (base/rpc/channel.cc), the chart
    // waits minReadySeconds.
    async replace(service, name) {
      if (service === 'admin') serving.delete(name);
      const ended = await stop(running[`${service} ${name}`]);
      assert.deepEqual(ended, { code: 0, signal: null }, `${service} ${name} stops in good order`);
      system.start(service, name);
      await system.ready(service, name);
      if (service === 'admin') serving.add(name);
      await pause(1000);
    },
    async stop() {
      await Promise.all(Object.values(running).map((child) => stop(child)));
      await Promise.all([stop(claude.child), pool.end()]);
    },
    // One request over a connection of its own to the next admin that serves.
    turn: 0,
    async post(body) {
      const names = [...serving];
      if (names.length === 0) return { status: 0 };
      const name = names[system.turn++ % names.length];
      return request(http[name], body);
    },
  };
  try {
    for (const service of ['store', 'assistant', 'gateway', 'admin']) for (const name of instances) system.start(service, name);
    for (const service of ['store', 'assistant', 'gateway', 'admin']) for (const name of instances) await system.ready(service, name);
  } catch (error) {
    await system.stop();
    throw error;
  }
  return system;
}

// {status, body}; status 0: the connection was refused or lost.
function request(port, body) {
  return new Promise((resolve) => {
    const text = JSON.stringify(body);
    const socket = net.connect(port, '127.0.0.1');
    let answer = '';
    socket.setTimeout(40_000, () => socket.destroy());
    socket.on('connect', () => socket.write(`POST /functions/v1/whatsapp-webhook HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n`
      + `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`));
    socket.on('data', (data) => { answer += data; });
    socket.on('error', () => {});
    socket.on('close', () => {
      const [head, payload] = answer.split('\r\n\r\n');
      const status = Number(head.match(/^HTTP\/1\.1 (\d+)/)?.[1] ?? 0);
      let parsed = null;
      try { parsed = JSON.parse(payload); } catch { return resolve({ status: 0 }); }
      resolve({ status, body: parsed });
    });
  });
}

// Patients who write one message after another, each until it is answered, while `work` runs.
async function underLoad(system, work) {
  const messages = [];
  let going = true;
  const answeredAt = [];
  const callers = Array.from({ length: patients }, async (_, patient) => {
    for (let n = 0; going; ++n) {
      const message = { id: `u-${patient}-${n}`, tries: 0, codes: [] };
      const begin = performance.now();
      for (;;) {
        message.tries += 1;
        const answer = await system.post({ phone: `+1555060${1000 + patient}`, message: `question ${n} of ${patient}`, messageId: message.id });
        if (answer.status === 200) {
          message.response = answer.body.response;
          break;
        }
        message.codes.push(answer.status);
        assert.ok([0, 409, 503].includes(answer.status), `${answer.status} ${JSON.stringify(answer.body)}`);
        if (performance.now() - begin > 60_000) throw new Error(`${message.id} was not answered in a minute: ${message.codes}`);
        await pause(100);
      }
      message.ms = performance.now() - begin;
      answeredAt.push(performance.now());
      messages.push(message);
    }
  });
  try {
    await pause(1000);
    await work();
    await pause(1000);
  } finally {
    going = false;
  }
  await Promise.all(callers);
  answeredAt.sort((x, y) => x - y);
  const gap = Math.max(...answeredAt.slice(1).map((at, i) => at - answeredAt[i]));
  return { messages, gap };
}

async function assertWhole(system, messages) {
  const rows = (await system.pool.query(
    `select m.whatsapp_message_id as id, count(r.id)::int as replies, min(x.content) as reply
       from messages m left join replies r on r.turn_id = m.turn_id left join messages x on x.id = r.id
      where m.direction = 'received' group by m.whatsapp_message_id`)).rows;
  const stored = new Map(rows.map((row) => [row.id, row]));
  assert.equal(stored.size, messages.length, 'every message is stored once');
  for (const message of messages) {
    assert.equal(stored.get(message.id)?.replies, 1, message.id);
    assert.equal(stored.get(message.id).reply, message.response, `${message.id}: the caller got the one answer`);
  }
  const [{ replies, turns }] = (await system.pool.query('select count(*)::int as replies, count(distinct turn_id)::int as turns from replies')).rows;
  assert.equal(replies, turns);
}

function report(what, { messages, gap }) {
  const times = messages.map((message) => message.ms).sort((x, y) => x - y);
  const at = (q) => times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(0);
  const repeated = messages.filter((message) => message.tries > 1);
  const codes = {};
  for (const code of repeated.flatMap((message) => message.codes)) codes[code] = (codes[code] ?? 0) + 1;
  console.log(`${what}: ${messages.length} messages, ${repeated.length} asked for more than once ${JSON.stringify(codes)}; `
    + `to an answer p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${times.at(-1).toFixed(0)} ms; longest time without any answer ${gap.toFixed(0)} ms`);
  return repeated;
}

const hasIpv6 = await new Promise((resolve) => {
  const server = net.createServer().once('error', () => resolve(false)).listen(0, '::1', () => server.close(() => resolve(true)));
});

test('two instances of each service, replaced one after another', { skip: hasIpv6 ? false : 'this machine has no ::1' }, async () => {
  const system = await startSystem(['a', 'b']);
  try {
    const calm = await underLoad(system, () => pause(2000));
    const busy = await underLoad({ ...system, post: (body) => system.post({ ...body, messageId: `2${body.messageId}` }) }, async () => {
      for (const service of ['store', 'assistant', 'gateway', 'admin']) {
        for (const name of ['a', 'b']) await system.replace(service, name);
      }
    });
    for (const message of busy.messages) message.id = `2${message.id}`;
    await assertWhole(system, [...calm.messages, ...busy.messages]);
    report('undisturbed', calm);
    const repeated = report('all eight processes replaced', busy);
    // Who asks an instance that stops is answered by it or by the other one.
    assert.ok(repeated.length * 100 <= busy.messages.length, `${repeated.length} of ${busy.messages.length} had to be repeated`);
    assert.ok(busy.messages.length > patients * 5);
  } finally {
    await system.stop();
  }
});

test('one instance of each service: callers repeat, nothing is lost', async () => {
  const system = await startSystem(['a']);
  try {
    const result = await underLoad(system, async () => {
      for (const service of ['store', 'assistant', 'gateway', 'admin']) await system.replace(service, 'a');
    });
    await assertWhole(system, result.messages);
    const repeated = report('all four processes replaced', result);
    assert.ok(repeated.length > 0, 'the gap was there');
  } finally {
    await system.stop();
  }
});
