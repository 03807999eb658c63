// MediDesk as one process with a database of its own, one number linked to WhatsApp's simulator, and patients played by
// the real Baileys.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import pg from 'pg';
import { startMedidesk } from '../../support/medidesk.mjs';
import { root, start } from '../../support/processes.mjs';
import { BaileysClient } from './baileys_client.mjs';
import { Simulator, until } from './simulator.mjs';

export async function startClinic({ env = {}, args = [] } = {}) {
  const sim = await Simulator.start();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'medidesk-clinic-'));
  const medidesk = await startMedidesk(pg, {
    args,
    env: {
      WHATSAPP_URL: sim.url, WHATSAPP_ROOT_KEY: sim.rootKey.toString('hex'), MEDIDESK_MASTER_KEY: randomBytes(32).toString('base64'),
      MEDIDESK_VAR: folder, BURST_QUIET: '100ms', SEND_GAP_MIN: '0ms', SEND_GAP_MAX: '0ms', ...env,
    },
  });
  const pool = new pg.Pool({ connectionString: medidesk.databaseUrl, max: 2 });
  pool.on('error', () => {});
  const patients = [];

  const clinic = {
    sim, medidesk, patients,
    sql: async (text, values) => (await pool.query(text, values)).rows,

    // Links a new phone; its digits, LID and addresses.
    async link(name = 'front-desk') {
      const phone = await sim.phone({ platform: 'smba', business_name: 'City Hospital' });
      const child = start('medidesk-cli', [`--gateway_address=127.0.0.1:${medidesk.ports.gateway}`, 'link', name, '--plain'],
        { STORE_ADDRESS: `127.0.0.1:${medidesk.ports.store}` });
      const qr = await until('a QR code', () => {
        if (child.exitCode !== null) throw new Error(`link ended early:\n${child.output}\n${medidesk.child.output}`);
        return child.output.match(/^qr (\S+)/m)?.[1];
      });
      await sim.post('/scan', { phone, qr });
      const { code } = await child.ended;
      if (code !== 0) throw new Error(`link ended with ${code}:\n${child.output}\n${medidesk.child.output}`);
      const { phones } = await sim.get('/phones');
      const { lid } = phones.find((entry) => entry.phone === phone);
      await until('the number to be connected', async () =>
        (await clinic.sql("select 1 from numbers n join number_states s on s.number_id = n.id where n.name = $1 and s.state = 'connected'", [name])).length);
      Object.assign(clinic, { phone, lid, byPhone: `${phone}@s.whatsapp.net`, byLid: `${lid}@lid` });
    },

    async patient(name, options = {}) {
      const patient = new BaileysClient(sim, options);
      patients.push(patient);
      patient.phone = await sim.phone({ name });
      const { phones } = await sim.get('/phones');
      patient.lid = phones.find((entry) => entry.phone === patient.phone).lid;
      await patient.linkByQr(patient.phone);
      patient.creds.me.name = name;
      await patient.reconnect();
      return patient;
    },

    // Another device of the hospital's own phone.
    async companion() {
      const desk = new BaileysClient(sim);
      patients.push(desk);
      await desk.linkByQr(clinic.phone);
      desk.creds.me.name = 'Front desk';
      await desk.reconnect();
      return desk;
    },

    async rest(method, target, body, headers = {}) {
      const answer = await fetch(`${medidesk.base}${target}`,
        { method, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
      return JSON.parse(text);
    },

    // GatewayService.SendMessage; rejects with grpc-js's error.
    sendMessage(request) {
      const definition = loader.loadSync('medidesk/gateway/v1/gateway.proto', { includeDirs: [path.join(root, 'protos')], keepCase: true, enums: String });
      const { GatewayService } = grpc.loadPackageDefinition(definition).medidesk.gateway.v1;
      const client = new GatewayService(`127.0.0.1:${medidesk.ports.gateway}`, grpc.credentials.createInsecure());
      return new Promise((resolve, reject) => client.SendMessage(request, (error, answer) => {
        client.close();
        error ? reject(error) : resolve(answer);
      }));
    },

    // What went wrong on the protocol, by the simulator's own account.
    problems: async () => (await sim.events()).filter(({ event }) => event === 'problem'),

    async end() {
      for (const patient of patients) patient.stop();
      const ended = await medidesk.stop();
      await pool.end();
      const code = await sim.stop();
      rmSync(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the simulator ended with ${code}`);
      return ended;
    },
  };
  return clinic;
}
