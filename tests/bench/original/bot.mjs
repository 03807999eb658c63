// The WhatsApp bot that MediDesk replaces, written anew as its architecture document describes it: Baileys with its
// keys in files, one message at a time out of messages.upsert, a POST to the function, its response sent back.
// Environment: WEBHOOK_URL, AUTH_FOLDER, PORT (for /health), WHATSAPP_URL, WHATSAPP_ROOT_KEY (hex).
// Prints "qr TEXT" for each QR code and "open" for each login.
import http from "node:http";
import makeWASocket, { Browsers, DisconnectReason, useMultiFileAuthState, WA_CERT_DETAILS } from "baileys";

const { WEBHOOK_URL, AUTH_FOLDER, PORT, WHATSAPP_URL, WHATSAPP_ROOT_KEY } = process.env;
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(WHATSAPP_ROOT_KEY, "hex");

const nothing = () => {};
const logger = { level: "silent", child: () => logger, trace: nothing, debug: nothing, info: nothing, warn: nothing,
  error: nothing };
const status = { connected: false, received: 0, sent: 0, failed: 0 };
const handled = new Set(); // ids, for de-duplication
const sent = new Map(); // what a device that could not read it asks for again
const KEPT = 1000; // of either

const phoneOf = ({ remoteJid, remoteJidAlt }) =>
  (remoteJid.endsWith("@lid") && remoteJidAlt ? remoteJidAlt : remoteJid).split("@")[0].split(":")[0];

async function askFunction(phone, message, messageId) {
  const answer = await fetch(WEBHOOK_URL, { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ phone, message, messageId, timestamp: new Date().toISOString() }) });
  if (!answer.ok) throw new Error(`the function answered ${answer.status}`);
  return (await answer.json()).response;
}

async function handle(socket, { key, message }) {
  const text = message?.conversation ?? message?.extendedTextMessage?.text;
  if (key.fromMe || !text || key.remoteJid.endsWith("@g.us") || key.remoteJid === "status@broadcast") return;
  if (handled.has(key.id)) return;
  handled.add(key.id);
  if (handled.size > KEPT) handled.delete(handled.values().next().value);
  status.received += 1;
  try {
    const response = await askFunction(phoneOf(key), text, key.id);
    const reply = await socket.sendMessage(key.remoteJid, { text: response });
    sent.set(reply.key.id, reply.message);
    if (sent.size > KEPT) sent.delete(sent.keys().next().value);
    status.sent += 1;
  } catch (error) {
    status.failed += 1;
    console.error(`not answered: ${error.message}`);
  }
}

async function start() {
  const { state, saveCreds } = await useMultiFileAuthState(AUTH_FOLDER);
  const socket = makeWASocket({ auth: state, logger, waWebSocketUrl: WHATSAPP_URL, browser: Browsers.macOS("Chrome"),
    syncFullHistory: false, shouldSyncHistoryMessage: () => false, getMessage: async ({ id }) => sent.get(id) });
  socket.ev.on("creds.update", saveCreds);
  socket.ev.on("connection.update", ({ connection, lastDisconnect, qr }) => {
    if (qr) console.log(`qr ${qr}`);
    if (connection) status.connected = connection === "open";
    if (connection === "open") console.log("open");
    if (connection !== "close") return;
    const code = lastDisconnect?.error?.output?.statusCode;
    if (code === DisconnectReason.loggedOut) console.error("logged out: scan the QR code again");
    else setTimeout(start, code === DisconnectReason.restartRequired ? 0 : 5000);
  });
  socket.ev.on("messages.upsert", ({ messages, type }) => {
    if (type === "notify") for (const message of messages) handle(socket, message);
  });
}

http.createServer((request, response) => {
  response.writeHead(request.url === "/health" ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(status));
}).listen(Number(PORT), "127.0.0.1");
start();
