// supabase-js as dashboards use it, and every row of the webhook's contract.
import { test, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { createHmac } from 'node:crypto';
import { createClient as create, FunctionsHttpError } from '@supabase/supabase-js';
import ws from 'ws';
import { databaseProxy, makeDatabase, startClaude, startSystem, stop, until } from './system.mjs';

// Node 20 has no WebSocket of its own.
const createClient = (url, key) => create(url, key, { realtime: { transport: ws } });

let claude, proxy, system, supabase;
before(async () => {
  claude = await startClaude();
  proxy = await databaseProxy(await makeDatabase());
  system = await startSystem({ env: { ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url }, databaseUrl: proxy.url });
  supabase = createClient(system.base, 'anon');
});
after(async () => {
  await system?.stop();
  await proxy?.close();
  if (claude) await stop(claude.child);
});
beforeEach(() => claude.control('reset', {}));

let counter = 0;
const phone = () => `+1555020${String(1000 + counter++)}`;
const invoke = (body, options = {}) => supabase.functions.invoke('whatsapp-webhook', { body, ...options });

test('invoke gives the answer', async () => {
  const { data, error } = await invoke({ phone: phone(), message: 'hello there', messageId: 'a1', timestamp: new Date().toISOString() });
  assert.equal(error, null);
  assert.equal(data.success, true);
  assert.match(data.response, /stub: hello there$/);
  assert.match(data.conversationId, /^[0-9a-f-]{36}$/);
  assert.equal(data.status, 'active');
});

test('a body sent as text and a region are taken as well', async () => {
  const { data, error } = await invoke(JSON.stringify({ phone: phone(), message: 'as text' }), { region: 'eu-west-1' });
  assert.equal(error, null);
  assert.match(data.response, /as text$/);
});

test('writes the rows that the original wrote', async () => {
  const sender = phone();
  const { data } = await invoke({ phone: sender.slice(1), message: 'rows', messageId: 'wa-77' });
  const rows = await system.sql('select * from messages where conversation_id = $1 order by seq', [data.conversationId]);
  assert.deepEqual(rows.map((row) => [row.sender, row.direction]), [[sender, 'received'], ['assistant', 'sent']]);
  assert.equal(rows[0].content, 'rows');
  assert.equal(rows[0].whatsapp_message_id, 'wa-77');
  assert.equal(rows[1].content, data.response);
  const [conversation] = await system.sql('select phone, status from conversations where id = $1', [data.conversationId]);
  assert.deepEqual(conversation, { phone: sender, status: 'active' });
});

test('the same messageId is answered once', async () => {
  const body = { phone: phone(), message: 'once', messageId: 'twice' };
  const first = await invoke(body), second = await invoke(body);
  assert.equal(second.data.response, first.data.response);
  assert.equal(second.data.duplicate, true);
  assert.equal(await claude.asked(), 1);
});

test('the same messageId at the same time is answered once', async () => {
  await claude.control('inject', { mode: 'delay', delay_ms: 400, path: '/v1/messages' });
  const body = { phone: phone(), message: 'storm', messageId: 'storm' };
  const answers = await Promise.all(Array.from({ length: 10 }, () => system.post(body)));
  const good = answers.filter((answer) => answer.status === 200);
  assert.ok(good.length >= 1);
  for (const answer of answers) assert.ok(answer.status === 200 || answer.status === 409, String(answer.status));
  assert.equal(new Set(good.map((answer) => answer.body.response)).size, 1);
  assert.equal(await claude.asked(), 1);
  const [{ count }] = await system.sql("select count(*)::int from messages m join conversations c on c.id = m.conversation_id where c.phone = $1", [body.phone]);
  assert.equal(count, 2);
});

test('takeover gives null until a red flag', async () => {
  const sender = phone();
  const { data } = await invoke({ phone: sender, message: 'hi' });
  await system.sql("update conversations set status = 'human_takeover' where id = $1", [data.conversationId]);
  const taken = await invoke({ phone: sender, message: 'anybody?' });
  assert.equal(taken.data.success, true);
  assert.equal(taken.data.response, null);
  assert.equal(taken.data.status, 'human_takeover');
  const flag = await invoke({ phone: sender, message: 'my chest feels tight and my left arm is numb' });
  assert.match(flag.data.response, /112/);
  assert.equal(flag.data.status, 'human_takeover');
});

test('every malformed request is 400 with a JSON body', async () => {
  const wrong = [
    {}, { phone: '+15550200001' }, { message: 'x' }, { phone: '', message: 'x' }, { phone: 'abc', message: 'x' },
    { phone: {}, message: 'x' }, { phone: null, message: 'x' }, { phone: '+15550200001', message: 5 },
    { phone: '+15550200001', message: '   ' }, { phone: '+15550200001', message: 'x'.repeat(4097) }, [],
  ];
  for (const body of wrong) {
    const { data, error } = await invoke(body);
    assert.equal(data, null, JSON.stringify(body).slice(0, 60));
    assert.ok(error instanceof FunctionsHttpError);
    assert.ok([400, 422].includes(error.context.status));
    const told = await error.context.json();
    assert.equal(told.success, false);
    assert.equal(typeof told.error, 'string');
    assert.equal(typeof told.code, 'string');
    assert.equal(typeof told.requestId, 'string');
  }
  for (const raw of ['', 'no json', '"text"', '{"phone":"+15550200001","message":"cut', Buffer.from([0x7b, 0xff, 0x7d]), '['.repeat(200)]) {
    const answer = await fetch(`${system.base}/functions/v1/whatsapp-webhook`, { method: 'POST', body: raw });
    assert.equal(answer.status, 400);
    assert.equal((await answer.json()).success, false);
  }
  const form = new FormData();
  form.append('phone', '1');
  assert.equal((await fetch(`${system.base}/functions/v1/whatsapp-webhook`, { method: 'POST', body: form })).status, 415);
  const [{ count }] = await system.sql("select count(*)::int from conversations where phone = '+15550200001'");
  assert.equal(count, 0);
});

test('4,096 characters are taken, counted after normalisation', async () => {
  const { error } = await invoke({ phone: phone(), message: 'e\u0301'.repeat(4096) });
  assert.equal(error, null);
});

test('paths and methods', async () => {
  const status = async (method, where) => (await fetch(system.base + where, { method })).status;
  assert.equal(await status('GET', '/functions/v1/whatsapp-webhook'), 405);
  assert.equal(await status('DELETE', '/functions/v1/whatsapp-webhook'), 405);
  assert.equal(await status('POST', '/functions/v1/other'), 404);
  const { error } = await supabase.functions.invoke('other', { body: {} });
  assert.equal(error.context.status, 404);
  assert.equal((await error.context.json()).success, false);
  assert.equal((await fetch(`${system.base}/whatsapp-webhook`, { method: 'POST', body: JSON.stringify({ phone: phone(), message: 'x' }) })).status, 200);
});

test('a body above 1 MiB is 413, whatever its framing', async () => {
  const big = 'x'.repeat(1024 * 1024 + 1);
  const whole = await fetch(`${system.base}/functions/v1/whatsapp-webhook`, { method: 'POST', body: big });
  assert.equal(whole.status, 413);
  assert.equal(whole.headers.get('access-control-allow-origin'), '*');
  const chunked = await new Promise((resolve, reject) => {
    const request = http.request(`${system.base}/functions/v1/whatsapp-webhook`, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    request.on('error', reject);
    for (let i = 0; i < 20; ++i) request.write('y'.repeat(64 * 1024));
    request.end();
  });
  assert.equal(chunked, 413);
});

test('browsers get their headers on every answer', async () => {
  const url = `${system.base}/functions/v1/whatsapp-webhook`;
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin: 'https://desk.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'apikey,authorization,content-type,x-client-info' },
  });
  assert.ok([200, 204].includes(preflight.status));
  assert.match(preflight.headers.get('access-control-allow-methods'), /POST/);
  for (const header of ['authorization', 'x-client-info', 'apikey', 'content-type']) {
    assert.ok(preflight.headers.get('access-control-allow-headers').toLowerCase().includes(header), header);
  }
  for (const answer of [preflight, await fetch(url), await fetch(url, { method: 'POST', body: '{' }), await fetch(`${system.base}/functions/v1/other`, { method: 'POST' })]) {
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', String(answer.status));
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
  }
});

test('a model that is down is 200 with a fallback text and a task', async () => {
  await claude.control('inject', { times: 20, mode: 'http', status: 529, type: 'overloaded_error', message: 'x', path: '/v1/messages' });
  const sender = phone();
  const { data, error } = await invoke({ phone: sender, message: 'Does the moon pay my parking ticket in Peru?' });
  assert.equal(error, null);
  assert.ok(data.response.length > 0);
  const tasks = await system.sql('select t.reason from tasks t join conversations c on c.id = t.conversation_id where c.phone = $1', [sender]);
  assert.deepEqual(tasks, [{ reason: 'no_answer' }]);
});

test('a database that goes away is 503, and comes back without a restart', async () => {
  proxy.refuse();
  const answer = await system.post({ phone: phone(), message: 'hello', messageId: 'down' }).catch((error) => error);
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers.get('retry-after')) > 0);
  assert.equal(answer.body.success, false);
  await until('readyz to say so', 10, async () => (await system.isReady()) === 503);
  assert.equal((await fetch(`${system.base}/livez`)).status, 200);
  proxy.accept();
  await until('readiness', 20, async () => (await system.isReady()) === 200);
  assert.equal((await system.post({ phone: phone(), message: 'hello' })).status, 200);
});

test('keys, tokens and the limit of a caller', async () => {
  const secret = 'a-test-secret-that-is-long-enough-0123456789';
  const guarded = await startSystem({ env: { WEBHOOK_KEY: 'k1,k2', SUPABASE_JWT_SECRET: secret, WEBHOOK_RATE_PHONE: '1', WEBHOOK_BURST_PHONE: '3' } });
  try {
    const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = (claims, key = secret) => {
      const text = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`;
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
    };
    const later = Math.floor(Date.now() / 1000) + 600;
    const good = token({ role: 'anon', exp: later });
    const status = async (headers, sender = phone()) => (await guarded.post({ phone: sender, message: 'hi' }, headers)).status;
    assert.equal(await status({}), 401);
    assert.equal(await status({ apikey: 'wrong' }), 401);
    assert.equal(await status({ apikey: 'k1' }), 200);
    assert.equal(await status({ authorization: 'Bearer k2' }), 200);
    assert.equal(await status({ authorization: `Bearer ${good}` }), 200);
    assert.equal(await status({ authorization: `Bearer ${token({ role: 'anon', exp: later }, 'other')}` }), 401);
    assert.equal(await status({ authorization: `Bearer ${token({ role: 'anon', exp: later - 7200 })}` }), 401);
    const client = createClient(guarded.base, good);
    assert.equal((await client.functions.invoke('whatsapp-webhook', { body: { phone: phone(), message: 'hi' } })).error, null);
    const refused = await createClient(guarded.base, 'sb_publishable_x').functions.invoke('whatsapp-webhook', { body: { phone: phone(), message: 'hi' } });
    assert.equal(refused.error.context.status, 401);
    const sender = phone();
    const answers = [];
    for (let i = 0; i < 6; ++i) answers.push(await guarded.post({ phone: sender, message: `m${i}` }, { apikey: 'k1' }));
    const limited = answers.find((answer) => answer.status === 429);
    assert.ok(limited, answers.map((answer) => answer.status).join());
    assert.ok(Number(limited.headers.get('retry-after')) >= 1);
  } finally {
    await guarded.stop();
  }
});

test('stops cleanly when asked and logs no words of a patient', async () => {
  const other = await startSystem();
  await other.post({ phone: '+15550298765', message: 'a very private sentence' });
  const end = await other.stop();
  assert.equal(end.code, 0, other.child.output);
  assert.doesNotMatch(other.child.output, /private sentence|15550298765/);
});
