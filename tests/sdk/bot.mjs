// A scripted OpenAI-compatible bot for the tests of the official clients: what it answers is decided by the model's
// name. It remembers the newest body it was sent, so that a test can see what a bot sees.

import { createServer } from "node:http";

/** Starts the bot on a free loopback port. */
export async function bot() {
  const state = { last: "", lastHeaders: {}, left: 0, streams: 0 };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    if (request.method === "GET" && request.url === "/v1/models") {
      return json(response, 200, { object: "list", data: [{ id: "echo", object: "model", created: 1, owned_by: "bot" }] });
    }
    state.last = body;
    state.lastHeaders = request.headers;
    const asked = JSON.parse(body);
    const text = lastUserText(asked);
    if (asked.model === "refuse-429") {
      return json(response, 429, { error: { message: `slow down, ${text}`, type: "rate_limit_error", param: null, code: "rate_limit_exceeded" } });
    }
    if (asked.model === "html") {
      response.writeHead(200, { "content-type": "text/html" });
      return response.end("<html>a page, not an answer</html>");
    }
    if (asked.stream) return stream(state, response, asked, text);
    const choices = Array.from({ length: asked.n ?? 1 }, (_, index) => ({ index, ...whole(asked, text, index) }));
    json(response, 200, { id: "chatcmpl-1", object: "chat.completion", created: 1, model: asked.model, choices, usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 }, x_unknown: { kept: [1, 2.50, "as is"] } });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { state, url: `http://127.0.0.1:${server.address().port}/v1`, close: () => (server.closeAllConnections(), server.close()) };
}

function whole(asked, text, index) {
  if (asked.model === "tools") {
    return { finish_reason: "tool_calls", logprobs: null, message: { role: "assistant", content: null, refusal: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "book", arguments: JSON.stringify({ note: `say "${text}"`, n: 1 }) } }] } };
  }
  if (asked.model === "refusal") {
    return { finish_reason: "stop", logprobs: null, message: { role: "assistant", content: null, refusal: `I cannot help with ${text}` } };
  }
  return { finish_reason: "stop", logprobs: null, message: { role: "assistant", content: index === 0 ? text : `${index}: ${text}`, refusal: null } };
}

/** Cuts everywhere, so that placeholders arrive in pieces. */
const pieces = (text, n = 3) => [...text].reduce((all, char, at) => (at % n ? (all[all.length - 1] += char) : all.push(char), all), []);

async function stream(state, response, asked, text) {
  state.streams += 1;
  let gone = false;
  response.on("close", () => {
    if (!response.writableFinished) {
      gone = true;
      state.left += 1;
    }
  });
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (choices, more = {}) =>
    response.write(`data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: asked.model, choices, ...more })}\n\n`);
  const n = asked.n ?? 1;
  for (let index = 0; index < n; index += 1) send([{ index, delta: { role: "assistant", content: "" }, finish_reason: null }]);
  if (asked.model === "tools") {
    const calls = (delta) => send([{ index: 0, delta: { tool_calls: [delta] }, finish_reason: null }]);
    calls({ index: 0, id: "call_1", type: "function", function: { name: "book", arguments: "" } });
    for (const part of pieces(JSON.stringify({ note: `say "${text}"`, n: 1 }))) calls({ index: 0, function: { arguments: part } });
    send([{ index: 0, delta: {}, finish_reason: "tool_calls" }]);
  } else if (asked.model === "endless") {
    while (!gone) {
      send([{ index: 0, delta: { content: "word " }, finish_reason: null }]);
      await new Promise((done) => setTimeout(done, 5));
    }
    return;
  } else {
    const key = asked.model === "refusal" ? "refusal" : "content";
    for (const [at, part] of pieces(text).entries()) {
      for (let index = 0; index < n; index += 1) send([{ index, delta: { [key]: part }, finish_reason: null }]);
      if (asked.model === "break-error" && at === 3) {
        response.write(`data: ${JSON.stringify({ error: { message: "the model fell over", type: "server_error", param: null, code: null } })}\n\n`);
        return response.end();
      }
      if (asked.model === "break-cut" && at === 3) return response.destroy();
    }
    for (let index = 0; index < n; index += 1) send([{ index, delta: {}, finish_reason: "stop" }]);
  }
  if (asked.stream_options?.include_usage) send([], { usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } });
  response.end("data: [DONE]\n\n");
}

function lastUserText(asked) {
  const last = asked.messages.findLast((message) => message.role === "user");
  if (typeof last?.content === "string") return last.content;
  return (last?.content ?? []).filter((part) => part.type === "text").map((part) => part.text).join("\n");
}

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const started = await bot();
  console.log(started.url);
}
