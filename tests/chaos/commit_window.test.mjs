// After a commit, before its answer arrives: whoever asks again gets the first outcome.
//
// The answer is held back by a proxy from the moment the request passed it. Once the database shows the
// row, the connection is cut or the process killed: so the window is hit every time, not by luck.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { until } from '../support/processes.mjs';
import { newPhone, startServices } from './services.mjs';

let services;
before(async () => { services = await startServices({ env: { POOL_SIZE: '4' } }); });
after(async () => { await services?.stop(); });

const steps = {
  Accept: {
    carries: (name) => `id-${name}`,
    stored: "select 1 from messages where whatsapp_message_id = 'id-' || $1 and direction = 'received'",
  },
  CommitReply: {
    carries: (name) => `stub: question ${name}`,
    stored: "select 1 from messages m join replies r on r.id = m.id where m.content like '%stub: question ' || $1",
  },
};

const losses = {
  'the connection to the store is cut': ['storeLink', async () => { services.storeLink.cut(); }],
  'the store is killed': ['storeLink', async () => {
    await services.kill('store');
    services.start('store');
  }],
  'the connection to the database is cut': ['databaseLink', async () => { services.databaseLink.cut(); }],
  'the database is away for a while': ['databaseLink', async () => {
    const before = services.databaseLink.counts.refused;
    services.databaseLink.refuse();
    // The store must have tried at least twice, so its own first retry did not hide the loss.
    await until('the store to knock', 30, () => services.databaseLink.counts.refused >= before + 2);
    services.databaseLink.accept();
  }],
};

let run = 0;
for (const [step, { carries, stored }] of Object.entries(steps)) {
  for (const [loss, [link, lose]] of Object.entries(losses)) {
    test(`${step} gives its first outcome after ${loss}`, async () => {
      const name = `w${++run}x`, phone = newPhone();
      const body = { phone, message: `question ${name}`, messageId: `id-${name}` };
      services[link].holdAnswerTo(carries(name));
      let answered = false;
      const answer = services.post(body).finally(() => { answered = true; });
      await until('the commit', 30, async () => (await services.sql(stored, [name])).length === 1);
      assert.ok(services[link].holding(), 'the request passed the proxy');
      assert.equal(answered, false, 'the window was missed');
      await lose();

      const first = await answer;
      assert.ok([200, 409, 503].includes(first.status), String(first.status));
      const final = first.status === 200 ? first : await services.ask(body);
      if (first.status === 200) assert.equal(first.body.duplicate, false);
      assert.match(final.body.response, new RegExp(`stub: question ${name}$`));
      assert.deepEqual(await services.rows(phone), { received: 1, sent: 1, turns: 1, replies: 1, reply: final.body.response });
      assert.equal(await services.claude.asked(`question ${name}`), 1);

      const again = await services.ask(body);
      assert.equal(again.body.duplicate, true);
      assert.equal(again.body.response, final.body.response);
      assert.equal(again.body.conversationId, final.body.conversationId);
      assert.deepEqual(await services.rows(phone), { received: 1, sent: 1, turns: 1, replies: 1, reply: final.body.response });
      await services.ready();
    });
  }
}
