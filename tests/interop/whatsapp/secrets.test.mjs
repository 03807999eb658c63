// What a patient writes and who they are, and the gateway's keys, are in no log line, though all is logged and much goes wrong.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { startClinic } from './clinic.mjs';
import { until } from './simulator.mjs';

const masterKey = randomBytes(32).toString('base64');
const [text, caption, card, edited, staff, name] = ['glimmerwort', 'thistlewick', 'quenchbramble', 'dustmallow', 'fennelspire', 'Quillfeather'];

test('nothing that WhatsApp brought is in a log', async () => {
  const clinic = await startClinic({ env: { SEND_GOVERNOR: 'false', LOG_LEVEL: 'debug', MEDIDESK_MASTER_KEY: masterKey } });
  let log = clinic.medidesk.child.output;
  for (const stream of [clinic.medidesk.child.stdout, clinic.medidesk.child.stderr]) stream.on('data', (data) => { log += data; });
  let patient;
  try {
    await clinic.link();
    patient = await clinic.patient(name);
    const answers = (count) => until(`${count} answers`, () => patient.texts().length >= count, 60);
    const id = await patient.send(clinic.byLid, { text: `What are your visiting hours, ${text}?` });
    await answers(1);
    await patient.send(clinic.byLid, { text: `and on ${edited}?`, edit: { id, remoteJid: clinic.byLid, fromMe: true } });
    await patient.relay(clinic.byLid, { imageMessage: { url: 'https://mmg.whatsapp.net/v/none', mimetype: 'image/jpeg', caption, fileLength: 2000, mediaKey: randomBytes(32), fileSha256: randomBytes(32), fileEncSha256: randomBytes(32), directPath: '/v/none' } });
    await patient.relay(clinic.byLid, { contactMessage: { displayName: card, vcard: `BEGIN:VCARD\nVERSION:3.0\nFN:${card}\nEND:VCARD` } });
    await answers(2);
    await patient.send(clinic.byLid, { text: `I am ${name} and I have crushing chest pain, ${text}` });
    await until('the emergency text', () => patient.texts().some((one) => one.includes('112')), 60);
    const desk = await clinic.companion();
    await desk.send(`${patient.lid}@lid`, { text: `${staff}, please come in` });
    await until('the message of the hospital\'s phone', async () => (await clinic.sql("select 1 from messages where sender = 'staff'")).length > 0);
    const [{ id: conversation }] = await clinic.sql('select id from conversations');
    await clinic.rest('GET', `/v1/conversations/${conversation}`);
    await clinic.sendMessage({ commit_id: randomUUID(), number: name, phone: patient.phone, text: staff }).then(() => assert.fail('there is no such number'), () => {});
  } finally {
    await clinic.end();
  }
  assert.ok(log.split('\n').length > 50, log);
  const secret = [text, caption, card, edited, staff, name, patient.phone, patient.phone.slice(-9), patient.lid, masterKey, Buffer.from(masterKey, 'base64').toString('hex')];
  const lines = log.split('\n').filter((line) => secret.some((one) => line.toLowerCase().includes(one.toLowerCase())));
  assert.deepEqual(lines, []);
});
