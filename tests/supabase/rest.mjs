// Stands in for PostgREST: the part of its REST interface that supabase-js needs to list, filter, insert, update
// and delete rows of schema public. What matters here is done as PostgREST does it: one login without rights
// of its own, and for each request one transaction that takes the token's role and sets request.jwt.claims.
import pg from 'pg';

const operators = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=', like: 'like', ilike: 'ilike' };
const quote = (name) => pg.escapeIdentifier(name);

function columnsOf(select) {
  return !select || select === '*' ? '*' : select.split(',').map((name) => quote(name.trim())).join(', ');
}

function whereOf(query, values) {
  const reserved = new Set(['select', 'order', 'limit', 'offset', 'columns']);
  const terms = [];
  for (const [column, text] of query) {
    if (reserved.has(column)) continue;
    const [, operator, operand] = text.match(/^(\w+)\.(.*)$/s) ?? [];
    if (operator === 'is') terms.push(`${quote(column)} is ${{ null: 'null', true: 'true', false: 'false' }[operand]}`);
    else if (operator === 'in') {
      values.push(operand.slice(1, -1).split(',').map((value) => value.replace(/^"|"$/g, '')));
      terms.push(`${quote(column)}::text = any ($${values.length}::text[])`);
    } else if (operators[operator]) {
      values.push(operand);
      terms.push(`${quote(column)} ${operators[operator]} $${values.length}`);
    } else throw Object.assign(new Error('operator not known to the stand-in'), { code: 'PGRST100' });
  }
  return terms.length ? ` where ${terms.join(' and ')}` : '';
}

function statementOf(method, table, query, body) {
  const values = [];
  const columns = columnsOf(query.get('select'));
  const name = `public.${quote(table)}`;
  if (method === 'GET') {
    const order = (query.get('order') ?? '').split(',').filter(Boolean).map((part) => {
      const [column, direction] = part.split('.');
      return `${quote(column)} ${direction === 'desc' ? 'desc' : 'asc'}`;
    }).join(', ');
    let text = `select ${columns} from ${name}${whereOf(query, values)}${order && ` order by ${order}`}`;
    for (const word of ['limit', 'offset']) {
      if (query.get(word)) text += ` ${word} ${Number(query.get(word))}`;
    }
    return { text, values };
  }
  if (method === 'DELETE') return { text: `delete from ${name}${whereOf(query, values)}`, values, columns };
  const rows = Array.isArray(body) ? body : [body];
  const names = Object.keys(rows[0]);
  if (method === 'POST') {
    const tuples = rows.map((row) => `(${names.map((column) => `$${values.push(row[column])}`).join(', ')})`);
    return { text: `insert into ${name} (${names.map(quote).join(', ')}) values ${tuples.join(', ')}`, values, columns };
  }
  const set = names.map((column) => `${quote(column)} = $${values.push(body[column])}`).join(', ');
  return { text: `update ${name} set ${set}${whereOf(query, values)}`, values, columns };
}

export function makeRest(project) {
  const pool = new pg.Pool({ connectionString: project.authenticatorUrl, max: 4 });
  pool.on('error', () => {});

  async function answer(request, path, query, body) {
    const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '') || request.headers.apikey;
    const claims = project.claims(bearer);
    if (!claims) return [401, { code: 'PGRST301', message: 'JWT invalid' }];
    const role = claims.role ?? 'anon';
    if (path.startsWith('rpc/')) return [404, { code: 'PGRST202', message: 'no such function in schema public' }];
    const wantsRows = request.method === 'GET' || (request.headers.prefer ?? '').includes('return=representation');
    const client = await pool.connect();
    try {
      await client.query(`begin ${request.method === 'GET' ? 'read only' : 'read write'}`);
      await client.query("select set_config('search_path', 'public', true), set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
        [role, JSON.stringify(claims)]);
      const { text, values, columns } = statementOf(request.method, path, query, body);
      const returning = wantsRows && columns ? ` returning ${columns}` : '';
      const result = await client.query(text + returning, values);
      await client.query('commit');
      const status = request.method === 'POST' ? 201 : wantsRows ? 200 : 204;
      if (!wantsRows) return [status];
      if ((request.headers.accept ?? '').includes('vnd.pgrst.object')) {
        return result.rows.length === 1 ? [status, result.rows[0]] : [406, { code: 'PGRST116', message: 'not one row' }];
      }
      return [status, result.rows];
    } catch (error) {
      await client.query('rollback').catch(() => {});
      const missing = error.code === '42P01';
      const status = error.code === '42501' ? (role === 'anon' ? 401 : 403) : missing ? 404 : 400;
      return [status, { code: missing ? 'PGRST205' : error.code, message: error.message, details: null, hint: null }];
    } finally {
      client.release();
    }
  }
  return { answer, close: () => pool.end() };
}
