// MediDesk with accounts, a browser, and the pages in it.
import assert from 'node:assert/strict';
import { scryptSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import pg from 'pg';
import { chromium } from 'playwright-core';
import { startMedidesk } from '../support/medidesk.mjs';
import { root } from '../support/processes.mjs';

export const password = 'brown lamp river seven';
export const shots = path.join(root, 'var', 'screenshots');
mkdirSync(shots, { recursive: true });

// As store/password.h keeps it.
function hashOf(text) {
  const salt = randomBytes(16);
  const hash = scryptSync(text, salt, 32, { N: 1 << 15, r: 8, p: 1, maxmem: 128 << 20 });
  return `scrypt$15$8$1$${salt.toString('hex')}$${hash.toString('hex')}`;
}

export async function startDesk(options = {}) {
  const system = await startMedidesk(pg, options);
  const database = new pg.Client(system.databaseUrl);
  await database.connect();
  const hash = hashOf(password);
  const people = {};
  for (const [name, role] of [['Ada Admin', 'admin'], ['Ben Agent', 'agent'], ['Cleo Agent', 'agent'], ['Vera Viewer', 'viewer']]) {
    const key = name.split(' ')[0].toLowerCase();
    people[key] = { id: randomUUID(), name, role, email: `${key}@hospital.example` };
    await database.query('insert into public.staff (id, email, name, role, password_hash) values ($1, $2, $3, $4, $5)',
      [people[key].id, people[key].email, name, role, hash]);
  }
  let count = 0;
  // A patient's message through the webhook; the answer's JSON.
  const patient = async (phone, message, name) => {
    const answer = await fetch(`${system.base}/functions/v1/whatsapp-webhook`, {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ phone, message, messageId: `web-${++count}-${randomUUID()}`, ...(name ? { name } : {}) }),
    });
    return answer.json();
  };
  const sql = async (text, values) => (await database.query(text, values)).rows;
  const nameIt = (phone, name) => sql('update public.conversations set patient_name = $2 where phone = $1', [phone, name]);
  const stop = async () => {
    await database.end();
    await system.stop();
  };
  return { ...system, people, patient, sql, nameIt, stop };
}

export async function startBrowser() {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file));
  if (!executablePath) return null;
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export const desk = { width: 1360, height: 860 };
export const phone = { width: 390, height: 844 };

// A window of its own: what one person sees. `wrong` gathers what the browser complains of.
export async function openWindow(browser, base, { viewport = desk, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ baseURL: base, viewport, colorScheme, locale: 'en-GB', reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  const elsewhere = [];
  page.on('console', (message) => { if (message.type() === 'error') wrong.push(message.text()); });
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('request', (request) => { if (!request.url().startsWith(base) && !request.url().startsWith('data:')) elsewhere.push(request.url()); });
  return { context, page, wrong, elsewhere, close: () => context.close() };
}

export async function logIn(page, person) {
  await page.goto('/');
  await page.getByLabel('Mail address').fill(person.email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
}

// Runs `work` in a window of its own and looks afterwards at what the browser complained of.
export async function asPersonOf(browser, base, person, work, options) {
  const window = await openWindow(browser, base, options);
  try {
    if (person) await logIn(window.page, person);
    await work(window.page, window);
    assert.deepEqual(window.elsewhere, [], 'a page asked another server');
    const complaints = window.wrong.filter((text) => !/status of 4\d\d/.test(text));
    assert.deepEqual(complaints, [], 'the browser complained');
  } catch (error) {
    await shoot(window.page, 'failed').catch(() => {});
    throw error;
  } finally {
    await window.close();
  }
}

// Everybody can read the page, and it fits the window.
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export async function checkPage(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  const serious = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
  assert.deepEqual(serious, [], what);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${what} is ${overflow} px too wide`);
}

export const shoot = (page, name) => page.screenshot({ path: path.join(shots, `${name}.png`) });
