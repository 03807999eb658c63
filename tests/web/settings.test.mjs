// What an admin sets for the whole desk: the hospital, visiting hours, each number's assistant. And what it costs.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { after, before, test } from 'node:test';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { root, until } from '../support/processes.mjs';
import { asPersonOf, checkPage, desk, password, phone, shoot, startBrowser, startDesk } from './desk.mjs';

let system, browser, number;
const patient = '+15550100020';

before(async () => {
  browser = await startBrowser();
  assert.ok(browser, 'no Chromium: install the package chromium');
  system = await startDesk();
  assert.equal((await system.patient(patient, 'What are your visiting hours?')).success, true);
  await system.sql(`select medidesk.upsert_number(gen_random_uuid(), null, '', 'front-desk', '', true, true, true, 'operator', '')`);
  [number] = await system.sql(`select id, name from public.numbers where name = 'front-desk'`);
});
after(async () => {
  await browser?.close();
  await system?.stop();
});

const asPerson = (...rest) => asPersonOf(browser, system.base, ...rest);
const panel = (page) => page.getByRole('tabpanel');

// A session of `person` without a browser: (method, path, body, headers) => answer.
async function session(person) {
  const login = await fetch(`${system.base}/desk/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: person.email, password }) });
  const cookie = login.headers.get('set-cookie').split(';')[0];
  const { csrfToken } = await login.json();
  return (method, at, body, headers = {}) => fetch(`${system.base}${at}`, {
    method, body: body && JSON.stringify(body), headers: { cookie, 'x-csrf-token': csrfToken, ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
  });
}

test('an admin changes the hospital’s settings, and the history shows it', async () => {
  await asPerson(system.people.ada, async (page) => {
    await page.goto('/#/knowledge/hospital');
    assert.equal(await page.getByLabel('Name of the hospital').inputValue(), 'Sunrise Hospital');
    assert.equal(await page.getByLabel('Time zone').inputValue(), 'Asia/Kolkata');
    await page.getByLabel('Phone of the front desk').fill('+91 22 5550 0199');
    await page.getByLabel('Name of the assistant').fill('Mira');
    await page.getByLabel('Emergency number').fill('108');
    await page.getByRole('button', { name: 'Add a day' }).click();
    await panel(page).locator('input[type=date]').last().fill('2027-05-01');
    await page.getByLabel('What day it is').last().fill('Labour Day');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved', { exact: true }).waitFor();
    const [row] = await system.sql('select * from public.hospital_settings');
    assert.equal(row.persona_name, 'Mira');
    assert.equal(row.emergency_number, '108');
    // What the server refuses is told, and what was typed stays.
    await page.getByLabel('Time zone').fill('Nowhere/Town');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').filter({ hasText: 'timezone' }).waitFor();
    assert.equal(await page.getByLabel('Time zone').inputValue(), 'Nowhere/Town');
    await page.getByRole('tab', { name: 'History' }).click();
    const change = panel(page).getByRole('listitem').filter({ hasText: 'Hospital' }).filter({ hasText: 'Ada Admin' }).first();
    await change.getByText('changed · Ada Admin').click();
    await change.getByText('+91 22 5550 0199').waitFor();
    await change.getByText('Labour Day').waitFor();
  });
  await until('the assistant to know', 20, async () => (await system.patient(patient, 'What is the phone number of the hospital?')).response?.includes('0199'));
});

test('who saved later sees what the other one saved, and decides', async () => {
  const other = await session(system.people.ada);
  await asPerson(system.people.ada, async (page) => {
    const change = async (text) => {
      const { hospital } = await (await other('GET', '/v1/knowledge/hospital')).json();
      const { revision, updateTime: _, ...rest } = hospital;
      assert.equal((await other('PUT', '/v1/knowledge/hospital', { ...rest, about: text }, { 'if-match': `"${revision}"` })).status, 200);
      assert.equal((await other('PUT', '/v1/knowledge/hospital', { ...rest, about: 'never' }, { 'if-match': `"${revision}"` })).status, 412);
    };
    await page.goto('/#/knowledge/hospital');
    await page.getByLabel('Address, in one line').fill('1 New Road');
    await change('The first text of somebody else.');
    await page.getByRole('button', { name: 'Save' }).click();
    const conflict = page.getByRole('alert').filter({ hasText: 'Somebody changed this meanwhile.' });
    await conflict.getByText('The first text of somebody else.').waitFor();
    await conflict.getByText('1 New Road').waitFor();
    await shoot(page, 'knowledge-conflict-desk');
    await conflict.getByRole('button', { name: 'Take what is stored' }).click();
    assert.equal(await page.getByLabel('What the hospital is').inputValue(), 'The first text of somebody else.');
    assert.notEqual(await page.getByLabel('Address, in one line').inputValue(), '1 New Road');
    await page.getByLabel('Address, in one line').fill('2 New Road');
    await change('The second text of somebody else.');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('button', { name: 'Save mine all the same' }).click();
    await page.getByText('Saved', { exact: true }).waitFor();
    const [row] = await system.sql('select * from public.hospital_settings');
    assert.equal(row.address, '2 New Road');
    assert.equal(row.about, 'The first text of somebody else.');
  });
});

test('visiting hours are added, changed and removed', async () => {
  await asPerson(system.people.ada, async (page) => {
    await page.goto('/#/knowledge');
    await page.getByRole('tab', { name: 'Visiting hours' }).click();
    await panel(page).getByRole('button', { name: /Intensive care unit/ }).first().waitFor();
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    const form = page.getByRole('dialog');
    await form.getByLabel('Area, as patients call it').fill('Burns unit');
    await form.getByRole('button', { name: 'Add a time' }).click();
    await form.getByRole('button', { name: 'Add a time' }).click();
    await form.getByLabel('Day').last().selectOption('WEEKDAY_SUNDAY');
    await form.getByLabel('From').last().fill('16:30');
    await form.getByLabel('Until').last().fill('17:45');
    await form.getByRole('button', { name: 'Remove' }).first().click();
    assert.equal(await form.getByLabel('From').inputValue(), '16:30', 'the time that stays is shown');
    await form.getByLabel('Rules of the visit').fill('One visitor at a time.');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.waitFor({ state: 'detached' });
    const row = panel(page).getByRole('button', { name: /Burns unit/ });
    await row.getByText('Sun 16:30–17:45 · One visitor at a time.').waitFor();
    await until('the assistant to know', 20, async () => (await system.patient(patient, 'What are the visiting hours of the burns unit?')).response?.includes('One visitor at a time'));
    await row.click();
    await form.getByLabel('Rules of the visit').fill('Two visitors at a time.');
    await form.getByRole('button', { name: 'Save' }).click();
    await row.getByText('Two visitors at a time.').waitFor();
    await row.click();
    await form.getByRole('button', { name: 'Remove' }).last().click();
    await form.getByText('Delete “Burns unit”?').waitFor();
    await form.getByRole('button', { name: 'Remove' }).last().click();
    await row.waitFor({ state: 'detached' });
    await page.getByRole('tab', { name: 'History' }).click();
    for (const what of ['added', 'changed', 'removed']) await panel(page).getByRole('listitem').filter({ hasText: `Visiting hours burns-unit ${what} · Ada Admin` }).first().waitFor();
  });
});

test('settings are for admins: others read them, by page and by call', async () => {
  for (const person of [system.people.ben, system.people.vera]) {
    await asPerson(person, async (page) => {
      await page.goto('/#/knowledge/hospital');
      assert.ok(await page.getByLabel('Name of the hospital').isDisabled());
      assert.equal(await panel(page).getByRole('button', { name: 'Save' }).count(), 0);
      await page.goto('/#/knowledge/visitingHours/icu');
      assert.ok(await page.getByRole('dialog').getByLabel('Rules of the visit').isDisabled());
      await page.goto('/#/numbers');
      assert.ok(await page.getByRole('switch', { name: 'Assistant answers on WhatsApp' }).isDisabled());
    });
    const call = await session(person);
    const codes = [];
    for (const [method, at] of [['PUT', '/v1/knowledge/hospital'], ['POST', '/v1/knowledge/visitingHours'], ['PUT', '/v1/knowledge/visitingHours/icu'], ['DELETE', '/v1/knowledge/visitingHours/icu'], ['PATCH', `/v1/numbers/${number.id}`]]) {
      codes.push((await call(method, at, method === 'DELETE' ? undefined : {})).status);
    }
    assert.deepEqual(codes, [403, 403, 403, 403, 403]);
  }
});

test('the assistant is switched off for a number, and on again', async () => {
  await asPerson(system.people.ada, async (page) => {
    await page.goto('/#/numbers');
    const card = page.getByRole('region', { name: number.name });
    const answers = card.getByRole('switch', { name: 'Assistant answers on WhatsApp' });
    assert.ok(await answers.isChecked());
    await answers.click();
    await card.getByText('The assistant is switched off').waitFor();
    assert.equal(await answers.isChecked(), false);
    for (const [viewport, suffix] of [[desk, 'desk'], [phone, 'phone']]) {
      await page.setViewportSize(viewport);
      await checkPage(page, `numbers off ${suffix}`);
      await shoot(page, `numbers-off-${suffix}`);
    }
    assert.deepEqual(await system.sql('select bot_enabled from public.numbers where id = $1', [number.id]), [{ bot_enabled: false }]);
    await answers.click();
    await card.getByText('The assistant is switched off').waitFor({ state: 'detached' });
    assert.ok(await answers.isChecked());
  });
  const call = await session(system.people.ada);
  assert.equal((await call('PATCH', `/v1/numbers/${number.id}`, { botEnabled: false }, { 'if-match': '"999"' })).status, 412);
  assert.equal((await call('PATCH', `/v1/numbers/${number.id}`, { state: 'NUMBER_STATE_BANNED' })).status, 400);
  const [row] = await system.sql('select bot_enabled from public.numbers where id = $1', [number.id]);
  assert.equal(row.bot_enabled, true);
  const changes = await system.sql(`select actor, detail from public.audit_log where action = 'number_changed' order by id`);
  assert.deepEqual(changes, [{ actor: system.people.ada.id, detail: 'bot=false' }, { actor: system.people.ada.id, detail: 'bot=true' }]);
});

test('what the models cost, and how much of it the cache spared, is what was reported', async () => {
  const { ReportService } = grpc.loadPackageDefinition(
    loader.loadSync('medidesk/store/v1/report.proto', { includeDirs: [path.join(root, 'protos')], keepCase: true, longs: Number })).medidesk.store.v1;
  const client = new ReportService(`127.0.0.1:${system.ports.store}`, grpc.credentials.createInsecure());
  const record = (request) => new Promise((resolve, reject) => {
    client.RecordModelUsage(request, { deadline: Date.now() + 20_000 }, (error, response) => (error ? reject(error) : resolve(response)));
  });
  try {
    const first = { commit_id: randomUUID(), models: [
      { model: 'model-large', requests: 40, failed_requests: 2, input_tokens: 1000, cache_read_tokens: 8000, cache_write_tokens: 1000, output_tokens: 700, cost_micro_usd: 1_230_000 },
      { model: 'model-small', requests: 5, failed_requests: 0, input_tokens: 2000, cache_read_tokens: 0, cache_write_tokens: 0, output_tokens: 300, cost_micro_usd: 4_500 }] };
    await record(first);
    await record(first);  // a repeat of the call counts once
    await record({ commit_id: randomUUID(), models: [{ model: 'model-large', requests: 10, input_tokens: 0, cache_read_tokens: 4000, output_tokens: 100, cost_micro_usd: 20_000 }] });
  } finally {
    client.close();
  }
  await asPerson(system.people.vera, async (page) => {
    await page.goto('/#/analytics');
    const stat = (name) => page.locator('.stat').filter({ hasText: name });
    await stat('Cost of the models').getByText('US$1.25').waitFor();
    await stat('Cost of the models').getByText('55 requests, 2 failed').waitFor();
    await stat('Read from the prompt cache').getByText('75 %').waitFor();
    const rows = page.getByRole('region', { name: 'Models' }).locator('tbody tr');
    const cells = async (row) => (await row.locator('td').allTextContents()).map((text) => text.trim());
    assert.deepEqual(await cells(rows.nth(0)), ['model-large', '50', '2', '14,000 / 800', '86 %', 'US$1.25']);
    assert.deepEqual(await cells(rows.nth(1)), ['model-small', '5', '0', '2,000 / 300', '0 %', 'US$0.0045']);
    for (const [viewport, suffix] of [[desk, 'desk'], [phone, 'phone']]) {
      await page.setViewportSize(viewport);
      await checkPage(page, `models ${suffix}`);
      await page.getByRole('region', { name: 'Models' }).scrollIntoViewIfNeeded();
      await shoot(page, `analytics-models-${suffix}`);
    }
  });
});

test('the forms can be used by everybody, and fit a phone', async () => {
  for (const [viewport, scheme, suffix] of [[desk, 'light', 'desk'], [phone, 'light', 'phone'], [desk, 'dark', 'desk-dark']]) {
    await asPerson(system.people.ada, async (page) => {
      await page.goto('/#/knowledge/hospital');
      await page.getByLabel('Name of the hospital').waitFor();
      const chosen = await page.getByRole('tab', { selected: true }).boundingBox();
      assert.ok(chosen.x >= 0 && chosen.x + chosen.width <= viewport.width, `the chosen tab is seen: ${JSON.stringify(chosen)}`);
      await checkPage(page, `hospital ${suffix}`);
      await shoot(page, `knowledge-hospital-${suffix}`);
      await page.getByLabel('What the hospital is').scrollIntoViewIfNeeded();
      await shoot(page, `knowledge-hospital-end-${suffix}`);
      await page.goto('/#/knowledge/visitingHours');
      await panel(page).getByRole('button', { name: /Intensive care unit/ }).first().waitFor();
      await checkPage(page, `visiting hours ${suffix}`);
      await shoot(page, `knowledge-visiting-${suffix}`);
      await page.goto('/#/knowledge/visitingHours/icu');
      await page.getByRole('dialog').getByLabel('Rules of the visit').waitFor();
      await checkPage(page, `visiting hours form ${suffix}`);
      await shoot(page, `knowledge-visiting-form-${suffix}`);
    }, { viewport, colorScheme: scheme });
  }
});
