// Stands in for Supabase Realtime: the Phoenix channels of supabase-js over a WebSocket, fed with real logical
// decoding of publication supabase_realtime. As the original does, a change reaches a subscriber only when
// a SELECT with the subscriber's role and claims finds the row.
import pg from 'pg';
import { WebSocketServer } from 'ws';
import { ChangeDecoder } from './pgoutput.mjs';

const matches = (wanted, change) => (wanted.event === '*' || wanted.event === change.type) && wanted.schema === change.schema &&
  (!wanted.table || wanted.table === '*' || wanted.table === change.table) &&
  (!wanted.filter || change.record?.[wanted.filter.split('=')[0]] === wanted.filter.split('=eq.')[1]);

export async function startRealtime(project, server) {
  const reader = new pg.Client(project.superuserUrl);  // Realtime's own replication login
  const checker = new pg.Client(project.authenticatorUrl);
  await Promise.all([reader.connect(), checker.connect()]);
  await reader.query("select pg_create_logical_replication_slot('realtime', 'pgoutput')");
  const types = new Map((await reader.query('select oid::int, typname from pg_type')).rows.map((row) => [row.oid, row.typname]));
  const decoder = new ChangeDecoder();
  const channels = new Set();
  const sockets = new WebSocketServer({ server, path: '/realtime/v1/websocket' });
  let nextId = 1;

  sockets.on('connection', (socket, request) => {
    const query = new URL(request.url, 'http://localhost').searchParams;
    const arrays = query.get('vsn') === '2.0.0';
    const send = (topic, event, payload, ref = null, join = null) =>
      socket.send(JSON.stringify(arrays ? [join, ref, topic, event, payload] : { topic, event, payload, ref, join_ref: join }));
    socket.on('close', () => { for (const channel of channels) if (channel.socket === socket) channels.delete(channel); });
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const parsed = JSON.parse(data);
      const [join, ref, topic, event, payload] = arrays ? parsed : [parsed.join_ref, parsed.ref, parsed.topic, parsed.event, parsed.payload];
      const reply = (status, response) => send(topic, 'phx_reply', { status, response }, ref, join);
      if (event === 'phx_join') {
        const claims = project.claims(payload.access_token ?? query.get('apikey'));
        if (!claims) return reply('error', { reason: 'JWT invalid' });
        const wanted = (payload.config?.postgres_changes ?? []).map((change) => ({ ...change, id: nextId++ }));
        channels.add({ socket, topic, wanted, claims, send: (message, body) => send(topic, message, body) });
        reply('ok', { postgres_changes: wanted });
        send(topic, 'system', { channel: topic.replace('realtime:', ''), extension: 'postgres_changes', message: 'Subscribed to PostgreSQL', status: 'ok' });
      } else if (event === 'access_token') {
        for (const channel of channels) {
          if (channel.socket === socket && channel.topic === topic) channel.claims = project.claims(payload.access_token) ?? channel.claims;
        }
      } else {
        if (event === 'phx_leave') for (const channel of channels) if (channel.socket === socket && channel.topic === topic) channels.delete(channel);
        reply('ok', {});
      }
    });
  });

  async function maySee(claims, change) {
    try {
      await checker.query('begin read only');
      await checker.query("select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", [claims.role ?? 'anon', JSON.stringify(claims)]);
      const found = await checker.query(`select 1 from public.${pg.escapeIdentifier(change.table)} where id = $1`, [change.record?.id]);
      return found.rowCount === 1;
    } catch (error) {
      if (error.code !== '42501') throw error;
      return false;
    } finally {
      await checker.query('rollback');
    }
  }

  async function deliver(change) {
    for (const channel of channels) {
      const ids = channel.wanted.filter((wanted) => matches(wanted, change)).map((wanted) => wanted.id);
      if (ids.length === 0 || !(await maySee(channel.claims, change))) continue;
      channel.send('postgres_changes', { ids, data: {
        schema: change.schema, table: change.table, type: change.type, record: change.record, old_record: change.old, errors: null,
        commit_timestamp: new Date().toISOString(), columns: change.columns.map(({ name, oid }) => ({ name, type: types.get(oid) ?? 'text' })),
      } });
    }
  }

  let running = true;
  const loop = (async () => {
    while (running) {
      const { rows } = await reader.query("select data from pg_logical_slot_get_binary_changes('realtime', null, null, 'proto_version', '1', 'publication_names', 'supabase_realtime')");
      for (const { data } of rows) {
        const change = decoder.decode(data);
        if (change) await deliver(change);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();

  return {
    async close() {
      running = false;
      await loop;
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await reader.query("select pg_drop_replication_slot('realtime')");
      await Promise.all([reader.end(), checker.end()]);
    },
  };
}
