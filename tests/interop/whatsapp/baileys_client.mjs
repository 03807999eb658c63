// A linked device played by the real Baileys, with its keys in memory. It does not reconnect by itself: a test says when.
import makeWASocket, { Browsers, initAuthCreds, WA_CERT_DETAILS } from 'baileys';

import { until } from './simulator.mjs';

// What Baileys logs goes nowhere, or to stderr with BAILEYS_LOG=1.
const print = process.env.BAILEYS_LOG ? (...args) => console.error(...args) : () => {};
const logger = { level: 'trace', child: () => logger, trace: print, debug: print, info: print, warn: print, error: print };

function memoryKeys() {
  const kinds = new Map();
  const kind = (name) => kinds.get(name) ?? kinds.set(name, new Map()).get(name);
  return {
    get: async (name, ids) => Object.fromEntries(ids.map((id) => [id, kind(name).get(id)]).filter(([, value]) => value)),
    set: async (data) => {
      for (const [name, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries)) {
          if (value) kind(name).set(id, value);
          else kind(name).delete(id);
        }
      }
    },
  };
}

export class BaileysClient {
  constructor(sim, options = {}) {
    this.sim = sim;
    this.options = options;
    this.creds = initAuthCreds();
    this.keys = memoryKeys();
    this.received = [];  // messages, as they came
    this.changed = [];   // what became of messages: acknowledged, delivered, read, edited
    this.receipts = new Set();  // ids of messages that a device of the other side has, or more
    this.sent = new Map();
  }

  // A new connection with the keys it has. `updates`: what it told, in order.
  connect() {
    WA_CERT_DETAILS.PUBLIC_KEY = this.sim.rootKey;
    this.updates = [];
    const updates = this.updates;
    this.socket = makeWASocket({
      auth: { creds: this.creds, keys: this.keys },
      waWebSocketUrl: this.sim.url,
      logger,
      browser: Browsers.macOS('Chrome'),
      syncFullHistory: false,
      shouldSyncHistoryMessage: () => false,
      // Without it a companion that could not read a message never gets it again.
      getMessage: async (key) => this.sent.get(key.id),
      ...this.options,
    });
    this.socket.ev.on('creds.update', (update) => Object.assign(this.creds, update));
    this.socket.ev.on('connection.update', (update) => updates.push(update));
    this.socket.ev.on('messages.upsert', ({ messages }) => this.received.push(...messages));
    this.socket.ev.on('messages.update', (changes) => this.changed.push(...changes));
    // Baileys keeps to itself what a device received that nobody looks at ("inactive").
    this.socket.ws.on('CB:receipt', ({ attrs, content }) => {
      if (attrs.type === 'retry') return;
      this.receipts.add(attrs.id);
      for (const list of content ?? []) for (const item of list.content ?? []) this.receipts.add(item.attrs.id);
    });
  }

  update = (what, look) => until(what, () => this.updates.find(look));
  qr = async () => (await this.update('a QR', (update) => update.qr)).qr;
  opened = () => this.update('the connection to open', (update) => update.connection === 'open');

  // The status code of the end; Baileys' own where the server gave none.
  async ended() {
    const update = await this.update('the connection to end', (entry) => entry.connection === 'close');
    return update.lastDisconnect?.error?.output?.statusCode;
  }

  async linkByQr(phone) {
    this.connect();
    await this.sim.post('/scan', { phone, qr: await this.qr() });
    await this.update('the link', (update) => update.isNewLogin);
    return this.ended();
  }

  async send(jid, content) {
    const message = await this.socket.sendMessage(jid, content);
    this.sent.set(message.key.id, message.message);
    return message.key.id;
  }
  // A message that Baileys would first want to upload something for.
  relay = (jid, message) => this.socket.relayMessage(jid, message, {});
  static textOf = (message) => message.message?.conversation ?? message.message?.extendedTextMessage?.text;
  // Ids of the others' stanzas whose text brings this token back.
  answersTo = (token) => new Set(this.received
    .filter((message) => !message.key.fromMe && BaileysClient.textOf(message)?.includes(token)).map(({ key }) => key.id));
  // What others wrote, in the order in which it came.
  texts = () => this.received.filter(({ key }) => !key.fromMe).map(BaileysClient.textOf).filter(Boolean);
  // `fromMe`: on another device of ours.
  said = (text, fromMe = false) => until(`"${text}" to arrive`, () =>
    this.received.find((message) => message.key.fromMe === fromMe && BaileysClient.textOf(message) === text));

  // A patient of this name on a phone of their own, linked and open.
  static async patient(sim, name) {
    const patient = new BaileysClient(sim);
    patient.phone = await sim.phone({ name });
    await patient.linkByQr(patient.phone);
    patient.creds.me.name = name;
    await patient.reconnect();
    return patient;
  }

  // Linked, restarted and open.
  async start(phone) {
    await this.linkByQr(phone);
    this.connect();
    await this.opened();
    return this;
  }

  // Connects until it opens, as an application does.
  async reconnect() {
    await until('a new login', async () => {
      this.connect();
      await this.update('an outcome', (update) => update.connection === 'open' || update.connection === 'close');
      return this.updates.some((update) => update.connection === 'open');
    });
  }

  stop() {
    this.socket?.end(undefined);
  }
}
