// @ts-check
// The encrypted channel in a real browser, under the page's own policy, against a running gateway.
//
//   CHATWARD_URL=http://127.0.0.1:8080 npm test

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch } from "./visitor.js";

const BASE = process.env.CHATWARD_URL ?? "";

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  assert.ok(BASE, "CHATWARD_URL must name the running gateway");
  browser = await launch();
});

after(() => browser?.close());

/**
 * Talks through the channel on a fresh page; what was loaded, what was said, and what the policy reported.
 * @param {boolean} native whether the platform's own ML-KEM may be used
 */
async function talk(native) {
  const context = await browser.newContext();
  const page = await context.newPage();
  /** @type {string[]} */
  const loaded = [];
  /** @type {string[]} */
  const faults = [];
  /** @type {(Buffer | null)[]} */
  const sent = [];
  page.on("request", (request) => {
    loaded.push(new URL(request.url()).pathname);
    if (request.url().endsWith("/ohttp-gateway")) sent.push(request.postDataBuffer());
  });
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  // The page itself talks through it from the start.
  if (!native) await page.addInitScript(() => delete (/** @type {any} */ (SubtleCrypto.prototype).encapsulateBits));
  await page.goto(`${BASE}/chat`);
  const result = await page.evaluate(async () => {
    const script = /** @type {HTMLScriptElement} */ (document.querySelector("script[type=module]"));
    const { Channel } = await import(new URL("channel.js", script.src).href);
    const { pin, log } = document.body.dataset;
    const channel = await Channel.open({ pin, log });
    await channel.proven();
    const body = JSON.stringify({ text: "My e-mail is canary-4417@mail.example" });
    const headers = { "content-type": "application/json" };
    const began = performance.now();
    const given = await channel.fetch("/chat/v1/messages", { method: "POST", headers, body });
    const answer = await given.text();
    const wrong = await Channel.open({ pin: "A".repeat(43) }).then((one) => one.fetch("/me/v1/looks")).catch((error) => error.kind);
    return { status: given.status, answer, wrong, took: performance.now() - began };
  });
  // Older versions of browsers have none of their own.
  const own = await page.evaluate(() =>
    crypto.subtle.generateKey(/** @type {any} */ ({ name: "ML-KEM-768" }), false, /** @type {any} */ (["encapsulateBits", "decapsulateBits"])).then(
      () => "encapsulateBits" in SubtleCrypto.prototype,
      () => false,
    ),
  );
  await context.close();
  return { ...result, loaded, faults, sent, own };
}

test("a page talks through the channel under its policy, with the platform's own ML-KEM where there is one", async (t) => {
  const { status, answer, wrong, loaded, faults, sent, took, own } = await talk(true);
  t.diagnostic(`the platform has ${own ? "an" : "no"} ML-KEM of its own`);
  t.diagnostic(`${took.toFixed(0)} ms for the session and the message`);
  assert.equal(status, 200);
  assert.match(answer, /^data: /m);
  assert.equal(wrong, "keys");
  assert.deepEqual(faults, []);
  assert.ok(sent.length >= 2);
  assert.ok(sent.every((body) => body && !body.includes("canary")));
  assert.ok(loaded.some((path) => path.endsWith("/vendor/hpke/index.js")));
  const another = loaded.some((path) => path.includes("noble-post-quantum"));
  assert.equal(another, !own, "ML-KEM is loaded only where the platform has none");
});

test("where the platform has no ML-KEM it is loaded, and the same comes of it", async () => {
  const { status, loaded, faults } = await talk(false);
  assert.equal(status, 200);
  assert.deepEqual(faults, []);
  assert.ok(loaded.some((path) => path.endsWith("/vendor/noble-post-quantum/ml-kem.js")));
});
