// The gateway's message layer on a socket (echo_clinic.cc), linked to a phone of the simulator.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { until } from './simulator.mjs';

export class EchoClinic {
  static async start(sim) {
    const program = process.env.ECHO_CLINIC;
    if (!program) throw new Error('set ECHO_CLINIC to the echo-clinic program');
    const clinic = new EchoClinic();
    clinic.child = spawn(program, [sim.url, sim.rootKey.toString('hex')], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', () => clinic.child.kill('SIGKILL'));
    clinic.lines = [];
    createInterface({ input: clinic.child.stdout }).on('line', (line) => clinic.lines.push(JSON.parse(line)));
    clinic.phone = await sim.phone({ name: 'Clinic' });
    const { phones } = await sim.get('/phones');
    clinic.lid = phones.find((entry) => entry.phone === clinic.phone).lid;
    clinic.byPhone = `${clinic.phone}@s.whatsapp.net`;
    clinic.byLid = `${clinic.lid}@lid`;
    const { qr } = await until('a QR', () => clinic.lines.find((line) => line.qr));
    await sim.post('/scan', { phone: clinic.phone, qr });
    await clinic.connected(1);
    return clinic;
  }

  inbound = () => this.lines.map((line) => line.inbound).filter(Boolean);
  outcomes = () => this.lines.map((line) => line.outcome).filter(Boolean);
  marks = (state) => this.lines.map((line) => line.mark).filter((mark) => mark?.state === state);
  got = (what, look) => until(what, () => this.inbound().find(look));
  // Open for the `times`th time.
  connected = (times) => until('the connection', () => this.lines.filter((line) => line.state === 6).length >= times);
  logins = () => this.lines.filter((line) => line.state === 6).length;

  command(line) {
    this.child.stdin.write(`${JSON.stringify(line)}\n`);
  }
  send = (chat, text) => this.command({ send: { chat, text } });
  echo = (on) => this.command({ echo: on });
  async reconnect(command = { reconnect: true }) {
    const before = this.logins();
    this.command(command);
    await this.connected(before + 1);
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
    this.child.stdin.end();
    return ended;
  }
}
