// Starts the program named by WHATSAPP_SIM and speaks to its control plane.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Looks until `look` gives something true, and returns that; throws after `seconds`.
export async function until(what, look, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(20);
  }
}

export class Simulator {
  static async start(...flags) {
    const program = process.env.WHATSAPP_SIM;
    if (!program) throw new Error('set WHATSAPP_SIM to the whatsapp-sim program');
    const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    process.once('exit', () => child.kill('SIGKILL'));
    const line = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`whatsapp-sim ended with ${code} before it was ready`)));
      createInterface({ input: child.stdout }).once('line', resolve);
    });
    const about = JSON.parse(line);
    return new Simulator(child, about);
  }

  constructor(child, about) {
    this.child = child;
    this.url = about.ws_url;
    this.control = about.control_url;
    this.rootKey = Buffer.from(about.root_key, 'hex');
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
    this.child.kill('SIGTERM');
    return ended;
  }

  async get(path) {
    const answer = await fetch(this.control + path);
    const body = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${body.error}`);
    return body;
  }

  async post(path, body = {}) {
    const answer = await fetch(this.control + path, { method: 'POST', body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${told.error}`);
    return told;
  }

  fault = (fault) => this.post('/fault', fault);
  phone = async (options = {}) => (await this.post('/phones', { name: 'Asha', ...options })).phone;
  events = async (phone) => (await this.get('/logins')).events.filter((event) => !phone || event.phone === phone);
  names = async (phone) => (await this.events(phone)).map((event) => event.event);
  // Every login's connection had ended before the next login of this phone's devices began. How each of them ended:
  // "close", or "replaced" by the server.
  async assertOneLoginAtATime(phone) {
    const events = (await this.events()).filter(({ event }) => ['login', 'close', 'replaced'].includes(event));
    const logins = events.filter((event) => event.event === 'login' && event.phone === phone);
    return logins.slice(1).map((login, i) => {
      const end = events.find(({ connection, event }) => connection === logins[i].connection && event !== 'login');
      assert.ok(end && end.seq < login.seq, `login ${i + 1} began before the one before had ended: ${JSON.stringify(events)}`);
      return end.event;
    });
  }
  devices = async (phone) => (await this.get('/phones')).phones.find((entry) => entry.phone === phone).devices;
  stanzas = async (phone) => (await this.get('/stanzas')).stanzas.filter((entry) => entry.phone === phone);
}
