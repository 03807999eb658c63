// Values that nobody but their owner may see are planted everywhere they come in, and everything is made to go wrong: none of
// them is in a log line or a metric (I7), and the model is asked without them.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { startServices } from './services.mjs';
import { until } from '../support/processes.mjs';

// One patient, and another whose conversation the model must not see in the first one's.
const patient = {
  phone: '+15550993417', name: 'Zephyrine Quillfeather', email: 'zq.private@mailplanted.example', record: '8823194756', born: '14/03/1971', marker: 'glimmerwort',
};
const other = { phone: '+15550993562', name: 'Balthazar Oxenstierna', marker: 'thistlewick' };
const staffMarker = 'quenchbramble', noteMarker = 'dustmallow';
const keys = {
  webhook: 'planted-webhook-key-6f1d', model: 'sk-ant-planted-97c2', password: 'planted-database-password-51ab', wrong: 'planted-wrong-key-08de',
  url: 'planted-in-the-address-77b0',
};

// A value and the spellings it may be printed in.
const digits = (phone) => phone.slice(1);
const identities = (who) => [who.phone, digits(who.phone), digits(who.phone).slice(1), who.name, ...who.name.split(' ')];
const personal = [...identities(patient), patient.email, patient.record, patient.born, ...identities(other)];
const texts = [patient.marker, other.marker, staffMarker, noteMarker];
const found = (haystack, needles) => needles.filter((needle) => haystack.toLowerCase().includes(needle.toLowerCase()));

const services = await startServices({ env: { LOG_LEVEL: 'debug', WEBHOOK_KEY: keys.webhook, ANTHROPIC_API_KEY: keys.model }, password: keys.password });
after(() => services.stop());

// Whole, not the end that a failure's report keeps.
const logs = {};
function listen(name) {
  const child = services.children[name];
  logs[name] ??= child.output;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { logs[name] += data; });
}
for (const name of ['store', 'assistant', 'admin']) listen(name);

const asked = [];  // what the model was sent
async function forget() {
  asked.push(...(await services.claude.control('requests')).requests.filter((one) => one.path === '/v1/messages'));
  await services.claude.control('reset', {});
}

async function call(method, path, { body, headers = {} } = {}) {
  const answer = await fetch(services.base + path, {
    method, headers: { 'content-type': 'application/json', ...headers }, signal: AbortSignal.timeout(60_000),
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  }).catch((error) => ({ status: 0, text: () => String(error), headers: new Headers() }));
  const text = await answer.text();
  let json = null;
  try { json = JSON.parse(text); } catch { /* not every answer is */ }
  return { status: answer.status, json, text, etag: answer.headers.get('etag') };
}
const hook = (body, key = keys.webhook) => call('POST', '/functions/v1/whatsapp-webhook', { body, headers: { apikey: key } });
const write = (who, message) => hook({ phone: who.phone, message, messageId: randomUUID() });
async function good(answer) {
  const { status, text, json, etag } = await answer;
  assert.ok(status >= 200 && status < 300, `${status} ${text}`);
  return { ...json, etag };
}

test('planted values reach the model as placeholders, and no log at all', async (t) => {
  let conversation;
  await t.test('a patient says who she is', async () => {
    ({ conversationId: conversation } = await good(write(patient,
      `Hello, my name is ${patient.name}, born ${patient.born}, record ${patient.record}, mail ${patient.email}, phone ${patient.phone}. Is ${patient.marker} on the menu?`)));
    await good(write(other, `my name is ${other.name} and I would like to know about ${other.marker}`));
    const { patient: made } = await good(call('POST', '/v1/patients', { body: { name: patient.name, phone: patient.phone, note: noteMarker } }));
    const contact = (await services.sql('select contact_id from conversations where id = $1', [conversation]))[0].contact_id;
    const linked = await call('POST', `/v1/patients/${made.id}:linkContact`, { body: { contactId: contact } });
    assert.ok([200, 409].includes(linked.status), linked.text);  // 409: the phone number linked them already
    await good(write(patient, `it is ${patient.name.toLowerCase()} again, what are the visiting hours for ${patient.marker}?`));
    await good(write(patient, 'And on Sunday? Please answer to 555 099 3417.'));
  });

  await t.test('staff take over, write, note and hand back', async () => {
    const staff = { kind: 'ACTOR_KIND_STAFF', id: randomUUID() };
    const { conversation: one, etag } = await good(call('GET', `/v1/conversations/${conversation}`));
    assert.equal(one.phone, patient.phone);
    for (const [path, body] of [[':takeOver', { staffId: staff.id }], [':send', { commitId: randomUUID(), text: `${staffMarker} for ${patient.name}` }],
      ['/notes', { text: noteMarker }], ['/messages', { commitId: randomUUID(), text: staffMarker }], [':handBack', {}]]) {
      await call('POST', `/v1/conversations/${conversation}${path}`, { body, headers: { 'if-match': etag ?? '*' } });
    }
    for (const path of [`/v1/conversations?phone=${encodeURIComponent(patient.phone)}`, `/v1/inbox?query=${encodeURIComponent(patient.name)}`,
      `/v1/conversations/${conversation}/messages`, `/v1/patients?query=${encodeURIComponent(patient.phone)}`, '/v1/tasks', '/v1/auditRecords']) await call('GET', path);
  });

  await t.test('requests that cannot be understood', async () => {
    for (const body of [`{"phone":"${patient.phone}","message":"${patient.marker}`, `{"phone":"${patient.name}","message":"${patient.marker}"}`,
      JSON.stringify({ phone: patient.phone, message: patient.marker, messageId: patient.name.repeat(100) }), JSON.stringify({ phone: patient.phone, message: 7, [patient.name]: patient.email }),
      JSON.stringify({ phone: patient.phone, message: patient.marker.repeat(20_000) })]) {
      const { status, text } = await hook(body);
      assert.ok(status >= 400, text);
    }
    assert.equal((await hook({ phone: patient.phone, message: patient.marker }, keys.wrong)).status, 401);
    for (const headers of [{ authorization: `Bearer ${keys.wrong}` }, { authorization: `Basic ${keys.wrong}` }, { cookie: `session=${keys.wrong}` }]) await call('GET', '/v1/tasks', { headers });
    for (const path of [`/${keys.url}`, `/v1/${patient.name}`, `/v1/conversations/${patient.email}`, `/v1/conversations?phone=${patient.name}&x=${keys.url}`, `/v1/conversations?pageToken=${keys.url}`,
      `/health?token=${keys.url}`]) await call('GET', encodeURI(path));
    for (const body of [`{"name":"${patient.name}","phone":"${patient.email}"}`, `{"name":"${patient.name}","${patient.email}":1}`, `{"name":"${patient.name}`]) await call('POST', '/v1/patients', { body });
    await call('POST', '/v1/assistant:reply', { body: { inbound: { phone: patient.name, text: patient.marker, messageId: patient.email } } });
  });

  await t.test('the model fails, and quotes what it was asked', async () => {
    const faults = [
      ...[400, 401, 413, 429, 500, 529].map((status) => ({ mode: 'http', status, type: 'api_error', message: `${patient.name} ${patient.marker} ${keys.model}` })),
      { mode: 'http', status: 502, body: `<html>${patient.name} ${patient.marker}</html>` }, { mode: 'disconnect' }, { mode: 'truncate', after_deltas: 1 }, { mode: 'sse_error', after_deltas: 1 },
    ];
    for (const fault of faults) {
      await services.claude.control('inject', { times: 3, path: '/v1/messages', ...fault });
      const { status, text } = await write(patient, `Where is the ${patient.marker} ward?`);
      assert.ok([200, 409, 503].includes(status), text);
      await forget();
    }
    // What the model says is the patient's business too.
    await services.claude.control('reply', { content: [{ type: 'text', text: `${patient.marker}: take 5 mg of it. Dear ${other.name}, see http://${keys.url}.example` }] });
    await write(patient, 'May I bring flowers to the ward?');
  });

  await t.test('a person in distress, a wish for a person', async () => {
    await good(write(patient, `I am ${patient.name} and I have crushing chest pain, ${patient.marker}`));
    await good(write(other, `I want to talk to a human being about ${other.marker}`));
  });

  await t.test('the database and the store go away in the middle', async () => {
    const from = logs.store.length;
    services.databaseLink.refuse();
    const first = [until('the store to complain', 30, () => logs.store.slice(from).includes('UNAVAILABLE')), write(patient, `${patient.marker} one`), write(other, `${other.marker} chest pain, I cannot breathe`)];
    await first[0];
    services.databaseLink.accept();
    await Promise.all(first);
    await services.ready();
    await services.kill('store');
    const second = [call('GET', `/v1/conversations?phone=${encodeURIComponent(patient.phone)}`), write(patient, `${patient.marker} two`)];
    await second[0];
    services.start('store');
    listen('store');
    await Promise.all(second);
    await services.ready();
    // Values that the database itself would quote in an error.
    await services.sql('alter table messages add constraint planted check (content not like $$%refuse this%$$) not valid');
    await write(patient, `${patient.marker} refuse this`);
    await services.sql('alter table messages drop constraint planted');
    await good(write(patient, 'Do you have parking?'));
  });

  await t.test('she asks to be forgotten', async () => {
    const [{ id }] = (await good(call('GET', `/v1/patients?query=${encodeURIComponent(patient.phone)}`))).patients;
    await good(call('POST', `/v1/patients/${id}:erase`, { body: {} }));
  });

  const metrics = (await call('GET', '/metrics')).text;
  await forget();
  for (const name of ['store', 'assistant', 'admin']) assert.ok(logs[name].length > 500, `${name} has logged:\n${logs[name]}`);
  assert.ok(logs.admin.includes('webhook_answered'));
  await services.stop();
  await until('the logs to end', 10, () => Object.values(services.children).every((child) => child.exitCode !== null || child.signalCode !== null));

  const bodies = asked.map((one) => JSON.stringify(one.body));
  assert.ok(bodies.length >= 10 && bodies.some((body) => body.includes(patient.marker) && body.includes('[NAME_1]')), `${bodies.length} requests`);
  for (const body of bodies) {
    assert.deepEqual(found(body + body.replaceAll(/(?<=\d)[ ().-]+(?=\d)/g, ''), [...personal, noteMarker, ...Object.values(keys)]), [], body);
    assert.ok(!(body.includes(patient.marker) && body.includes(other.marker)), `two conversations in ${body}`);
  }
  for (const [where, text] of [...Object.entries(logs), ['metrics', metrics]]) {
    assert.deepEqual(found(text, [...personal, ...texts, ...Object.values(keys)]), [], `${where}:\n${text.split('\n').filter((line) => found(line, [...personal, ...texts, ...Object.values(keys)]).length > 0).join('\n')}`);
  }
});
