// Shows /v1/openapi.json: operations by tag, their parameters and messages, and a form that calls them.
// Text comes into the page as text alone, and nothing is asked of any other server.
'use strict';

// element('td', { class: 'type' }, 'text', child, ...)
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

let api;
const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split('/').pop()] : schema);
const nameOf = (schema) => schema?.$ref?.split('/').pop();

function typeOf(schema) {
  if (schema.$ref) return nameOf(schema);
  if (schema.type === 'array') return `list of ${typeOf(schema.items)}`;
  return schema.format ? `${schema.type} (${schema.format})` : schema.type ?? 'any';
}

// What a schema holds, opened level by level so that a message may hold itself.
function schemaTree(schema) {
  const inner = schema.type === 'array' ? schema.items : schema;
  const target = resolve(inner);
  if (target?.enum) return element('p', { class: 'text type' }, target.description ?? target.enum.join(', '));
  if (!target?.properties) return null;
  const list = element('ul', { class: 'schema' });
  for (const [name, property] of Object.entries(target.properties)) {
    const line = element('li', {}, element('code', {}, name), ' ', element('span', { class: 'type' }, typeOf(property)));
    if (property.description) line.append(element('div', { class: 'text' }, property.description));
    const below = resolve(property.type === 'array' ? property.items : property);
    if (below?.properties || below?.enum) {
      const more = element('details', {}, element('summary', {}, nameOf(property.type === 'array' ? property.items : property) ?? 'object'));
      more.addEventListener('toggle', () => {
        if (more.open && more.childElementCount === 1) more.append(element('div', {}, schemaTree(property)));
      });
      line.append(more);
    }
    list.append(line);
  }
  return list;
}

// A body to start from.
function example(schema, depth = 0) {
  const target = resolve(schema);
  if (target?.enum) return target.enum[0];
  if (target?.type === 'array') return [];
  if (target?.properties) {
    if (depth > 2) return {};
    return Object.fromEntries(Object.entries(target.properties).map(([name, value]) => [name, example(value, depth + 1)]));
  }
  return { string: '', integer: 0, number: 0, boolean: false }[target?.type] ?? null;
}

function callForm(method, path, operation, bodySchema) {
  const form = element('form');
  const fields = [];
  for (const parameter of operation.parameters ?? []) {
    const input = element('input', { name: parameter.name, autocomplete: 'off' });
    if (parameter.required) input.required = true;
    fields.push([parameter, input]);
    form.append(element('label', {}, `${parameter.name} `, input));
  }
  let body = null;
  if (bodySchema) {
    body = element('textarea', { 'aria-label': 'Body', spellcheck: 'false' });
    body.value = JSON.stringify(example(bodySchema), null, 2);
    form.append(body);
  }
  const output = element('pre', { hidden: '' });
  form.append(element('button', { type: 'submit' }, 'Send'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    let target = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [parameter, input] of fields) {
      if (input.value === '') continue;
      if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      else if (parameter.in === 'header') headers[parameter.name] = input.value;
      else if (parameter.schema.type === 'array') for (const one of input.value.split(',')) query.append(parameter.name, one.trim());
      else query.append(parameter.name, input.value);
    }
    const token = document.getElementById('token').value.trim();
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers['Content-Type'] = 'application/json';
    const search = query.toString();
    output.hidden = false;
    output.textContent = '...';
    try {
      const answer = await fetch(search ? `${target}?${search}` : target,
        { method: method.toUpperCase(), headers, body: body ? body.value : undefined, credentials: 'omit' });
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* a stream, or nothing */ }
      output.textContent = `${answer.status} ${answer.statusText}\n\n${shown}`;
    } catch {
      output.textContent = 'The server did not answer.';
    }
  });
  return element('div', {}, element('h3', {}, 'Try it'), form, output);
}

function fill(panel, method, path, operation) {
  panel.append(element('p', { class: 'text' }, operation.description ?? ''));
  if (operation.parameters?.length) {
    const rows = operation.parameters.map((parameter) => element('tr', {},
      element('td', {}, element('code', {}, parameter.name), ' ', element('span', { class: 'type' }, parameter.in)),
      element('td', { class: 'type' }, typeOf(parameter.schema)),
      element('td', { class: 'text' }, parameter.description ?? '')));
    panel.append(element('h3', {}, 'Parameters'), element('table', {}, ...rows));
  }
  const bodySchema = operation.requestBody?.content['application/json'].schema;
  if (bodySchema) panel.append(element('h3', {}, `Body: ${nameOf(bodySchema) ?? 'object'}`), schemaTree(bodySchema) ?? '');
  for (const [code, response] of Object.entries(operation.responses)) {
    const target = response.$ref ? api.components.responses[response.$ref.split('/').pop()] : response;
    panel.append(element('h3', {}, `${code}: ${target.description}`));
    const content = Object.values(target.content ?? {})[0];
    if (content && !response.$ref) panel.append(schemaTree(content.schema) ?? '');
  }
  panel.append(callForm(method, path, operation, bodySchema));
}

function show() {
  const contents = document.getElementById('contents');
  const main = document.getElementById('operations');
  main.replaceChildren(element('p', { class: 'about' }, api.info.description));
  const all = [];
  for (const { name: tag } of api.tags) {
    const heading = element('h2', {}, tag);
    const navHeading = element('h2', {}, tag);
    main.append(heading);
    contents.append(navHeading);
    const group = { headings: [heading, navHeading], operations: [] };
    for (const [path, item] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (operation.tags[0] !== tag) continue;
        const panel = element('div');
        const details = element('details', { id: operation.operationId }, element('summary', {},
          element('span', { class: 'method' }, method.toUpperCase()), ' ', element('span', { class: 'path' }, path)), panel);
        details.addEventListener('toggle', () => {
          if (details.open && !panel.hasChildNodes()) fill(panel, method, path, operation);
        });
        const link = element('a', { href: `#${operation.operationId}` }, element('span', { class: 'method' }, method.toUpperCase()), path.replace('/v1', ''));
        link.addEventListener('click', () => { details.open = true; });
        main.append(details);
        contents.append(link);
        group.operations.push({ text: `${method} ${path} ${operation.description}`.toLowerCase(), nodes: [details, link] });
      }
    }
    all.push(group);
  }
  document.getElementById('search').addEventListener('input', (event) => {
    const word = event.target.value.trim().toLowerCase();
    for (const group of all) {
      let any = false;
      for (const { text, nodes } of group.operations) {
        const found = text.includes(word);
        any ||= found;
        for (const node of nodes) node.hidden = !found;
      }
      for (const heading of group.headings) heading.hidden = !any;
    }
  });
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted) {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

fetch('/v1/openapi.json', { credentials: 'omit' })
  .then((answer) => answer.json())
  .then((document_) => { api = document_; show(); })
  .catch(() => document.getElementById('operations').replaceChildren(element('p', {}, 'The document could not be loaded.')));
