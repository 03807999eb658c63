// A changed fact is used by the next answer: told by KnowledgeService.Watch, whoever changed it. How soon is
// reported, not judged: the machine may be busy.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { startApart, startClaude, startTogether, stop, until } from './systems.mjs';

const question = 'Is there parking?';

// Changes the answer of a FAQ by `knowledge`, asks until `used(answer)` and gives the milliseconds between.
async function change(knowledge, ask, used) {
  const { faq } = await knowledge.call('GetFaq', { key: 'parking' });
  const marker = `Bay ${randomUUID().slice(0, 8)} is yours.`;
  assert.equal(await used(await ask(), marker), false, 'the marker is not there before');
  await knowledge.call('UpdateFaq', { faq: { ...faq, answer: `Yes. ${marker}` }, expected_revision: faq.revision });
  const begin = performance.now();
  let asked = 0;
  await until('an answer that uses the changed fact', 30, async () => {
    asked += 1;
    return used(await ask(), marker);
  });
  return { milliseconds: Math.round(performance.now() - begin), asked };
}

const asker = (system) => async () => {
  const answer = await system.post({ phone: `+1555${Math.floor(1e7 * Math.random()).toString().padStart(7, '0')}`, message: question, messageId: randomUUID() });
  assert.equal(answer.status, 200);
  return answer.body.response;
};

const byFacts = async (answer, marker) => answer.includes(marker);

test('one process: the fact answerer uses a changed FAQ', async (t) => {
  const system = await startTogether();
  try {
    for (let round = 0; round < 3; ++round) {
      const { milliseconds, asked } = await change(system.knowledge, asker(system), byFacts);
      t.diagnostic(`used after ${milliseconds} ms, in answer ${asked}`);
    }
  } finally {
    await system.stop();
  }
});

test('separate processes: a change by either store is used', async (t) => {
  const system = await startApart();
  try {
    for (const [name, knowledge] of [['its own store', system.knowledge], ['another store', system.otherKnowledge]]) {
      for (let round = 0; round < 2; ++round) {
        const { milliseconds, asked } = await change(knowledge, asker(system), byFacts);
        t.diagnostic(`changed by ${name}: used after ${milliseconds} ms, in answer ${asked}`);
      }
    }
  } finally {
    await system.stop();
  }
});

test('the model is told the changed FAQ', async (t) => {
  const claude = await startClaude();
  const system = await startTogether({ ANTHROPIC_API_KEY: 'test', ANTHROPIC_BASE_URL: claude.url });
  try {
    const told = async (_, marker) => (await claude.asked(marker)) > 0;
    const { milliseconds, asked } = await change(system.knowledge, asker(system), told);
    t.diagnostic(`in the prompt after ${milliseconds} ms, of answer ${asked}`);
  } finally {
    await system.stop();
    await stop(claude.child);
  }
});
