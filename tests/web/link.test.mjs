// A number is linked in the browser: the phone scans what the page shows, pixels and all.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import jsqr from 'jsqr';
import { PNG } from 'pngjs';
import { Simulator } from '../interop/whatsapp/simulator.mjs';
import { alive, start, stop, until } from '../support/processes.mjs';
import { logIn, openWindow, phone as phoneSize, shoot, startBrowser, startDesk } from './desk.mjs';

let system, browser, simulator, sim, folder;

before(async () => {
  browser = await startBrowser();
  assert.ok(browser, 'no Chromium: install the package chromium');
  simulator = start('whatsapp-sim', []);
  const about = await until('the simulator', 20, () => alive(simulator) && simulator.output.includes('\n') && simulator.output.split('\n')[0]);
  sim = new Simulator(simulator, JSON.parse(about));
  folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-link-'));
  system = await startDesk({ env: {
    WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'), MEDIDESK_MASTER_KEY: randomBytes(32).toString('base64'), MEDIDESK_VAR: folder,
  } });
});
after(async () => {
  await browser?.close();
  await system?.stop();
  if (simulator) await stop(simulator);
  if (folder) rmSync(folder, { recursive: true, force: true });
});

// What a camera would read off the screen.
async function readQr(page) {
  const image = PNG.sync.read(await page.locator('img[data-qr]').screenshot());
  return jsqr(new Uint8ClampedArray(image.data), image.width, image.height)?.data;
}

test('a number is linked by the QR code on the page, shown with its state, and unlinked', async () => {
  const phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
  const window = await openWindow(browser, system.base);
  const { page } = window;
  await logIn(page, system.people.ada);
  await page.getByRole('link', { name: 'Numbers' }).click();
  await page.getByRole('button', { name: 'Link a number' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Short name').fill('front-desk');
  await dialog.getByRole('button', { name: 'Start' }).click();
  await page.locator('img[data-qr]').waitFor();
  await dialog.getByText('Code 1 of').waitFor();
  await shoot(page, 'link-desk');
  const code = await until('the code to be readable', 10, () => readQr(page));
  await sim.post('/scan', { phone, qr: code });
  await dialog.getByText('This number is linked.').waitFor({ timeout: 60_000 });
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  const card = page.getByRole('region', { name: 'front-desk' });
  await card.getByText('Connected', { exact: true }).waitFor({ timeout: 60_000 });
  await card.getByText(`+${phone}`).waitFor();
  await shoot(page, 'numbers-linked-desk');
  await page.setViewportSize(phoneSize);
  await shoot(page, 'numbers-linked-phone');
  await card.getByRole('button', { name: 'Unlink' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unlink' }).click();
  await card.getByText('Needs to be linked').waitFor({ timeout: 60_000 });
  assert.deepEqual(window.wrong.filter((text) => !/status of 4\d\d/.test(text)), []);
  await window.close();
});

test('a pairing code is shown to type into the phone', async () => {
  const phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
  const window = await openWindow(browser, system.base);
  const { page } = window;
  await logIn(page, system.people.ada);
  await page.getByRole('link', { name: 'Numbers' }).click();
  await page.getByRole('button', { name: 'Link a number' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Short name').fill('ward');
  await dialog.getByLabel('How').selectOption('LINK_METHOD_PHONE_CODE');
  await dialog.getByLabel('The phone’s number').fill(`+${phone}`);
  await dialog.getByRole('button', { name: 'Start' }).click();
  const code = (await dialog.locator('.code').textContent()).trim();
  assert.match(code, /^[1-9A-HJ-NP-Z]{4}-[1-9A-HJ-NP-Z]{4}$/);
  await shoot(page, 'link-code-desk');
  await sim.post('/code', { phone, code });
  await dialog.getByText('This number is linked.').waitFor({ timeout: 60_000 });
  await window.close();
});
