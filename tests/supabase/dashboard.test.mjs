// A staff dashboard as a hospital builds it: supabase-js alone, against the database that MediDesk keeps. PostgREST
// and Realtime are stood in for by rest.mjs and realtime.mjs; the client, the database, its roles, policies,
// triggers and logical decoding are real.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import test, { after, before } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import pg from 'pg';
import WebSocket from 'ws';
import { alive, freePort, start, stop, until } from '../support/processes.mjs';
import { createProject } from './project.mjs';
import { startRealtime } from './realtime.mjs';
import { makeRest } from './rest.mjs';

const staff = '6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01';
let project, rest, realtime, server, api, medidesk, base;
const clients = [];

// A client as the dashboard makes it; `claims` of the person signed in, none: nobody is.
function client(claims, key = project.anonKey) {
  const token = claims && project.token({ role: 'authenticated', aud: 'authenticated', ...claims });
  const made = createClient(api, key, { ...(token && { accessToken: async () => token }), realtime: { transport: WebSocket }, auth: { persistSession: false } });
  clients.push(made);
  return made;
}
const frontDesk = () => client({ sub: staff, app_metadata: { role: 'front_desk' } });

async function write(phone, message) {
  const answer = await fetch(`${base}/functions/v1/whatsapp-webhook`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ phone, message, messageId: randomUUID() }),
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

// Subscribes to every change of the tables; gives the list that fills.
async function watch(supabase, ...tables) {
  const seen = [];
  if (supabase.accessToken) await supabase.realtime.setAuth();  // else the first join goes out as nobody's
  const channel = supabase.channel(`desk-${randomUUID()}`);
  for (const table of tables) channel.on('postgres_changes', { event: '*', schema: 'public', table }, (change) => seen.push(change));
  await new Promise((resolve, reject) => channel.subscribe((status, error) => {
    if (status === 'SUBSCRIBED') resolve();
    if (status === 'CHANNEL_ERROR' || status === 'TIMED_OUT') reject(error ?? new Error(status));
  }));
  return seen;
}

before(async () => {
  project = await createProject();
  const owner = new pg.Client(project.projectUrl);
  await owner.connect();  // what the original left behind
  await owner.query(`
    create table conversations (id uuid primary key default gen_random_uuid(), phone text not null, patient_name text,
      status text default 'active', assigned_to uuid, created_at timestamptz default now(), updated_at timestamptz default now());
    create table messages (id uuid primary key default gen_random_uuid(), conversation_id uuid references conversations (id), sender text,
      content text, direction text, whatsapp_message_id text, created_at timestamptz default now());
    create table patients (id uuid primary key default gen_random_uuid(), name text, phone text unique, email text, created_at timestamptz default now());
    insert into conversations (phone, patient_name) values ('15550100001', 'Ann');
    insert into messages (conversation_id, sender, content, direction) select id, phone, 'from the old bot', 'received' from conversations`);
  await owner.end();

  const ports = { http: await freePort(), gateway: await freePort(), assistant: await freePort(), store: await freePort() };
  base = `http://127.0.0.1:${ports.http}`;
  medidesk = start('medidesk-all', [], {
    DATABASE_URL: project.projectUrl, PORT: String(ports.http), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml', WEBHOOK_RATE_PHONE: '0',
    GATEWAY_ADDRESS: `127.0.0.1:${ports.gateway}`, ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}`, STORE_ADDRESS: `127.0.0.1:${ports.store}`,
  });
  await until('medidesk-all to be ready', 60, async () => {
    if (!alive(medidesk)) throw new Error(`medidesk-all ended:\n${medidesk.output}`);
    return (await fetch(`${base}/readyz`).catch(() => null))?.status === 200;
  });

  rest = makeRest(project);
  server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    let body = '';
    for await (const part of request) body += part;
    const [status, told] = await rest.answer(request, url.pathname.replace('/rest/v1/', ''), url.searchParams, body ? JSON.parse(body) : undefined);
    response.writeHead(status, { 'content-type': 'application/json' }).end(told === undefined ? undefined : JSON.stringify(told));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  api = `http://127.0.0.1:${server.address().port}`;
  realtime = await startRealtime(project, server);
});

after(async () => {
  await Promise.all(clients.map((made) => made.removeAllChannels().then(() => made.realtime.disconnect())));
  await realtime?.close();
  await rest?.close();
  server?.closeAllConnections();
  server?.close();
  if (medidesk) await stop(medidesk);
});

test('staff lists conversations and messages, those of the original too', async () => {
  await write('+15550100001', 'What are your visiting hours?');
  await write('+15550100002', 'Is there parking?');
  const desk = frontDesk();
  const conversations = await desk.from('conversations').select('id,phone,patient_name,status').order('updated_at', { ascending: false }).limit(10);
  assert.equal(conversations.error, null);
  assert.deepEqual(conversations.data.map((row) => row.phone), ['+15550100002', '15550100001'], 'newest first, and one for Ann');
  const ann = conversations.data[1];
  const messages = await desk.from('messages').select('sender,content,direction').eq('conversation_id', ann.id).order('seq');
  assert.deepEqual(messages.data.map((row) => row.direction), ['received', 'received', 'sent']);
  assert.equal(messages.data[0].content, 'from the old bot');
});

test('staff sees messages live, takes over, and the bot is silent until it is handed back', async () => {
  const desk = frontDesk();
  const seen = await watch(desk, 'messages', 'conversations');
  const stranger = await watch(client({ sub: randomUUID(), app_metadata: {} }), 'messages', 'conversations');
  const nobody = await watch(client(), 'messages', 'conversations');

  const first = await write('+15550100003', 'Is there parking?');
  assert.ok(first.response);
  const content = (text) => seen.some((change) => change.table === 'messages' && change.eventType === 'INSERT' && change.new.content === text);
  await until('the patient\'s message, live', 20, () => content('Is there parking?'));
  await until('the answer, live', 20, () => content(first.response));

  const taken = await desk.from('conversations').update({ status: 'human_takeover' }).eq('id', first.conversationId).select('id,status').single();
  assert.equal(taken.error, null);
  assert.equal(taken.data.status, 'human_takeover');
  await until('the takeover, live', 20, () => seen.some((change) => change.table === 'conversations' && change.new.id === first.conversationId && change.new.status === 'human_takeover'));
  const contact = await desk.from('contacts').select('status,assigned_to').eq('phone', '+15550100003').single();
  assert.deepEqual(contact.data, { status: 'human_takeover', assigned_to: staff });

  const silent = await write('+15550100003', 'And where is the entrance?');
  assert.equal(silent.response, null);
  assert.equal(silent.status, 'human_takeover');
  await until('the unanswered message, live', 20, () => content('And where is the entrance?'));
  const answers = await desk.from('messages').select('id').eq('conversation_id', first.conversationId).eq('direction', 'sent');
  assert.equal(answers.data.length, 1, 'nothing was sent after the takeover');

  await desk.from('conversations').update({ status: 'active' }).eq('id', first.conversationId);
  assert.ok((await write('+15550100003', 'Is there parking?')).response);
  assert.deepEqual(stranger, [], 'who is signed in but no staff was told nothing');
  assert.deepEqual(nobody, [], 'nor was who is not signed in');
});

test('who is not signed in sees and changes nothing', async () => {
  const anon = client();
  for (const table of ['conversations', 'messages', 'contacts', 'patients', 'audit_log', 'tasks', 'replies']) {
    assert.equal((await anon.from(table).select('*')).error?.code, '42501', table);
    assert.equal((await anon.from(table).delete().is('id', null)).error?.code, '42501', table);
  }
  assert.equal((await anon.from('conversations').update({ status: 'active' }).neq('phone', '')).error?.code, '42501');
  assert.equal((await anon.from('messages').insert({ content: 'x' })).error?.code, '42501');
  assert.ok((await anon.rpc('verify_audit')).error);
});

test('who is signed in but no staff sees no row', async () => {
  const other = client({ sub: randomUUID(), user_metadata: { role: 'front_desk' } });
  for (const table of ['conversations', 'messages', 'contacts', 'faqs']) {
    assert.deepEqual((await other.from(table).select('*')).data, [], table);
  }
  assert.deepEqual((await other.from('conversations').update({ status: 'human_takeover' }).neq('phone', '').select()).data, []);
});

test('staff changes nothing but the three columns', async () => {
  const desk = frontDesk();
  const id = (await desk.from('conversations').select('id').eq('phone', '15550100001').single()).data.id;
  const named = await desk.from('conversations').update({ patient_name: 'Ann Lee', assigned_to: staff }).eq('id', id).select('patient_name').single();
  assert.equal(named.data.patient_name, 'Ann Lee');
  for (const change of [{ phone: '1' }, { contact_id: randomUUID() }, { merged_into: id }, { created_at: new Date() }, { number_id: randomUUID() }]) {
    assert.equal((await desk.from('conversations').update(change).eq('id', id)).error?.code, '42501', Object.keys(change)[0]);
  }
  assert.equal((await desk.from('conversations').update({ status: 'mine' }).eq('id', id)).error?.code, '23514');
  assert.equal((await desk.from('messages').insert({ conversation_id: id, content: 'x' })).error?.code, '42501');
  assert.equal((await desk.from('contacts').update({ status: 'active' }).eq('phone', '+15550100001')).error?.code, '42501');
  assert.equal((await desk.from('faqs').update({ answer: 'x' }).eq('key', 'parking')).error?.code, '42501');
  assert.deepEqual((await desk.from('audit_log').select('id')).data, [], 'the log is for admins');
});

test('the original\'s own function goes on writing with the service key', async () => {
  const service = client(undefined, project.serviceKey);
  const made = await service.from('conversations').insert({ phone: '15550100044' }).select('id').single();
  assert.equal(made.error, null);
  assert.equal((await service.from('messages').insert({ conversation_id: made.data.id, sender: '15550100044', content: 'hello', direction: 'received' })).error, null);
  assert.equal((await frontDesk().from('contacts').select('phone').eq('phone', '+15550100044').single()).data.phone, '+15550100044');
  assert.equal((await service.from('faqs').update({ answer: 'x' }).eq('key', 'parking')).error?.code, '42501');
});
