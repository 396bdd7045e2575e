// @ts-check
// How quick the pages are on a machine four times slower than this one. Each time is the best of three: what else the machine does
// is not the page's.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { drawn, launch, visitor } from "./visitor.js";

const BASE = (process.env.CHATWARD_URL ?? "").replace("127.0.0.1", "localhost");
const CENTRE = (process.env.CHATWARD_CENTRE ?? process.env.CHATWARD_URL ?? "").replace("127.0.0.1", "localhost");
const PAGES = ["/chat", "/privacy", "/privacy/notice", "/privacy/consents", "/privacy/data", "/privacy/requests", "/privacy/looks", "/privacy/leak", "/privacy/verify", "/privacy/guides", "/account/sign-in"];

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  assert.ok(BASE, "CHATWARD_URL must name the running gateway");
  browser = await launch();
});

after(() => browser?.close());

/** Somebody on a slow machine, whose longest event is written down. */
async function slow() {
  const { context, page } = await visitor(browser, [BASE, CENTRE]);
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  // From the event until its handlers are done, and whole frames that took long with their layout and paint. Not the events'
  // `duration`: without a screen a frame that changes nothing but a field is shown with the next one that changes more.
  await page.addInitScript(() => {
    const told = /** @type {any} */ (window);
    told.longest = [0, ""];
    const longer = (/** @type {number} */ time, /** @type {string} */ what) => {
      if (time > told.longest[0]) told.longest = [Math.round(time), what];
    };
    new PerformanceObserver((list) => {
      for (const entry of /** @type {PerformanceEventTiming[]} */ (list.getEntries())) longer(entry.processingEnd - entry.startTime, entry.name);
    }).observe({ type: "event", durationThreshold: 16, buffered: true });
    new PerformanceObserver((list) => {
      for (const entry of /** @type {any[]} */ (list.getEntries())) {
        const by = entry.scripts.find((/** @type {any} */ script) => script.invokerType === "event-listener");
        if (by) longer(entry.duration, by.invoker);
      }
    }).observe({ type: "long-animation-frame", buffered: true });
  });
  return { context, page };
}

/** @param {import("playwright-core").Page} page @returns {Promise<[number, string]>} */
const longest = (page) => page.evaluate(() => new Promise((done) => setTimeout(() => done(/** @type {any} */ (window).longest), 300)));

/**
 * The best of three tries.
 * @param {() => Promise<[number, string]>} one
 */
async function best(one) {
  let found = await one();
  for (let tries = 1; tries < 3 && found[0] > 100; tries++) {
    const next = await one();
    if (next[0] < found[0]) found = next;
  }
  return found;
}

test("the chat is drawn soon and does not jump on a slow machine", async () => {
  const { context, page } = await slow();
  let [paint, shift, nodes] = [0, 0, 0];
  for (let tries = 0; tries < 3; tries++) {
    await page.goto(`${BASE}/chat`, { waitUntil: "networkidle" });
    [paint, shift, nodes] = await drawn(page);
    if (paint <= 1200 && shift <= 0.05) break;
  }
  assert.ok(paint <= 1200, `largest paint after ${paint} ms`);
  assert.ok(shift <= 0.05, `shifted by ${shift}`);
  assert.ok(nodes <= 1500, `${nodes} nodes`);
  await context.close();
});

test("no event takes long on a slow machine", async () => {
  const { context, page } = await slow();
  const [chat, where] = await best(async () => {
    await page.goto(`${BASE}/chat`, { waitUntil: "networkidle" });
    await page.locator("#text").pressSequentially("I am Ann, card 4111 1111 1111 1111.", { delay: 80 });
    await page.keyboard.press("Enter");
    await page.locator('#log .bot[aria-busy="false"]').last().waitFor();
    return longest(page);
  });
  assert.ok(chat <= 100, `chat: ${where} took ${chat} ms`);
  // Consents are for who has written something.
  await page.goto(`${CENTRE}/chat`, { waitUntil: "networkidle" });
  await page.locator("#consent button").last().click();
  const [consents, what] = await best(async () => {
    await page.goto(`${CENTRE}/privacy/consents`, { waitUntil: "networkidle" });
    const yes = page.locator("form.choice").last().getByRole("button", { name: "Yes" });
    await yes.click();
    await page.waitForFunction((button) => button?.ariaPressed === "true", await yes.elementHandle());
    return longest(page);
  });
  assert.ok(consents <= 100, `consents: ${what} took ${consents} ms`);
  console.log(`longest event: chat ${chat} ms (${where}), consents ${consents} ms (${what})`);
  await context.close();
});

test("pages are made in little time", async () => {
  const context = await browser.newContext();
  await context.request.get(`${CENTRE}/chat`);
  /** @type {string[]} */
  const told = [];
  for (const path of PAGES) {
    let p95 = Infinity;
    for (let tries = 0; tries < 3 && p95 > 50; tries++) {
      /** @type {number[]} */
      const times = [];
      for (let count = 0; count < 40; count++) {
        const started = performance.now();
        const response = await context.request.get(`${CENTRE}${path}`);
        await response.body();
        times.push(performance.now() - started);
        assert.equal(response.status(), 200, path);
      }
      p95 = Math.min(p95, times.sort((a, b) => a - b)[37] ?? Infinity);
    }
    assert.ok(p95 <= 50, `${path}: ${p95} ms`);
    told.push(`${path} ${p95.toFixed(0)}`);
  }
  console.log(`p95 of the pages, ms: ${told.join(", ")}`);
  await context.close();
});
