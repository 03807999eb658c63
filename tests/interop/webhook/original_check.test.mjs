// The original's own tester, unchanged in what it asks: four messages of one phone number.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { startClaude, startSystem, stop } from './system.mjs';

const hospital = parse(readFileSync(path.join(process.env.MEDIDESK_ROOT, 'examples/hospital.yaml'), 'utf8'));
const questions = ['Hello', 'I need to book an appointment', 'What are your visiting hours?', 'I need to speak with a doctor'];

// The times of a row of the file as 24-hour words, "10:00" and so on.
const times = (text) => [...String(text).matchAll(/\d{1,2}:\d{2}/g)].map((match) => match[0].padStart(5, '0'));

async function ask(system) {
  const answers = [];
  for (const [index, message] of questions.entries()) {
    const start = performance.now();
    const answer = await system.post({ phone: '+1234567890', message, messageId: `check-${index}`, timestamp: new Date().toISOString() });
    assert.equal(answer.status, 200, message);
    assert.equal(answer.body.success, true);
    assert.ok(answer.body.response.length > 0, message);
    assert.ok(performance.now() - start < 5000, message);
    answers.push(answer.body.response);
  }
  return answers;
}

test('answers the four questions from the stored facts without a model', async () => {
  const system = await startSystem();
  try {
    const [hello, booking, visiting, doctor] = await ask(system);
    assert.match(hello, new RegExp(hospital.hospital.name));
    assert.doesNotMatch(booking, /(have|has been|is) (booked|confirmed|scheduled)/i);
    assert.match(booking, /staff|desk|person/i);
    const icu = hospital.visiting_hours.find((row) => /intensive/i.test(row.area) && !/newborn/i.test(row.area));
    assert.ok(icu, 'the file has ICU hours');
    for (const time of times(JSON.stringify(icu.hours))) assert.ok(visiting.includes(time), `${time} in: ${visiting}`);
    const known = [...hospital.departments, ...hospital.doctors].map((row) => row.name);
    assert.ok(known.some((name) => doctor.includes(name)), doctor);
  } finally {
    await system.stop();
  }
});

test('answers the four questions through the model', async () => {
  const claude = await startClaude(['--facts']);
  const system = await startSystem({ env: { ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url } });
  try {
    const [, , visiting] = await ask(system);
    assert.match(visiting, /10:00/);
    assert.equal(await claude.asked(), 4);
  } finally {
    await system.stop();
    await stop(claude.child);
  }
});
