// A process or the database that is not there: nothing is lost, and all of it comes back by itself.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { until } from '../support/processes.mjs';
import { newPhone, startServices } from './services.mjs';

test('an assistant killed while it asks the model is replaced, and the repeat is answered once', async () => {
  const services = await startServices();
  try {
    const phone = newPhone();
    const body = { phone, message: 'question slow', messageId: 'slow' };
    await services.claude.control('inject', { mode: 'delay', delay_ms: 120_000, path: '/v1/messages' });
    const lost = services.post(body);
    await until('the model to be asked', 30, async () => (await services.claude.asked('question slow')) === 1);
    await services.kill('assistant');
    const first = await lost;
    assert.equal(first.status, 503);
    assert.ok(Number(first.headers.get('retry-after')) >= 1);
    assert.equal(first.body.success, false);
    assert.deepEqual(await services.rows(phone), { received: 1, sent: 0, turns: 1, replies: 0, reply: null });
    const [turn] = await services.sql("select state, claim_until is not null as claimed from turns");
    assert.deepEqual(turn, { state: 'sealed', claimed: true });

    services.start('assistant');
    const answer = await services.ask(body);
    assert.match(answer.body.response, /stub: question slow$/);
    assert.equal(answer.body.duplicate, true);
    assert.deepEqual(await services.rows(phone), { received: 1, sent: 1, turns: 1, replies: 1, reply: answer.body.response });
    assert.equal(await services.claude.asked('question slow'), 2);  // the first died with its caller
    // Not while the dead one's claim was alive.
    const [late] = await services.sql("select extract(epoch from closed_at - opened_at) >= 5 as lapsed from turns");
    assert.equal(late.lapsed, true);
  } finally {
    await services.stop();
  }
});

test('messages of a patient that come faster than they are answered are answered in their order', async () => {
  const services = await startServices();
  try {
    const phone = newPhone(), names = ['one', 'two', 'three', 'four', 'five', 'six'];
    await services.ask({ phone, message: 'hello', messageId: 'hello' });
    await services.claude.control('inject', { mode: 'delay', delay_ms: 1500, path: '/v1/messages' });
    const asked = [];
    for (const name of names) {
      asked.push(services.post({ phone, message: `question ${name}`, messageId: name }));
      await until(`${name} to be stored`, 30, async () =>
        (await services.sql('select 1 from messages where whatsapp_message_id = $1', [name])).length);
    }
    for (const answer of await Promise.all(asked)) assert.equal(answer.status, 200);
    const replies = await services.sql("select content from messages where direction = 'sent' order by seq offset 1");
    assert.deepEqual(replies.map((row) => row.content.match(/question (\w+)$/)[1]), names);
  } finally {
    await services.stop();
  }
});

test('services start without their database, say so, and need no restart when it comes', async () => {
  const services = await startServices({ databaseAway: true });
  try {
    await until('admin', 60, async () => (await services.status('/livez')) === 200);
    await until('the store to try', 60, () => services.databaseLink.counts.refused >= 3);
    assert.equal(await services.status('/readyz'), 503);
    const phone = newPhone();
    const body = { phone, message: 'question early', messageId: 'early' };
    const [refused, flag] = await Promise.all([
      services.post(body),
      services.post({ phone: newPhone(), message: 'my chest feels tight and my left arm is numb' }),
    ]);
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    assert.equal(refused.body.success, false);
    assert.equal(flag.status, 200, 'a red flag waits for no database');
    assert.match(flag.body.response, /emergency/);
    services.assertAlive();

    services.databaseLink.accept();
    await services.ready();
    const answer = await services.ask(body);
    assert.match(answer.body.response, /stub: question early$/);
    assert.deepEqual(await services.rows(phone), { received: 1, sent: 1, turns: 1, replies: 1, reply: answer.body.response });

    // And again, while it runs.
    services.databaseLink.refuse();
    await until('readyz to say so', 30, async () => (await services.status('/readyz')) === 503);
    const asked = services.post({ phone, message: 'question later', messageId: 'later' });
    const knocks = services.databaseLink.counts.refused;
    await until('the store to knock', 30, () => services.databaseLink.counts.refused >= knocks + 2);
    services.databaseLink.accept();
    assert.equal((await asked).status, 200, 'a short outage is waited for');
    await services.ready();
    services.assertAlive();
    const ends = await services.stop();
    for (const [name, end] of Object.entries(ends)) assert.equal(end.code, 0, name);
  } finally {
    await services.stop();
  }
});
