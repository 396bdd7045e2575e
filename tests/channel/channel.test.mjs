// The modules that browsers get, in Node, against the real program; and what is done to messages on their way.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { after, before, describe, test } from "node:test";
import { AEAD_AES_128_GCM, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "../../crates/chatward/static/vendor/hpke/index.js";
import { Channel, ChannelError } from "../../crates/chatward/static/channel.js";
import { answer } from "../../crates/chatward/static/channel/binary.js";
import { open } from "../../crates/chatward/static/channel/seal.js";
import { gateway } from "./gateway.mjs";

let house, pin, log;
const real = globalThis.fetch;
let sent = [];
/** What is done to the requests and answers of one test. */
let meddle = {};
/** Node keeps no cookies. */
let cookie = "";

globalThis.fetch = async (url, how = {}) => {
  const headers = new Headers(how.headers);
  if (cookie) headers.set("cookie", cookie);
  const body = how.body && meddle.request ? meddle.request(how.body) : how.body;
  sent.push({ url: String(url), body });
  const given = meddle.instead?.(String(url)) ?? (await real(url, { ...how, headers, body }));
  cookie = given.headers.get("set-cookie")?.split(";")[0] ?? cookie;
  if (!String(url).endsWith("/ohttp-gateway") || !meddle.answer) return given;
  const bytes = meddle.answer(new Uint8Array(await given.arrayBuffer()));
  return new Response(bytes, { status: given.status, headers: given.headers });
};

before(async () => {
  house = await gateway();
  ({ by: pin } = await (await real(`${house.base}/channel/v1/keys`)).json());
  // What the server writes into the page.
  const page = await (await real(`${house.base}/chat`)).text();
  assert.equal(page.match(/data-pin="([^"]+)"/)[1], pin);
  log = page.match(/data-log="([^"]+)"/)[1].replaceAll("&#43;", "+");
});
after(() => house.close());

const fresh = async () => {
  [sent, meddle, cookie] = [[], {}, ""];
  return Channel.open({ base: house.base, pin, log });
};
const say = (channel, text, more = {}) =>
  channel.fetch("/chat/v1/messages", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ text }), ...more });
const said = (text) =>
  text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta?.content ?? "").join("");
const is = (kind) => (error) => error instanceof ChannelError && error.kind === kind;

describe("a page and its gateway", () => {
  test("a conversation, streamed, under one session", async () => {
    const channel = await fresh();
    const first = await say(channel, "Hi, my e-mail is maria@mail.example");
    assert.equal(first.status, 200);
    assert.equal(first.headers.get("content-type"), "text/event-stream");
    assert.match(said(await first.text()), /maria@mail\.example/);
    const second = await say(channel, "Which e-mail did I give?");
    await second.text();
    const received = await channel.fetch(`/me/v1/turns/${second.headers.get("chatward-turn")}/received`);
    assert.equal((await received.json()).messages.length, 3);
    // A list, a session, and three requests; nothing of what was said is in them.
    assert.equal(sent.filter(({ url }) => url.endsWith("/keys")).length, 1);
    assert.equal(sent.filter(({ url }) => url.endsWith("/ohttp-gateway")).length, 4);
    assert.ok(sent.every(({ body }) => !body || !Buffer.from(body).includes("maria")));
    assert.ok(sent.every(({ body }) => !body || body.length >= 1127 + 512));
  });

  test("pieces come before the end", async () => {
    const channel = await fresh();
    const given = await say(channel, "My card is 4111 1111 1111 1111, and I live at 12 Long Street, Springfield");
    let pieces = 0;
    for await (const _ of given.body) pieces += 1;
    assert.ok(pieces > 1, `${pieces}`);
  });

  test("requests at the same time share a session and come in any order", async () => {
    const channel = await fresh();
    const all = await Promise.all(Array.from({ length: 8 }, () => channel.fetch("/me/v1/turns/0/received")));
    assert.deepEqual(all.map((given) => given.status), Array(8).fill(404));
    assert.equal(sent.filter(({ url }) => url.endsWith("/ohttp-gateway")).length, 9);
  });

  test("a wrong pin is refused before anything is sent", async () => {
    await fresh();
    const channel = await Channel.open({ base: house.base, pin: "A".repeat(43) });
    await assert.rejects(say(channel, "Hello"), is("keys"));
    assert.ok(sent.every(({ body }) => !body));
  });

  test("another list than the one that was signed is refused", async () => {
    const channel = await fresh();
    const { list, ...rest } = await (await real(`${house.base}/channel/v1/keys`)).json();
    meddle.instead = (url) => (url.endsWith("/keys") ? Response.json({ ...rest, list: list.replace("until", "Until") }) : undefined);
    await assert.rejects(say(channel, "Hello"), is("keys"));
    const old = JSON.parse(list).keys[0].until + 2 * 86_400_000;
    const now = Date.now;
    Date.now = () => old;
    meddle = {};
    await assert.rejects(say(channel, "Hello"), is("keys"), "a list of the day before yesterday").finally(() => (Date.now = now));
  });

  test("the list of keys is proven to stand in the log", async () => {
    const channel = await fresh();
    const { index, size } = await channel.proven();
    assert.ok(index < size);
    await (await say(channel, "Hello")).text();
    const listed = await (await real(`${house.base}/channel/v1/keys`)).json();
    const changed = (change) => {
      meddle.instead = (url) => (url.endsWith("/keys") ? Response.json({ ...listed, log: { ...listed.log, ...change } }) : undefined);
    };
    const { event, path, checkpoint } = listed.log;
    const other = path.map((hash) => hash.replace(/^./, (c) => (c === "A" ? "B" : "A")));
    for (const change of [{ event: event.replace(/"at":\d/, '"at":9') }, { index: index + 1 }, { index: size }, { path: other }, { path: [...path, path[0] ?? "A".repeat(43)] }, { checkpoint: checkpoint.replace(/\n\d/, "\n9") }, { checkpoint: checkpoint.replace(/^./, "x") }]) {
      changed(change);
      await assert.rejects(channel.proven(), is("keys"), Object.keys(change)[0]);
    }
    meddle = {};
    const stranger = await Channel.open({ base: house.base, pin, log: log.replace(/.{4}$/, "AAA=") });
    await assert.rejects(stranger.proven(), is("keys"), "another log's key");
  });

  test("a restart costs a new key and a new session, and nobody notices", async () => {
    const channel = await fresh();
    await (await say(channel, "Hello")).text();
    await house.restart();
    const given = await say(channel, "Hello again");
    assert.equal(given.status, 200);
    assert.ok(said(await given.text()).length > 0);
    assert.equal(sent.filter(({ url }) => url.endsWith("/keys")).length, 2);
  });

  test("a gateway that never knows the key is believed once", async () => {
    const channel = await fresh();
    const problem = () => Response.json({ code: "ohttp-key" }, { status: 400 });
    meddle.instead = (url) => (url.endsWith("/ohttp-gateway") ? problem() : undefined);
    await assert.rejects(say(channel, "Hello"), is("refused"));
    assert.equal(sent.filter(({ url }) => url.endsWith("/ohttp-gateway")).length, 2);
    assert.equal(sent.filter(({ url }) => url.endsWith("/keys")).length, 2);
  });

  test("altered requests are refused, altered and cut answers noticed", async () => {
    const channel = await fresh();
    await (await say(channel, "Hello")).text();
    for (const at of [1, 6, 7, 300, 1126, 1127, 1128, 1140, -1]) {
      meddle = { request: (body) => body.with(at < 0 ? body.length + at : at, body.at(at) ^ 1) };
      await assert.rejects(say(channel, "Hello"), is("refused"), `byte ${at}`);
    }
    const whole = async () => (await say(channel, "Hello")).text();
    for (let n = 0; n < 20; n += 1) {
      meddle = { answer: (bytes) => bytes.with(Math.floor((bytes.length * n) / 20), bytes[Math.floor((bytes.length * n) / 20)] ^ 1) };
      await assert.rejects(whole(), (error) => is("altered")(error) || is("truncated")(error), `at ${n}/20`);
    }
    for (const less of [1, 16, 17, 18, 900]) {
      meddle = { answer: (bytes) => bytes.subarray(0, bytes.length - less) };
      await assert.rejects(whole(), (error) => is("truncated")(error) || is("altered")(error), `less ${less}`);
    }
    meddle = { answer: (bytes) => bytes.subarray(0, bytes.length - 17) };
    await assert.rejects(whole(), is("truncated"), "cut before the final chunk");
  });

  test("a request that is sent again is refused", async () => {
    const channel = await fresh();
    await (await say(channel, "Hello")).text();
    const { body } = sent.at(-1);
    const again = await real(`${house.base}/.well-known/ohttp-gateway`, { method: "POST", headers: { "content-type": "message/ohttp-chunked-req", cookie }, body });
    assert.deepEqual([again.status, (await again.json()).code], [409, "channel-repeated"]);
  });

  test("an answer of another request does not open", async () => {
    const channel = await fresh();
    let other;
    meddle = { answer: (bytes) => (other = bytes) };
    await (await say(channel, "Hello")).text();
    meddle = { answer: () => other };
    await assert.rejects(async () => (await say(channel, "Hello")).text(), is("altered"));
  });

  test("stopping cancels", async () => {
    const channel = await fresh();
    const stop = new AbortController();
    const given = await say(channel, "Hello", { signal: stop.signal });
    stop.abort();
    await assert.rejects(given.text());
    await assert.rejects(say(channel, "Hello", { signal: stop.signal }), { name: "AbortError" });
  });
});

describe("the worked example of the draft", () => {
  const hex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
  const vector = JSON.parse(readFileSync(new URL("../../vectors/channel/draft-08.json", import.meta.url), "utf8"));
  const request = hex(vector.encapsulatedRequest);
  const enc = request.subarray(7, 39);
  async function* once(...pieces) {
    yield* pieces;
  }

  test("its answer opens, however it is cut", async () => {
    const bytes = hex(vector.encapsulatedResponse);
    for (let size = 1; size <= bytes.length; size += 1) {
      const pieces = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      const text = [];
      for await (const piece of open(enc, hex(vector.secret), once(...pieces))) text.push(...piece);
      assert.equal(Buffer.from(text).toString("hex"), vector.response);
    }
    for (let length = 0; length < bytes.length; length += 1) {
      await assert.rejects(async () => {
        for await (const _ of open(enc, hex(vector.secret), once(bytes.subarray(0, length))));
      }, ChannelError, `cut to ${length}`);
    }
  });

  test("its request opens with the labels and numbers that we seal with", async () => {
    const suite = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_AES_128_GCM);
    const key = await suite.DeserializePrivateKey(hex(vector.skR), true);
    const info = new Uint8Array([...new TextEncoder().encode("message/bhttp chunked request\0"), ...request.subarray(0, 7)]);
    const pair = { privateKey: key, publicKey: await suite.DeserializePublicKey(hex(vector.keyConfig).subarray(3, 35)) };
    const context = await suite.SetupRecipient(pair, enc, { info });
    const text = [];
    for (let at = 39; at < request.length; ) {
      const length = request[at];
      const last = length === 0;
      const chunk = request.subarray(at + 1, last ? undefined : at + 1 + length);
      text.push(...(await context.Open(chunk, last ? new TextEncoder().encode("final") : undefined)));
      at += 1 + chunk.length;
    }
    assert.equal(Buffer.from(text).toString("hex"), vector.request);
    const secret = await context.Export(new TextEncoder().encode("message/bhttp chunked response"), 16);
    assert.equal(Buffer.from(secret).toString("hex"), vector.secret);
  });

  test("an empty chunk that is not the last is refused", async () => {
    // Sealed as the draft says, with the keys of its example: the nonce, an empty chunk, the final one.
    const secret = hex(vector.secret);
    const nonce = hex(vector.encapsulatedResponse).subarray(0, 16);
    const salt = new Uint8Array([...enc, ...nonce]);
    const derive = async (info, length) => {
      const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
      return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: Buffer.from(info) }, base, length * 8));
    };
    const key = await crypto.subtle.importKey("raw", await derive("key", 16), "AES-GCM", false, ["encrypt"]);
    const iv = await derive("nonce", 12);
    const seal = async (count, text, aad) => {
      const own = iv.slice();
      own[11] ^= count;
      return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: own, additionalData: Buffer.from(aad) }, key, text));
    };
    const empty = new Uint8Array([...nonce, 16, ...(await seal(0, new Uint8Array(), "")), 0, ...(await seal(1, new Uint8Array(), "final"))]);
    await assert.rejects(async () => {
      for await (const _ of open(enc, secret, once(empty)));
    }, is("altered"));
    const fine = new Uint8Array([...nonce, 0, ...(await seal(0, Uint8Array.of(7), "final"))]);
    const text = [];
    for await (const piece of open(enc, secret, once(fine))) text.push(...piece);
    assert.deepEqual(text, [7], "a final chunk may hold text");
  });

  test("Binary HTTP reads the same however it is cut, and no less than all of it", async () => {
    const text = Uint8Array.of(3, 0x40, 201, 1, 97, 2, 98, 99, 0, 3, 1, 2, 3, 2, 4, 5, 0, 0, 0, 0);
    for (let size = 1; size <= text.length; size += 1) {
      const pieces = [];
      for (let at = 0; at < text.length; at += size) pieces.push(text.subarray(at, at + size));
      const given = await answer(once(...pieces));
      assert.deepEqual([given.status, given.headers.get("a")], [201, "bc"]);
      assert.deepEqual([...new Uint8Array(await given.arrayBuffer())], [1, 2, 3, 4, 5]);
    }
    for (let length = 0; length < 18; length += 1) {
      await assert.rejects(async () => (await answer(once(text.subarray(0, length)))).arrayBuffer(), is("truncated"), `${length}`);
    }
    await assert.rejects(async () => (await answer(once(Uint8Array.of(...text, 1)))).arrayBuffer(), is("altered"));
  });
});

test("what a page loads is light", (t) => {
  const folder = new URL("../../crates/chatward/static/", import.meta.url);
  const seen = new Map();
  const follow = (url) => {
    if (seen.has(url.href)) return;
    const text = readFileSync(url);
    seen.set(url.href, brotliCompressSync(text).length);
    // Only what is always loaded: `import()` waits until it is needed.
    for (const [, path] of text.toString().matchAll(/^(?:import|export)\b[^"';]*from\s*["']([^"']+)["']/gm)) follow(new URL(path, url));
  };
  follow(new URL("channel.js", folder));
  const whole = [...seen.values()].reduce((a, b) => a + b);
  t.diagnostic(`${seen.size} files, ${whole} bytes in brotli`);
  assert.ok(seen.size >= 11 && whole <= 28_000, `${seen.size} files, ${whole} bytes`);
});
