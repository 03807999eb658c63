// Patients on real Baileys write while processes are killed and connections cut; then everything is counted at the
// patients' side. MEDIDESK_CHAOS_ROUNDS sets how many losses (200; a night takes 2,000), MEDIDESK_CHAOS_SEED repeats their
// choice, MEDIDESK_CHAOS_PATIENTS how many patients write (20).
//
//   I1  every message whose delivery the patient saw is answered
//   I2  exactly once: answers are told apart by the ids of their stanzas
//   I3  in the order of the messages
//
// Losses at random moments find the narrow windows seldom, so some are aimed: a trigger in the store's database holds the
// next transaction of a kind until a process has been killed inside it. What is asserted of each window is that PostgreSQL
// had the transaction waiting there (before the ack: that a patient had the answer and the store did not know) when the
// process died.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { startPostgres } from '../../support/postgres.mjs';
import { BaileysClient } from './baileys_client.mjs';
import { pause, until } from './simulator.mjs';
import { startSite } from './site.mjs';

const rounds = Number(process.env.MEDIDESK_CHAOS_ROUNDS || 200);
const seed = Number(process.env.MEDIDESK_CHAOS_SEED || Math.floor(Math.random() * 2 ** 32));
const patients = Number(process.env.MEDIDESK_CHAOS_PATIENTS || 20);
const apologyShare = 0.01;  // of all turns

function randomNumbers(state) {  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Each aimed window: whose transaction it is in, and the trigger that finds it. Its gate is an advisory lock.
const gateClass = 727_100;
const windows = {
  accept: { gate: 1, on: 'before insert on public.messages for each row when (not new.from_me)' },
  'commit reply': { gate: 2, on: "before insert on public.replies for each row when (new.turn_id is not null and new.origin = 'bot')" },
  'commit outbound': { gate: 3, on: 'before update on public.reply_parts for each row when (new.attempts > old.attempts)' },
};
const gates = `
  create function public.chaos_gate() returns trigger language plpgsql as $$
  begin perform pg_advisory_xact_lock_shared(${gateClass}, tg_argv[0]::int); return new; end $$;
  ${Object.values(windows).map(({ gate, on }) => `create trigger chaos_gate_${gate} ${on} execute function public.chaos_gate(${gate});`).join('\n')}`;

async function startClinic() {
  const postgres = await startPostgres();
  const site = await startSite('losses', postgres.url);
  const endSite = site.end;
  Object.assign(site, {
    postgres,
    // Closes a window's gate, has `kill` done while a transaction waits at it, and opens it again.
    async inside(gate, kill) {
      const keeper = new pg.Client(postgres.url);
      keeper.on('error', () => {});
      await keeper.connect();
      try {
        await keeper.query('select pg_advisory_lock($1, $2)', [gateClass, gate]);
        await until('a transaction to be at the gate', async () => (await keeper.query(
          "select 1 from pg_locks where locktype = 'advisory' and classid = $1 and objid = $2 and not granted", [gateClass, gate])).rowCount > 0);
        await kill();
      } finally {
        await keeper.end();
      }
    },
    async end() {
      await endSite();
      await postgres.stop();
    },
  });
  await site.sql(gates);
  await site.sim.post('/settings', { record_stanzas: false });
  return site;
}

// What a patient has got, by what it answers: looked through once, as it comes.
class Answers {
  constructor(patient) {
    this.patient = patient;
    this.seen = 0;
    this.ids = new Map();      // token -> ids of stanzas
    this.places = new Map();   // id of a stanza -> its place among all that came
  }

  look() {
    for (; this.seen < this.patient.received.length; ++this.seen) {
      const message = this.patient.received[this.seen];
      if (message.key.fromMe) continue;
      if (!this.places.has(message.key.id)) this.places.set(message.key.id, this.seen);
      for (const token of (BaileysClient.textOf(message) ?? '').match(/t\d+x\d+e/g) ?? []) {
        if (!this.ids.has(token)) this.ids.set(token, new Set());
        this.ids.get(token).add(message.key.id);
      }
    }
    return this;
  }

  to = (token) => this.look().ids.get(token) ?? new Set();
  got = (id) => this.look().places.has(id);
}

test(`nothing is lost or doubled over WhatsApp in ${rounds} losses, seed ${seed}`, { timeout: 7_200_000 }, async () => {
  const random = randomNumbers(seed);
  const site = await startClinic();
  const people = [], diary = [];
  try {
    for (let i = 0; i < patients; ++i) {
      const patient = await BaileysClient.patient(site.sim, `Patient ${i}`);
      people.push(Object.assign(patient, { log: [], answers: new Answers(patient) }));
    }
    let over = false;
    const talk = async (patient, index) => {
      for (let number = 0; !over; ++number) {
        const token = `t${index}x${number}e`;
        const id = await patient.send(site.address, { text: `question ${token}` });
        patient.log.push({ token, id });
        const end = Date.now() + 1500 + random() * 1500;
        while (!over && Date.now() < end && patient.answers.to(token).size === 0) await pause(20);
      }
    };
    const restart = async (name) => {
      await site.kill(name);
      site.start(name);
    };
    const either = (...names) => names[Math.floor(random() * names.length)];
    const hits = {};  // of the aimed windows: who died inside
    const hit = (window, name) => { hits[window] = { ...hits[window], [name]: (hits[window]?.[name] ?? 0) + 1 }; };
    const inside = (window, ...names) => async () => {
      const name = either(...names);
      await site.inside(windows[window].gate, async () => {
        await site.kill(name);
        hit(window, name);
      });
      site.start(name);
    };
    const happened = {};
    const kinds = {
      'gateway killed': () => restart('gateway'),
      'store killed': () => restart('store'),
      'assistant killed': () => restart('assistant'),
      'PostgreSQL restarted': () => site.postgres.restart(either('INT', 'QUIT', 'KILL')),
      'store connection cut': async () => site.storeLink.cut(),
      'database connection cut': async () => site.databaseLink.cut(),
      'gateway answer lost': async () => {
        site.storeLink.holdAnswerTo('question');
        await pause(50 + random() * 200);
        site.storeLink.cut();
      },
      'database away': async () => {
        site.databaseLink.refuse();
        site.databaseLink.cut();
        await pause(random() * 800);
        site.databaseLink.accept();
      },
      'killed inside accept': inside('accept', 'gateway', 'store'),
      'killed inside commit reply': inside('commit reply', 'assistant', 'store'),
      'killed inside commit outbound': inside('commit outbound', 'gateway', 'store'),
      'killed before the ack': async () => {
        const unknown = async (ids) => (await site.sql(
          "select stanza_id as id from reply_parts where state = 'sending' and stanza_id = any ($1)", [ids])).map(({ id }) => id);
        const arrived = () => people.flatMap(({ answers }) => [...answers.look().places.keys()].slice(-50));
        for (let still = []; still.length === 0;) {
          await site.sim.fault({ kind: 'ack_silence', phone: site.phone });
          let ids;
          // Still unknown a while later: it is the swallowed ack that is waited for, not one that is being stored.
          await until('an answer that is not acknowledged', async () => {
            ids = await unknown(arrived());
            if (ids.length > 0) await pause(100);
            ids = await unknown(ids);
            return ids.length > 0;
          });
          await site.kill('gateway');
          still = await unknown(ids);  // else its ack came first
          site.start('gateway');
        }
        hit('before the ack', 'gateway');
      },
    };
    const talking = Promise.all(people.map(talk));
    talking.catch(() => {});  // told below
    const begin = Date.now();
    let left = [];
    for (let round = 0; round < rounds; ++round) {
      await pause(100 + random() * 500);
      if (left.length === 0) left = Object.keys(kinds);
      const [kind] = left.splice(Math.floor(random() * left.length), 1);
      const started = Date.now();
      try {
        await kinds[kind]();
      } catch (error) {
        throw new Error(`round ${round}, ${kind}: ${error.message}`, { cause: error });
      }
      happened[kind] = (happened[kind] ?? 0) + 1;
      diary.push(`${new Date(started).toISOString()} ${new Date().toISOString()} ${kind}`);
    }
    const seconds = (Date.now() - begin) / 1000;
    over = true;
    await talking;
    await restart('gateway');  // an answer whose ack was swallowed is sent again now, not in a minute

    const undelivered = () => people.flatMap((patient) => patient.log.filter(({ id }) => !patient.receipts.has(id)).map(({ token }) => token));
    await until('every message to be delivered', () => undelivered().length === 0, 120)
      .catch((error) => { throw new Error(`${error.message}: ${undelivered().slice(0, 10)}`); });
    // A turn may end with an apology, which names no token: then that is the answer to its messages.
    const apologies = new Map();
    const look = async () => {
      const rows = await site.sql(`
        select m.whatsapp_message_id as id, array_agg(p.stanza_id) as stanzas from messages m join replies r on r.turn_id = m.turn_id
          join reply_parts p on p.reply_id = r.id where not m.from_me and r.source in ('apology', 'stale_notice') group by 1`);
      for (const { id, stanzas } of rows) apologies.set(id, stanzas);
    };
    const answersTo = (patient, { token, id }) => new Set([...patient.answers.to(token), ...(apologies.get(id) ?? []).filter(patient.answers.got)]);
    const missing = () => people.flatMap((patient) => patient.log.filter((entry) => answersTo(patient, entry).size === 0).map(({ token }) => token));
    await until('every message to be answered', async () => {
      await look();
      return missing().length === 0;
    }, 120).catch((error) => { throw new Error(`${error.message}: ${missing().slice(0, 10)}`); });
    // A second answer would be committed by now, or be on its way.
    await until('nothing to be on its way', async () => (await site.sql(
      "select 1 from turns where state in ('open', 'sealed') union all select 1 from reply_parts where state in ('queued', 'sending')")).length === 0);
    await pause(1000);

    let messages = 0;
    for (const patient of people) {
      const places = patient.log.map((entry) => {
        const ids = answersTo(patient, entry);
        assert.equal(ids.size, 1, `${entry.token} has ${ids.size} answers`);
        messages += 1;
        return patient.answers.places.get([...ids][0]);
      });
      for (const [i, place] of places.slice(1).entries()) {
        if (place >= places[i]) continue;
        console.log(await site.sql(`
          select m.whatsapp_message_id as asked, m.seq, m.created_at as at, t.state, t.id as turn, r.created_at as replied, p.stanza_id, p.attempts, p.state as part, p.updated_at
            from messages m left join turns t on t.id = m.turn_id left join replies r on r.turn_id = t.id left join reply_parts p on p.reply_id = r.id
           where not m.from_me and m.whatsapp_message_id = any ($1) order by m.seq`, [patient.log.slice(Math.max(0, i - 1), i + 3).map(({ id }) => id)]));
        console.log(patient.received.slice(Math.max(0, place - 3), places[i] + 2).map(({ key, messageStubType: stub, messageStubParameters: why }) => `${key.fromMe ? '> ' : '< '}${key.id} ${stub ?? ''} ${why ?? ''}`).join('\n'));
        assert.fail(`${patient.log[i + 1].token} is answered before ${patient.log[i].token}`);
      }
    }
    const [{ turns, sorry }] = await site.sql(`
      select (select count(*)::int from turns) as turns, (select count(*)::int from replies where source in ('apology', 'stale_notice')) as sorry`);
    console.log(`seed ${seed}: ${messages} messages, ${turns} turns, ${sorry} apologies, ${seconds.toFixed(0)} s, ${JSON.stringify(happened)}`);
    console.log(`killed inside: ${JSON.stringify(hits)}`);
    assert.ok(sorry <= turns * apologyShare, `${sorry} of ${turns} turns ended with an apology`);
    assert.ok(messages > rounds / 2);
    for (const window of [...Object.keys(windows), 'before the ack']) {
      const count = Object.values(hits[window] ?? {}).reduce((sum, one) => sum + one, 0);
      assert.ok(count >= Math.floor(rounds / Object.keys(kinds).length), `${count} kills fell ${window === 'before the ack' ? '' : 'inside '}${window}`);
    }
  } catch (error) {
    console.log(diary.slice(-60).join('\n'));
    for (const name of Object.keys(site.children)) console.log(`--- ${name}\n${site.said(name).slice(-20_000)}`);
    throw error;
  } finally {
    for (const patient of people) patient.stop();
    await site.end();
  }
});
