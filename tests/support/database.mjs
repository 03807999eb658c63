// A database of its own in the cluster of TEST_DATABASE_URL. `pg` is the caller's: this folder installs nothing.
import { randomUUID } from 'node:crypto';

export async function createDatabase(pg) {
  const cluster = process.env.TEST_DATABASE_URL;
  if (!cluster) throw new Error('TEST_DATABASE_URL is not set: run this through tests/with-postgres');
  const name = `test_${randomUUID().slice(24)}`;
  const admin = new pg.Client(cluster);
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return url;
}

// The same database by another port of this machine, for a proxy.
export function viaPort(databaseUrl, port) {
  const via = new URL(databaseUrl);
  via.hostname = '127.0.0.1';
  via.port = String(port);
  return via.toString();
}
