// Callers who repeat until they are answered, while services are killed and connections cut at random
// moments; then everything is counted. MEDIDESK_CHAOS_SECONDS sets how long (15), MEDIDESK_CHAOS_SEED
// repeats a choice of losses (the printed seed; the moments stay the machine's).
//
//   I1  an accepted message is answered, handed to staff, or answerable by a repeat
//   I2  a turn has at most one reply, and every caller of it was given that one
//   I3  messages of a patient are stored and answered in their order, while the earlier one's claim cannot have lapsed
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { pause, until } from '../support/processes.mjs';
import { newPhone, startServices } from './services.mjs';

const seconds = Number(process.env.MEDIDESK_CHAOS_SECONDS || 15);
const seed = Number(process.env.MEDIDESK_CHAOS_SEED || Math.floor(Math.random() * 2 ** 32));
const patients = 6;

function randomNumbers(state) {  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`nothing is lost or doubled in ${seconds} s of losses, seed ${seed}`, async () => {
  const random = randomNumbers(seed);
  const services = await startServices();
  try {
    await services.claude.control('script', { mode: 'echo', rules: [{ contains: 'slowly', text: 'slow and steady', delay_ms: 700 }] });
    const sent = new Map();  // messageId -> {phone, message, from, to, attempts, responses}
    const happened = {};
    let over = false;

    // A patient writes four in a row, each as soon as the one before is stored, then waits for the answers.
    const talk = async (phone, patient) => {
      const asking = [];
      for (let number = 0; !over; ++number) {
        const messageId = `m-${patient}-${number}`;
        const message = `question ${messageId} ${number % 4 === 0 ? 'slowly' : 'please'}`;
        const entry = { phone, message, number, from: performance.now(), attempts: 0, responses: [] };
        sent.set(messageId, entry);
        const asked = services.ask({ phone, message, messageId }, 120).then((answer) => {
          entry.to = performance.now();
          entry.attempts = answer.attempts;
          entry.responses.push(answer.body.response);
        });
        asked.catch(() => {});  // told where all are awaited
        asking.push(asked);
        const stored = until(`${messageId} to be stored`, 120, async () =>
          (await services.sql("select 1 from messages where whatsapp_message_id = $1 and not from_me", [messageId])).length);
        await (number % 4 === 3 ? Promise.all(asking) : stored);
      }
      await Promise.all(asking);
    };

    const restart = async (name) => {
      await services.kill(name);
      services.start(name);
    };
    const kinds = {
      'store killed': () => restart('store'),
      'assistant killed': () => restart('assistant'),
      'store connection cut': async () => services.storeLink.cut(),
      'database connection cut': async () => services.databaseLink.cut(),
      'store answer lost': async () => {
        services.storeLink.holdAnswerTo('question');
        await pause(100 + random() * 300);
        services.storeLink.cut();
      },
      'database answer lost': async () => {
        services.databaseLink.holdAnswerTo('question');
        await pause(100 + random() * 300);
        services.databaseLink.cut();
      },
      'database away': async () => {
        services.databaseLink.refuse();
        await pause(random() * 800);
        services.databaseLink.accept();
      },
    };
    const lose = async () => {
      const end = Date.now() + seconds * 1000;
      let left = [];
      while (Date.now() < end) {
        await pause(200 + random() * 800);
        if (left.length === 0) left = Object.keys(kinds);
        const [kind] = left.splice(Math.floor(random() * left.length), 1);
        await kinds[kind]();
        happened[kind] = (happened[kind] ?? 0) + 1;
      }
    };

    const talks = Array.from({ length: patients }, (_, patient) => talk(newPhone(), patient));
    const talking = Promise.all(talks);
    talking.catch(() => {});  // told below
    await lose();
    over = true;
    await talking;
    await services.ready();
    services.assertAlive();

    const rows = await services.sql(
      `select m.whatsapp_message_id as id, m.content, m.seq::int, t.id as turn, t.state, t.first_seq::int,
              (select count(*)::int from replies r where r.turn_id = t.id) as replies,
              (select count(*)::int from tasks k where k.turn_id = t.id) as tasks,
              (select x.content from replies r join messages x on x.id = r.id where r.turn_id = t.id) as reply,
              (select x.seq::int from replies r join messages x on x.id = r.id where r.turn_id = t.id) as reply_seq
         from messages m left join turns t on t.id = m.turn_id where m.direction = 'received' order by m.seq`);
    const byId = new Map(rows.map((row) => [row.id, row]));
    assert.equal(byId.size, rows.length, 'a message is stored once');
    const [orphans] = await services.sql("select count(*)::int from messages m where direction = 'sent' and not exists (select 1 from replies r where r.id = m.id)");
    assert.equal(orphans.count, 0);

    let repeated = 0;
    for (const [id, entry] of sent) {
      const row = byId.get(id);
      assert.ok(row, `${id} got 200 and is not stored`);
      assert.equal(row.content, entry.message);
      assert.ok(row.replies <= 1, `${id} has ${row.replies} replies`);
      if (entry.attempts > 1) repeated += 1;
      for (const response of entry.responses) assert.equal(response, row.reply, id);
    }
    for (const row of rows) {
      assert.ok(sent.has(row.id), `${row.id} was never sent`);
      if (row.replies === 1 || row.tasks > 0) continue;
      const entry = sent.get(row.id);
      const answer = await services.ask({ phone: entry.phone, message: entry.message, messageId: row.id });
      assert.ok(answer.body.response, `${row.id} is in state ${row.state} and a repeat is not answered`);
    }

    let compared = 0;
    for (let patient = 0; patient < patients; ++patient) {
      const own = [...sent.entries()].filter(([id]) => id.startsWith(`m-${patient}-`)).map(([id, entry]) => ({ ...entry, ...byId.get(id) }));
      for (const [earlier, later] of own.slice(1).map((entry, index) => [own[index], entry])) {
        assert.ok(earlier.seq < later.seq, `${later.id} is stored before ${earlier.id}`);
        if (earlier.to - earlier.from > 4500) continue;  // a claim lasts 5 s
        compared += 1;
        assert.ok(earlier.reply_seq < later.reply_seq, `${later.id} is answered before ${earlier.id}`);
      }
    }
    console.log(`seed ${seed}: ${sent.size} messages, ${repeated} asked for more than once, ${compared} pairs compared, ${JSON.stringify(happened)}`);
    assert.ok(sent.size >= patients, 'every patient wrote');
    assert.ok(Object.keys(happened).length > 0, 'something was lost');
    assert.ok(compared > 0, 'answers were compared');
  } catch (error) {
    for (const [name, child] of Object.entries(services.children)) console.log(`--- ${name}\n${child.output.slice(-4000)}`);
    throw error;
  } finally {
    await services.stop();
  }
});
