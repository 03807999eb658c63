// The function that MediDesk replaces, written anew as its architecture document describes it:
// find or create the conversation, save the message, read the history and the hospital's facts, ask
// Claude, save the answer, return it. One process, a pool of connections, keep-alive to Claude.
// Environment: DATABASE_URL, PORT, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, MEDIDESK_MODEL.
import { randomUUID } from "node:crypto";
import http from "node:http";
import pg from "pg";

const { DATABASE_URL, PORT, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, MEDIDESK_MODEL } = process.env;
const db = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
db.on("error", () => {}); // an idle connection was lost; the pool makes a new one
// Named, so that each connection plans a statement once.
const query = (name, text, ...values) => db.query({ name, text, values });
const agent = new http.Agent({ keepAlive: true });

async function getOrCreateConversation(phone) {
  const found = await query("find", "select id from conversations where phone = $1 order by created_at limit 1", phone);
  if (found.rows.length > 0) return found.rows[0].id;
  const id = randomUUID();
  await query("create", "insert into conversations values ($1, $2, null, 'active', null, now(), now())", id, phone);
  return id;
}

const saveMessage = (conversation, sender, content, direction, messageId) =>
  query("save", "insert into messages values ($1, $2, $3, $4, $5, $6, now())",
    randomUUID(), conversation, sender, content, direction, messageId);

// Ten exchanges and the message just saved.
async function getConversationHistory(conversation) {
  const { rows } = await query("history", "select sender, content from messages where conversation_id = $1 " +
    "order by created_at desc limit 21", conversation);
  const role = (sender) => (sender === "assistant" ? "assistant" : "user");
  return rows.reverse().map(({ sender, content }) => ({ role: role(sender), content }));
}

async function getHospitalContext() {
  const [faqs, departments] = await Promise.all([
    query("faqs", "select question, answer from faqs"),
    query("departments", "select d.name, d.location, d.phone, d.hours, " +
      "json_agg(s.name || ': ' || s.hours) as doctors from departments d " +
      "left join doctors s on s.department_id = d.id group by d.id"),
  ]);
  return JSON.stringify({ faqs: faqs.rows, departments: departments.rows });
}

function askClaude(messages, context) {
  const body = JSON.stringify({ model: MEDIDESK_MODEL, max_tokens: 1024, messages,
    system: `You are MediDesk assistant. Context: ${context}` });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body),
    "x-api-key": ANTHROPIC_API_KEY, "anthropic-version": "2023-06-01" };
  return new Promise((resolve, reject) => {
    http.request(new URL("/v1/messages", ANTHROPIC_BASE_URL), { method: "POST", agent, headers }, async (answer) => {
      const text = await readAll(answer).catch(reject);
      if (answer.statusCode === 200) resolve(JSON.parse(text).content[0].text);
      else reject(new Error(`Claude answered ${answer.statusCode}`));
    }).on("error", reject).end(body);
  });
}

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function handle(request) {
  const { phone, message, messageId } = JSON.parse(await readAll(request));
  const conversationId = await getOrCreateConversation(phone);
  await saveMessage(conversationId, phone, message, "received", messageId);
  const history = await getConversationHistory(conversationId);
  const context = await getHospitalContext();
  const response = await askClaude(history, context);
  await saveMessage(conversationId, "assistant", response, "sent", null);
  return { success: true, response, conversationId };
}

http.createServer(async (request, response) => {
  const answer = (status, body) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  const { method, url } = request;
  if (method !== "POST" || url !== "/functions/v1/whatsapp-webhook") return answer(404, { success: false });
  try {
    answer(200, await handle(request));
  } catch (error) {
    answer(500, { success: false, error: error.message });
  }
}).listen(Number(PORT), "127.0.0.1");
