// medidesk-all on free ports with a database of its own, ready to be asked.
import { createDatabase } from './database.mjs';
import { alive, freePort, start, stop, until } from './processes.mjs';

// `pg`: the caller's package. `env`: settings besides.
export async function startMedidesk(pg, { args = [], env = {} } = {}) {
  const databaseUrl = await createDatabase(pg);
  const ports = { http: await freePort(), gateway: await freePort(), assistant: await freePort(), store: await freePort() };
  const child = start('medidesk-all', args, {
    DATABASE_URL: databaseUrl.toString(), PORT: String(ports.http), MEDIDESK_HOSPITAL_FILE: 'examples/hospital.yaml',
    GATEWAY_ADDRESS: `127.0.0.1:${ports.gateway}`, ASSISTANT_ADDRESS: `127.0.0.1:${ports.assistant}`,
    STORE_ADDRESS: `127.0.0.1:${ports.store}`, WEBHOOK_RATE_PHONE: '0', ...env,
  });
  const base = `http://127.0.0.1:${ports.http}`;
  try {
    await until('medidesk-all to be ready', 60, async () => {
      if (!alive(child)) throw new Error('medidesk-all ended');
      return (await fetch(`${base}/readyz`).catch(() => null))?.status === 200;
    });
  } catch (error) {
    await stop(child);
    throw new Error(`${error.message}:\n${child.output}`);
  }
  return { base, ports, child, databaseUrl: databaseUrl.toString(), stop: () => stop(child) };
}
