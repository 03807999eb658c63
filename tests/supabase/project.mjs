// A local stand-in of a Supabase project around a database: the three API roles, the login PostgREST uses,
// a login that owns the database and is no superuser, schema auth, the publication, and keys.
import { createHmac, randomBytes } from 'node:crypto';
import pg from 'pg';
import { createDatabase } from '../support/database.mjs';

const base64url = (value) => Buffer.from(value).toString('base64url');

export async function createProject() {
  const url = await createDatabase(pg);
  const password = randomBytes(12).toString('hex');
  const admin = new pg.Client(url.toString());
  await admin.connect();
  await admin.query(`
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    create role authenticator login noinherit password '${password}';
    grant anon, authenticated, service_role to authenticator;
    create role project login createrole bypassrls password '${password}';
    alter database ${url.pathname.slice(1)} owner to project;
    create schema auth;
    create function auth.uid() returns uuid language sql stable
      as $$ select nullif(coalesce(current_setting('request.jwt.claims', true)::jsonb ->> 'sub', ''), '')::uuid $$;
    grant usage on schema auth, public to anon, authenticated, service_role, project;
    create publication supabase_realtime;
    alter publication supabase_realtime owner to project;
    alter default privileges for role project in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges for role project in schema public grant all on functions to anon, authenticated, service_role;
    alter default privileges for role project in schema public grant all on sequences to anon, authenticated, service_role`);
  await admin.end();
  const as = (user) => {
    const login = new URL(url);
    login.username = user;
    login.password = password;
    return login.toString();
  };
  const secret = randomBytes(32).toString('hex');
  const token = (claims) => {
    const body = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 3600, ...claims }))}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  return {
    superuserUrl: url.toString(), authenticatorUrl: as('authenticator'), projectUrl: as('project'), token,
    anonKey: token({ iss: 'supabase', role: 'anon' }), serviceKey: token({ iss: 'supabase', role: 'service_role' }),
    // The claims of a good token, else null.
    claims(text) {
      const [head, body, signature] = String(text).split('.');
      if (!signature || createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url') !== signature) return null;
      const claims = JSON.parse(Buffer.from(body, 'base64url'));
      return claims.exp > Date.now() / 1000 ? claims : null;
    },
  };
}
