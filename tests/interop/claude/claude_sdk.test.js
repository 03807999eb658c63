// The vendor's own client against the stub: what it reads from the stub is what it would read from the API.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { Stub } from './stub.js';

const MODEL = 'claude-haiku-5-5';
const PATH = '/v1/messages';
const hello = { model: MODEL, max_tokens: 64, messages: [{ role: 'user', content: 'Grüße 🏥 नमस्ते' }] };

let stub;
before(async () => { stub = await Stub.start(); });
after(async () => { assert.equal(await stub.stop(), 0); });
beforeEach(async () => {
  await stub.reset();
  await stub.script([]);
});

const client = (options = {}) => new Anthropic({ apiKey: 'sk-ant-test', baseURL: stub.url, maxRetries: 0, ...options });
const events = async (stream) => {
  const seen = [];
  for await (const event of stream) seen.push(event);
  return seen;
};
const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('the call succeeded');
};

describe('plain', () => {
  test('the default reply repeats the last user text byte for byte', async () => {
    const message = await client().messages.create(hello);
    assert.equal(message.content.length, 1);
    assert.deepEqual(message.content[0], { type: 'text', text: 'stub: Grüße 🏥 नमस्ते', citations: null });
    assert.equal(message.stop_reason, 'end_turn');
    assert.equal(message.model, MODEL);
    assert.match(message.id, /^msg_/);
    assert.match(message._request_id, /^req_/);
    for (const key of ['stop_sequence', 'stop_details', 'container', 'diagnostics']) assert.equal(message[key], null);
    assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
  });

  test('two answers have ids of their own', async () => {
    const [a, b] = await Promise.all([client().messages.create(hello), client().messages.create(hello)]);
    assert.notEqual(a.id, b.id);
    assert.notEqual(a._request_id, b._request_id);
  });

  test('queued replies are given in order, then the default again', async () => {
    await stub.reply({ content: [{ type: 'text', text: 'one' }], usage: { cache_read_input_tokens: 1874 } });
    await stub.reply({ content: [], stop_reason: 'refusal', stop_details: { type: 'refusal', category: null, explanation: 'no' } });
    const one = await client().messages.create(hello);
    assert.equal(one.content[0].text, 'one');
    assert.equal(one.usage.cache_read_input_tokens, 1874);
    const two = await client().messages.create(hello);
    assert.equal(two.stop_reason, 'refusal');
    assert.equal(two.stop_details.explanation, 'no');
    assert.deepEqual(two.content, []);
    assert.match((await client().messages.create(hello)).content[0].text, /^stub: /);
  });

  test('the log shows what the client sent', async () => {
    await client().messages.create(hello);
    const [request] = await stub.requests();
    assert.equal(request.method, 'POST');
    assert.equal(request.path, PATH);
    assert.deepEqual(request.body, hello);
    assert.equal(request.headers['anthropic-version'], '2026-10-21');
    assert.equal(request.headers.authorization ?? request.headers['x-api-key'],
      request.headers.authorization ? 'Bearer sk-ant-test' : 'sk-ant-test');
  });

  test('a script answers by what the user says', async () => {
    await stub.script([{ contains: 'HOURS', text: 'Nine to five.' }]);
    const ask = (content) => client().messages.create({ ...hello, messages: [{ role: 'user', content }] });
    assert.equal((await ask('Your hours?')).content[0].text, 'Nine to five.');
    assert.equal((await ask('Your name?')).content[0].text, 'stub: Your name?');
  });

  test('the facts mode repeats the line of the system prompt that fits', async () => {
    await stub.script({ mode: 'facts' });
    const system = [{ type: 'text', text: 'You are the desk.\n<facts>\n- Cardiology is on floor 3.\n- Parking is free.\n</facts>' }];
    const message = await client().messages.create(
      { ...hello, system, messages: [{ role: 'user', content: 'Where is cardiology?' }] });
    assert.equal(message.content[0].text, 'Cardiology is on floor 3.');
  });
});

describe('stream', () => {
  test('events come in order and add up to the message', async () => {
    const stream = client().messages.stream(hello);
    const seen = await events(stream);
    const types = seen.map((event) => event.type);
    assert.equal(types[0], 'message_start');
    assert.deepEqual(types.slice(-3), ['content_block_stop', 'message_delta', 'message_stop']);
    const deltas = seen.filter((event) => event.type === 'content_block_delta').map((event) => event.delta.text);
    assert.ok(deltas.length >= 3);
    assert.ok(deltas.every((text) => !text.includes('\ufffd')));
    const message = await stream.finalMessage();
    assert.equal(message.content[0].text, 'stub: Grüße 🏥 नमस्ते');
    assert.equal(message.stop_reason, 'end_turn');
    assert.ok(message.usage.output_tokens > 1);
    assert.match(stream.request_id, /^req_/);
  });

  test('a streamed message equals the plain one', async () => {
    const content = [
      { type: 'thinking', thinking: 'The patient wants a time.', signature: 'c2ln' },
      { type: 'text', text: 'Let me look at the free slots of tomorrow, one moment please.', citations: null },
      { type: 'tool_use', id: 'toolu_a', name: 'find_slots', input: { department: 'ent', note: 'Müller 🏥' }, caller: { type: 'direct' } },
      { type: 'tool_use', id: 'toolu_b', name: 'now', input: {}, caller: { type: 'direct' } },
    ];
    await stub.reply({ content });
    await stub.reply({ content });
    const plain = await client().messages.create(hello);
    const streamed = await client().messages.stream(hello).finalMessage();
    assert.deepEqual(plain.content, content);
    assert.deepEqual(JSON.parse(JSON.stringify(streamed.content)), content);
    assert.equal(streamed.stop_reason, 'tool_use');
    assert.equal(streamed.stop_reason, plain.stop_reason);
  });

  test('tool input arrives in pieces', async () => {
    await stub.reply({ content: [{ type: 'tool_use', name: 'find_slots', input: { department: 'cardiology' } }] });
    const seen = await events(await client().messages.create({ ...hello, stream: true }));
    const start = seen.find((event) => event.type === 'content_block_start');
    assert.deepEqual(start.content_block.input, {});
    assert.match(start.content_block.id, /^toolu_/);
    const pieces = seen.filter((event) => event.delta?.type === 'input_json_delta').map((event) => event.delta.partial_json);
    assert.ok(pieces.length >= 3);
    assert.deepEqual(JSON.parse(pieces.join('')), { department: 'cardiology' });
  });

  test('an error before the stream is an ordinary error', async () => {
    const error = await failure(client().messages.create({ ...hello, model: 'claude-sonnet-4-20250514', stream: true }));
    assert.ok(error instanceof Anthropic.NotFoundError);
  });

  test('a connection serves again after a stream', async () => {
    const one = client();
    for (let i = 0; i < 5; ++i) {
      await one.messages.stream(hello).finalMessage();
      await one.messages.create(hello);
    }
    assert.equal((await stub.requests()).length, 10);
  });
});

describe('tools', () => {
  const tools = [{ name: 'find_slots', description: 'Free slots.', input_schema: { type: 'object', properties: {} } }];
  const use = { type: 'tool_use', id: 'toolu_1', name: 'find_slots', input: { department: 'ent' } };

  test('a whole loop', async () => {
    await stub.reply({ content: [{ type: 'text', text: 'One moment.' }, use] });
    await stub.reply({ content: [{ type: 'text', text: 'At nine.' }] });
    const asked = await client().messages.create({ ...hello, tools });
    assert.equal(asked.stop_reason, 'tool_use');
    assert.deepEqual(asked.content[1].caller, { type: 'direct' });
    const result = { type: 'tool_result', tool_use_id: asked.content[1].id, content: '["09:00"]' };
    const done = await client().messages.create({
      ...hello, tools,
      messages: [...hello.messages, { role: 'assistant', content: asked.content }, { role: 'user', content: [result] }],
    });
    assert.equal(done.content[0].text, 'At nine.');
    assert.equal(done.stop_reason, 'end_turn');
  });

  test('two rules of a script play a whole loop', async () => {
    await stub.script([
      { contains: 'slot', content: [use] },
      { contains: 'slot', text: 'There is one at nine.' },
    ]);
    const messages = [{ role: 'user', content: 'A slot please' }];
    const asked = await client().messages.create({ ...hello, tools, messages });
    assert.equal(asked.content[0].type, 'tool_use');
    const result = { type: 'tool_result', tool_use_id: asked.content[0].id, content: '["09:00"]' };
    messages.push({ role: 'assistant', content: asked.content }, { role: 'user', content: [result] });
    const done = await client().messages.create({ ...hello, tools, messages });
    assert.equal(done.content[0].text, 'There is one at nine.');
  });

  const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' };
  const wrong = {
    'a missing result': [{ role: 'user', content: 'and?' }],
    'no turn after the call': [],
    'a foreign result': [{ role: 'user', content: [{ ...result, tool_use_id: 'toolu_2' }] }],
    'text before the result': [{ role: 'user', content: [{ type: 'text', text: 'here' }, result] }],
    'a result given twice': [{ role: 'user', content: [result, result] }],
    'a late result': [{ role: 'user', content: 'wait' }, { role: 'assistant', content: 'yes' }, { role: 'user', content: [result] }],
  };
  for (const [name, rest] of Object.entries(wrong)) {
    test(`${name} is refused`, async () => {
      const error = await failure(client().messages.create(
        { ...hello, tools, messages: [...hello.messages, { role: 'assistant', content: [use] }, ...rest] }));
      assert.ok(error instanceof Anthropic.BadRequestError);
      assert.equal(error.type, 'invalid_request_error');
    });
  }

  test('text after the results and neighbours of one role are accepted', async () => {
    const second = { ...use, id: 'toolu_2' };
    await client().messages.create({
      ...hello, tools,
      messages: [...hello.messages, { role: 'assistant', content: [use] }, { role: 'assistant', content: [second] },
        { role: 'user', content: [result] }, { role: 'user', content: [{ ...result, tool_use_id: 'toolu_2' }, { type: 'text', text: 'so?' }] }],
    });
  });
});

describe('errors', () => {
  const classes = [
    [400, 'invalid_request_error', Anthropic.BadRequestError],
    [401, 'authentication_error', Anthropic.AuthenticationError],
    [402, 'billing_error', Anthropic.PaymentRequiredError],
    [403, 'permission_error', Anthropic.PermissionDeniedError],
    [404, 'not_found_error', Anthropic.NotFoundError],
    [408, 'api_error', Anthropic.RequestTimeoutError],
    [409, 'conflict_error', Anthropic.ConflictError],
    [413, 'request_too_large', Anthropic.ContentTooLargeError],
    [422, 'invalid_request_error', Anthropic.UnprocessableEntityError],
    [429, 'rate_limit_error', Anthropic.RateLimitError],
    [500, 'api_error', Anthropic.InternalServerError],
    [502, 'api_error', Anthropic.InternalServerError],
    [503, 'api_error', Anthropic.ServiceUnavailableError],
    [504, 'timeout_error', Anthropic.GatewayTimeoutError],
    [529, 'overloaded_error', Anthropic.OverloadedError],
  ];
  for (const [status, type, expected] of classes) {
    test(`${status} is ${expected.name}`, async () => {
      assert.equal(typeof expected, 'function');
      await stub.inject({ status, message: 'as ordered', headers: { 'x-extra': 'yes' } });
      const error = await failure(client().messages.create(hello));
      assert.ok(error instanceof expected, `got ${error.constructor.name}`);
      assert.equal(error.status, status);
      assert.equal(error.type, type);
      assert.equal(error.error.error.message, 'as ordered');
      assert.equal(error.headers.get('x-extra'), 'yes');
      assert.match(error.requestID, /^req_/);
      assert.equal(error.error.request_id, error.requestID);
    });
  }

  const refused = {
    'the key `invalid`': [{ apiKey: 'invalid' }, hello, Anthropic.AuthenticationError],
    'an unknown version': [{ defaultHeaders: { 'anthropic-version': '2020-01-01' } }, hello, Anthropic.BadRequestError],
    'a retired model': [{}, { ...hello, model: 'claude-sonnet-4-20250514' }, Anthropic.NotFoundError],
    'no model': [{}, { ...hello, model: '' }, Anthropic.BadRequestError],
    'no max_tokens': [{}, { ...hello, max_tokens: undefined }, Anthropic.BadRequestError],
    'no messages': [{}, { ...hello, messages: [] }, Anthropic.BadRequestError],
    'an unknown role': [{}, { ...hello, messages: [{ role: 'robot', content: 'x' }] }, Anthropic.BadRequestError],
    'an empty text block': [{}, { ...hello, messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] }, Anthropic.BadRequestError],
  };
  for (const [name, [options, body, expected]] of Object.entries(refused)) {
    test(`${name} is refused`, async () => {
      const error = await failure(client(options).messages.create(body));
      assert.ok(error instanceof expected, `got ${error.constructor.name}`);
    });
  }

  for (const field of ['temperature', 'top_p', 'top_k']) {
    test(`${field} is refused by name, and taken by the old version`, async () => {
      const error = await failure(client().messages.create({ ...hello, [field]: 1 }));
      assert.ok(error instanceof Anthropic.BadRequestError);
      assert.match(error.error.error.message, new RegExp(field));
      await client({ defaultHeaders: { 'anthropic-version': '2023-06-01' } }).messages.create({ ...hello, [field]: 1 });
    });
  }

  test('details and a proxy page reach the client', async () => {
    await stub.inject({ status: 429, details: { error_code: 'enforced_spend_limit_reached' } });
    const limit = await failure(client().messages.create(hello));
    assert.equal(limit.error.error.details.error_code, 'enforced_spend_limit_reached');
    await stub.inject({ status: 502, body: '<html>Bad Gateway</html>' });
    const proxy = await failure(client().messages.create(hello));
    assert.equal(proxy.status, 502);
    assert.match(proxy.message, /Bad Gateway/);
  });

  test('a body above 32 MB is answered, not cut off', async () => {
    const content = 'x'.repeat(33 * 1024 * 1024);
    const error = await failure(client().messages.create({ ...hello, messages: [{ role: 'user', content }] }));
    assert.ok(error instanceof Anthropic.ContentTooLargeError, `got ${error.constructor.name}: ${error.message}`);
    assert.equal(error.type, 'request_too_large');
  });
});

describe('faults and retries', () => {
  // Milliseconds between the first two requests, and the retry counts of all.
  const arrivals = async () => {
    const requests = await stub.requests();
    return {
      waited: requests.length > 1 ? requests[1].at_ms - requests[0].at_ms : 0,
      counts: requests.map((request) => request.headers['x-stainless-retry-count']),
    };
  };

  test('retry-after is waited for', async () => {
    await stub.inject({ status: 429, headers: { 'retry-after': '1' }, path: PATH });
    await client({ maxRetries: 2 }).messages.create(hello);
    const { waited, counts } = await arrivals();
    assert.deepEqual(counts, ['0', '1']);
    assert.ok(waited >= 990, `waited ${waited} ms`);
  });

  test('529 without a header is retried by the client itself', async () => {
    await stub.inject({ status: 529, times: 2 });
    await client({ maxRetries: 2 }).messages.create(hello);
    const { waited, counts } = await arrivals();
    assert.deepEqual(counts, ['0', '1', '2']);
    assert.ok(waited >= 370, `waited ${waited} ms`);
  });

  test('x-should-retry: false ends it', async () => {
    await stub.inject({ status: 500, headers: { 'x-should-retry': 'false' } });
    assert.ok(await failure(client({ maxRetries: 2 }).messages.create(hello)) instanceof Anthropic.InternalServerError);
    assert.equal((await stub.requests()).length, 1);
  });

  test('a fault on another path is left alone', async () => {
    await stub.inject({ status: 500, path: '/v1/models' });
    await client().messages.create(hello);
    assert.ok(await failure(client().models.list()) instanceof Anthropic.InternalServerError);
  });

  test('disconnect is a connection error, and retried', async () => {
    await stub.inject({ mode: 'disconnect' });
    const error = await failure(client().messages.create(hello));
    assert.ok(error instanceof Anthropic.APIConnectionError);
    assert.ok(!(error instanceof Anthropic.APIConnectionTimeoutError));
    await stub.inject({ mode: 'disconnect' });
    await client({ maxRetries: 1 }).messages.create(hello);
    assert.equal((await stub.requests()).length, 3);
  });

  test('hang is a timeout, and retried', async () => {
    await stub.inject({ mode: 'hang' });
    const error = await failure(client({ timeout: 300 }).messages.create(hello));
    assert.ok(error instanceof Anthropic.APIConnectionTimeoutError);
    await stub.inject({ mode: 'hang' });
    await client({ timeout: 2000, maxRetries: 2 }).messages.create(hello);
    assert.ok((await stub.requests()).length >= 3);
  });

  test('delay only delays', async () => {
    await stub.inject({ mode: 'delay', delay_ms: 300 });
    const started = performance.now();
    await client().messages.create(hello);
    assert.ok(performance.now() - started >= 295);
  });

  test('an error inside a stream has a type and no status', async () => {
    await stub.inject({ mode: 'sse_error', type: 'overloaded_error', after_deltas: 2 });
    const seen = [];
    const error = await failure((async () => {
      for await (const event of await client({ maxRetries: 2 }).messages.create({ ...hello, stream: true })) seen.push(event.type);
    })());
    assert.ok(error instanceof Anthropic.APIError);
    assert.equal(error.status, undefined);
    assert.equal(error.type, 'overloaded_error');
    assert.equal(seen.filter((type) => type === 'content_block_delta').length, 2);
    assert.equal((await stub.requests()).length, 1);
  });

  test('a cut stream fails, and the queued reply is still there', async () => {
    await stub.reply({ content: [{ type: 'text', text: 'the whole answer' }] });
    await stub.inject({ mode: 'truncate', after_deltas: 1 });
    const stream = client().messages.stream(hello);
    const error = await failure(stream.finalMessage());
    assert.ok(error instanceof Anthropic.AnthropicError);
    assert.equal((await client().messages.stream(hello).finalMessage()).content[0].text, 'the whole answer');
  });

  test('a cut plain answer fails', async () => {
    await stub.inject({ mode: 'truncate' });
    await failure(client().messages.create(hello));
  });

  test('a stalled stream stays silent until the client gives up', async () => {
    await stub.inject({ mode: 'stall', after_deltas: 1 });
    const stream = client().messages.stream(hello);
    stream.once('text', () => stream.abort());
    assert.ok(await failure(stream.finalMessage()) instanceof Anthropic.APIUserAbortError);
  });
});

describe('models and counting', () => {
  test('the list is paged', async () => {
    const ids = [];
    for await (const model of client().models.list({ limit: 5 })) ids.push(model.id);
    assert.ok(ids.includes(MODEL) && ids.includes('claude-sonnet-5-5') && ids.length > 10);
    assert.ok(!ids.includes('claude-sonnet-4-20250514'));
    assert.equal(new Set(ids).size, ids.length);
  });

  test('a page before an id ends just before it', async () => {
    const all = (await client().models.list({ limit: 100 })).data.map((model) => model.id);
    const page = await client().models.list({ limit: 2, before_id: all[5] });
    assert.deepEqual(page.data.map((model) => model.id), [all[3], all[4]]);
    assert.equal(page.has_more, true);
  });

  test('a model tells its life and what it can', async () => {
    const haiku = await client().models.retrieve(MODEL);
    assert.equal(haiku.type, 'model');
    assert.equal(haiku.lifecycle, 'active');
    assert.equal(haiku.capabilities.thinking.types.disabled.supported, true);
    assert.equal(haiku.capabilities.effort.low.supported, true);
    const old = await client().models.retrieve('claude-sonnet-4-5');
    assert.equal(old.lifecycle, 'deprecated');
    assert.equal(new Date(old.retires_at).getUTCMonth(), 10);
    assert.ok(await failure(client().models.retrieve('claude-sonnet-4-20250514')) instanceof Anthropic.NotFoundError);
  });

  test('the life cycle filters the list', async () => {
    const page = await client().models.list({ lifecycle: ['deprecated', 'retired'] });
    assert.deepEqual(new Set(page.data.map((model) => model.lifecycle)), new Set(['deprecated']));
  });

  test('counting grows with the text and needs no max_tokens', async () => {
    const count = async (content) =>
      (await client().messages.countTokens({ model: MODEL, messages: [{ role: 'user', content }] })).input_tokens;
    const few = await count('hello');
    assert.ok(Number.isInteger(few) && few > 0);
    assert.ok(await count('hello '.repeat(100)) > few);
  });

  test('max_tokens 0 only warms the cache', async () => {
    const message = await client().messages.create({ ...hello, max_tokens: 0 });
    assert.deepEqual(message.content, []);
    assert.equal(message.stop_reason, 'max_tokens');
  });

  test('a path that is not there is 404', async () => {
    assert.ok(await failure(client().get('/v1/nothing')) instanceof Anthropic.NotFoundError);
  });
});

test('many requests at once are all answered', async () => {
  const one = client();
  const texts = Array.from({ length: 200 }, (_, i) => `question ${i}`);
  const answers = await Promise.all(texts.map((content, i) => {
    const body = { ...hello, messages: [{ role: 'user', content }] };
    return i % 2 ? one.messages.create(body) : one.messages.stream(body).finalMessage();
  }));
  assert.deepEqual(answers.map((message) => message.content[0].text), texts.map((text) => `stub: ${text}`));
});
