// Starts the program named by CLAUDE_STUB and speaks to its control plane.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Stub {
  static async start(...flags) {
    const program = process.env.CLAUDE_STUB;
    if (!program) throw new Error('set CLAUDE_STUB to the claude-stub program');
    const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    const url = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`claude-stub ended with ${code} before it was ready`)));
      createInterface({ input: child.stdout }).once('line', resolve);
    });
    return new Stub(child, url);
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
    this.child.kill('SIGTERM');
    return ended;
  }

  async post(action, body = {}) {
    const answer = await fetch(`${this.url}/__stub/${action}`, { method: 'POST', body: JSON.stringify(body) });
    if (answer.status !== 200) throw new Error(`${action}: ${answer.status} ${await answer.text()}`);
  }

  reset = () => this.post('reset');
  reply = (reply) => this.post('reply', reply);
  inject = (fault) => this.post('inject', fault);
  script = (script) => this.post('script', script);

  async requests() {
    return (await (await fetch(`${this.url}/__stub/requests`)).json()).requests;
  }
}
