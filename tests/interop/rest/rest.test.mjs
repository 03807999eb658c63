// /v1 as other systems of the hospital meet it: over HTTP, against the running services and a database.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { startMedidesk } from '../../support/medidesk.mjs';
import { until } from '../../support/processes.mjs';

let system, api, fits;

async function call(method, path, { body, headers = {} } = {}) {
  const answer = await fetch(system.base + path, {
    method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  const text = await answer.text();
  const type = answer.headers.get('content-type');
  return { status: answer.status, headers: answer.headers, text, body: text && type === 'application/json' ? JSON.parse(text) : null };
}

async function ok(method, path, options) {
  const answer = await call(method, path, options);
  assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer;
}

// The google.rpc.Status of a refusal.
async function refused(status, method, path, options) {
  const answer = await call(method, path, options);
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  fits('Status', answer.body);
  return answer;
}

async function write(phone, message) {
  const answer = await call('POST', '/functions/v1/whatsapp-webhook', { body: { phone, message, messageId: randomUUID() } });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.conversationId;
}

before(async () => {
  system = await startMedidesk(pg, { env: { REST_RATE_PHONE: '0' } });
  api = (await ok('GET', '/v1/openapi.json')).body;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addFormat('int32', true).addFormat('int64', true);
  ajv.addSchema(api, 'api');
  fits = (schema, value) => {
    const check = ajv.getSchema(`api#/components/schemas/${schema}`);
    assert.ok(check, `the document has a schema ${schema}`);
    assert.ok(check(value), `${schema}: ${JSON.stringify(check.errors)}`);
  };
});
after(() => system?.stop());

test('the document is OpenAPI 3.1 and describes every operation', async () => {
  const result = await new Validator().validate(structuredClone(api));
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
  assert.equal(api.openapi, '3.1.0');
  const operations = Object.entries(api.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
  assert.ok(operations.length >= 50);
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { path, method, operation } of operations) {
    assert.ok(operation.description.length > 20, `${method} ${path}`);
    const variables = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
    const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
    assert.deepEqual(declared, variables, `${method} ${path}`);
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    assert.ok(schema.description, `${name} has a description`);
    for (const [field, property] of Object.entries(schema.properties ?? {})) {
      if (name !== 'Status') assert.ok(property.description, `${name}.${field} has a description`);
    }
  }
});

test('the page for people needs nothing from elsewhere', async () => {
  for (const path of ['/v1/docs', '/v1/docs/docs.js', '/v1/docs/docs.css']) {
    const page = await ok('GET', path);
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
    assert.doesNotMatch(page.text, /https?:\/\//);
    const again = await call('GET', path, { headers: { 'if-none-match': page.headers.get('etag') } });
    assert.equal(again.status, 304);
  }
});

test('lists and reads conversations, and pages through their messages', async () => {
  const phones = ['+15550170001', '+15550170002', '+15550170003'];
  const ids = [];
  for (const phone of phones) ids.push(await write(phone, 'What are your visiting hours?'));
  await write(phones[0], 'And on Sunday?');

  const seen = [];
  let token = '';
  do {
    const page = await ok('GET', `/v1/conversations?pageSize=2&pageToken=${encodeURIComponent(token)}`);
    fits('ListConversationsResponse', page.body);
    assert.ok(page.body.conversations.length <= 2);
    seen.push(...page.body.conversations.map((one) => one.id));
    token = page.body.nextPageToken;
  } while (token);
  assert.deepEqual([...seen].sort(), [...ids].sort());

  const filtered = await ok('GET', `/v1/conversations?phone=${encodeURIComponent(phones[1])}`);
  assert.deepEqual(filtered.body.conversations.map((one) => one.id), [ids[1]]);
  const none = await ok('GET', '/v1/conversations?status=CONVERSATION_STATUS_ARCHIVED');
  assert.deepEqual(none.body, { conversations: [], nextPageToken: '' });

  const one = await ok('GET', `/v1/conversations/${ids[0]}`);
  fits('GetConversationResponse', one.body);
  assert.equal(one.body.conversation.phone, phones[0]);
  assert.equal(one.headers.get('cache-control'), 'no-store');
  assert.equal((await call('GET', `/v1/conversations/${ids[0]}`, { headers: { 'if-none-match': one.headers.get('etag') } })).status, 304);

  const texts = [];
  token = '';
  do {
    const page = await ok('GET', `/v1/conversations/${ids[0]}/messages?pageSize=3&pageToken=${encodeURIComponent(token)}`);
    fits('ListMessagesResponse', page.body);
    texts.push(...page.body.messages.filter((message) => message.received).map((message) => message.text));
    token = page.body.nextPageToken;
  } while (token);
  assert.deepEqual(texts, ['And on Sunday?', 'What are your visiting hours?']);
});

test('records who read a conversation', async () => {
  const id = await write('+15550170009', 'Hello');
  await ok('GET', `/v1/conversations/${id}`);
  const log = await ok('GET', `/v1/auditRecords?resourceId=${id}&action=AUDIT_ACTION_READ`);
  fits('ListAuditRecordsResponse', log.body);
  assert.equal(log.body.records.length, 1);
  assert.equal(log.body.records[0].actor.kind, 'ACTOR_KIND_OPERATOR');
});

test('changes a conversation only in the version that was read', async () => {
  const id = await write('+15550170004', 'Hello');
  const path = `/v1/conversations/${id}`;
  const etag = (await ok('GET', path)).headers.get('etag');
  assert.match(etag, /^"[^"]+"$/);
  const changed = await ok('PATCH', path, { body: { patientName: 'Asha' }, headers: { 'if-match': etag } });
  assert.equal(changed.body.conversation.patientName, 'Asha');
  assert.notEqual(changed.headers.get('etag'), etag);
  const stale = await refused(412, 'PATCH', path, { body: { patientName: 'Ravi' }, headers: { 'if-match': etag } });
  assert.equal(stale.body.code, 10);
  assert.equal((await ok('GET', path)).body.conversation.patientName, 'Asha');
  await ok('PATCH', path, { body: { patientName: 'Ravi' }, headers: { 'if-match': '*' } });

  const taken = await ok('POST', `${path}:takeOver`, { body: { reason: 'staff' } });
  assert.equal(taken.body.conversation.status, 'CONVERSATION_STATUS_HUMAN_TAKEOVER');
  assert.equal((await ok('POST', `${path}:handBack`)).body.conversation.status, 'CONVERSATION_STATUS_ACTIVE');
});

test('keeps the hospital\'s facts', async () => {
  const faqs = '/v1/knowledge/faqs';
  const faq = { key: 'bicycle-stand', question: 'Where can I leave my bicycle?', answer: 'Beside gate 2.', category: 'general' };
  const created = await ok('POST', faqs, { body: faq });
  assert.equal(created.status, 201);
  fits('CreateFaqResponse', created.body);
  await refused(409, 'POST', faqs, { body: faq });
  const etag = created.headers.get('etag');
  assert.equal(etag, `"${created.body.faq.revision}"`);

  const { key: _, ...rest } = faq;
  const updated = await ok('PUT', `${faqs}/${faq.key}`, { body: { ...rest, answer: 'Beside gate 3.' }, headers: { 'if-match': etag } });
  assert.equal(updated.body.faq.answer, 'Beside gate 3.');
  await refused(412, 'PUT', `${faqs}/${faq.key}`, { body: { ...rest, answer: 'No.' }, headers: { 'if-match': etag } });
  await refused(412, 'DELETE', `${faqs}/${faq.key}`, { headers: { 'if-match': etag } });

  const changes = await ok('GET', `/v1/knowledge/changes?kind=KNOWLEDGE_KIND_FAQ&key=${faq.key}`);
  assert.deepEqual(changes.body.changes.map((change) => change.action), ['KNOWLEDGE_ACTION_UPDATED', 'KNOWLEDGE_ACTION_CREATED']);
  assert.equal(changes.body.changes[0].actor.kind, 'ACTOR_KIND_OPERATOR');

  await ok('DELETE', `${faqs}/${faq.key}`, { headers: { 'if-match': updated.headers.get('etag') } });
  await refused(404, 'GET', `${faqs}/${faq.key}`);
  for (const collection of ['departments', 'doctors', 'faqs', 'visitingHours']) {
    const page = await ok('GET', `/v1/knowledge/${collection}?pageSize=1`);
    assert.equal(page.body[collection].length, 1);
    assert.notEqual(page.body.nextPageToken, '');
  }
  fits('GetHospitalResponse', (await ok('GET', '/v1/knowledge/hospital')).body);
  const file = (await ok('GET', '/v1/knowledge:export')).body.content;
  const dry = await ok('POST', '/v1/knowledge:import', { body: { content: file, dryRun: true } });
  assert.deepEqual(dry.body.changes, []);
});

test('keeps patients and tasks', async () => {
  const created = await ok('POST', '/v1/patients', { body: { name: 'Asha Rao', phone: '+15550170021' } });
  fits('CreatePatientResponse', created.body);
  const path = `/v1/patients/${created.body.patient.id}`;
  const changed = await ok('PATCH', path, { body: { note: 'Prefers mornings' }, headers: { 'if-match': created.headers.get('etag') } });
  assert.equal(changed.body.patient.note, 'Prefers mornings');
  assert.equal(changed.body.patient.name, 'Asha Rao');
  await refused(412, 'PATCH', path, { body: { note: 'No' }, headers: { 'if-match': created.headers.get('etag') } });
  const document = await ok('GET', `${path}:export`);
  assert.match(document.headers.get('content-disposition'), /attachment/);
  assert.match(JSON.stringify(document.body), /Asha Rao/);

  const conversationId = await write('+15550170022', 'I want to talk to a human being');
  const tasks = await ok('GET', `/v1/tasks?conversationId=${conversationId}`);
  fits('ListTasksResponse', tasks.body);
  assert.equal(tasks.body.tasks.length, 1);
  const task = tasks.body.tasks[0];
  const done = await ok('POST', `/v1/tasks/${task.id}:complete`,
    { body: { state: 'TASK_STATE_DONE', resolution: 'Called back' }, headers: { 'if-match': `"${task.etag}"` } });
  assert.equal(done.body.task.state, 'TASK_STATE_DONE');
});

test('answers a patient, at once and as it is made', async () => {
  const inbound = { phone: '+15550170031', text: 'What are your visiting hours?', messageId: randomUUID() };
  const reply = await ok('POST', '/v1/assistant:reply', { body: { inbound } });
  fits('ReplyResponse', reply.body);
  assert.ok(reply.body.text.length > 0);
  const again = await ok('POST', '/v1/assistant:reply', { body: { inbound } });
  assert.equal(again.body.duplicate, true);
  assert.equal(again.body.text, reply.body.text);

  const lines = await ok('POST', '/v1/assistant:streamReply', { body: { inbound: { ...inbound, messageId: randomUUID() } } });
  assert.equal(lines.headers.get('content-type'), 'application/x-ndjson');
  const messages = lines.text.trim().split('\n').map((line) => JSON.parse(line));
  for (const message of messages) fits('StreamReplyResponse', message);
  assert.ok(messages.at(-1).result.text.length > 0);

  const events = await ok('POST', '/v1/assistant:streamReply',
    { body: { inbound: { ...inbound, messageId: randomUUID() } }, headers: { accept: 'text/event-stream' } });
  assert.equal(events.headers.get('content-type'), 'text/event-stream');
  const last = events.text.trim().split('\n\n').at(-1);
  assert.match(last, /^event: result\ndata: \{/);

  const screened = await ok('POST', '/v1/assistant:screen', { body: { text: 'I have crushing chest pain' } });
  assert.equal(screened.body.verdict.severity, 'emergency');
});

test('says what is wrong, and where', async () => {
  await refused(404, 'GET', `/v1/conversations/${randomUUID()}`);
  await refused(404, 'GET', '/v1/nothing');
  const field = async (...request) => {
    const { body } = await refused(400, ...request);
    return body.details.find((detail) => detail['@type'].endsWith('BadRequest')).fieldViolations[0].field;
  };
  await field('GET', '/v1/conversations/not-a-uuid');
  assert.equal(await field('GET', '/v1/conversations?status=active'), 'status');
  assert.equal(await field('GET', '/v1/conversations?nothing=1'), 'query');
  assert.equal(await field('POST', '/v1/knowledge/faqs', { body: { question: 1 } }), 'faq.question');
  assert.equal(await field('POST', '/v1/knowledge/faqs', { body: { patientSecret: 'x' } }), 'faq');
  assert.equal(await field('POST', '/v1/assistant:reply', { body: { turnId: randomUUID() } }), 'body');
  const wrong = await refused(405, 'PUT', '/v1/conversations', { body: {} });
  assert.equal(wrong.headers.get('allow'), 'GET, HEAD, OPTIONS');
  await refused(415, 'POST', '/v1/knowledge/faqs', { body: {}, headers: { 'content-type': 'text/plain' } });
  const large = await fetch(`${system.base}/v1/knowledge:import`, { method: 'POST', body: 'x'.repeat(2 << 20), headers: { 'content-type': 'application/json' } });
  assert.equal(large.status, 413);
  fits('Status', await large.json());
});

test('wants a token of everybody but this machine\'s own programs', async () => {
  for (const headers of [{ authorization: 'Bearer mdk_none' }, { 'x-forwarded-for': '203.0.113.9' }, { origin: 'https://evil.example' }]) {
    const answer = await refused(401, 'GET', '/v1/conversations', { headers });
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  }
});

test('gives a token what its scopes allow, and names it in the audit log', async () => {
  const command = async (...args) => {
    const env = { PATH: process.env.PATH, STORE_ADDRESS: `127.0.0.1:${system.ports.store}` };
    return (await promisify(execFile)(path.join(process.env.MEDIDESK_BIN, 'medidesk-cli'), args, { env, timeout: 30_000 })).stdout;
  };
  const secret = (await command('token', 'create', 'lab-system', '--scope', 'read')).match(/mdk_[A-Za-z0-9_-]{43}/)[0];
  const headers = { authorization: `Bearer ${secret}`, 'x-forwarded-for': '203.0.113.9' };
  const id = await write('+15550170041', 'Hello');
  await ok('GET', `/v1/conversations/${id}`, { headers });
  const denied = await refused(403, 'PATCH', `/v1/conversations/${id}`, { body: { patientName: 'Asha' }, headers });
  assert.match(denied.headers.get('www-authenticate'), /insufficient_scope.*"admin"/);
  await refused(403, 'POST', '/v1/assistant:reply', { body: {}, headers });
  const { records } = (await ok('GET', `/v1/auditRecords?resourceId=${id}&action=AUDIT_ACTION_READ`)).body;
  assert.deepEqual(records.map((record) => record.actor.kind), ['ACTOR_KIND_TOKEN']);

  await command('token', 'revoke', 'lab-system');
  await until('the revoked token to be refused', 15, async () => (await call('GET', '/v1/tasks', { headers })).status === 401);
});
