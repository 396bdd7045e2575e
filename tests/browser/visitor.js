// @ts-check
// What the tests of pages share: the browser, a visitor and all that must not happen to them, a device with passkeys, axe.
//
// CHATWARD_CHROMIUM names the browser (default /usr/bin/chromium), CHATWARD_SHOTS a folder for the pictures.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";

import { chromium } from "playwright-core";

const SHOTS = process.env.CHATWARD_SHOTS ?? "";
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What a page of ours may do, byte for byte. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
  "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/** Debian's Chromium, which asks nobody for anything by itself. */
export async function launch() {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHATWARD_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/**
 * A visitor of their own, and everything that must not happen to them: errors, reports of the policy, requests to anybody else.
 * @param {import("playwright-core").Browser} browser
 * @param {string[]} ours the origins that may be asked
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function visitor(browser, ours, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const origins = ours.map((one) => (one === "null" ? one : new URL(one).origin));
  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (line) => {
    // A refused request is the subject of a test, not a fault of the page.
    if (line.type() === "error" && !line.text().startsWith("Failed to load resource")) faults.push(line.text());
  });
  page.on("request", (request) => {
    if (!origins.includes(new URL(request.url()).origin)) faults.push(`foreign request: ${request.url()}`);
  });
  await page.exposeFunction("reportViolation", (/** @type {string} */ text) => faults.push(`CSP: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      // @ts-ignore: put there by exposeFunction
      void window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  return { context, page, faults };
}

/**
 * Does what leads to a page, and waits until that page is there: the address alone does not tell, it may be the same.
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<unknown>} act
 */
export async function arrives(page, act) {
  const there = page.waitForEvent("load");
  await Promise.all([there, act()]);
}

/**
 * A device that holds passkeys and answers by itself, as a finger on a sensor would. The virtual one answers at once what the
 * browser would only offer, so it is told to offer nothing by itself, except where that is what is looked at.
 * @param {import("playwright-core").BrowserContext} context
 * @param {import("playwright-core").Page} page
 * @param {boolean} [offers]
 */
export async function passkeys(context, page, offers = false) {
  if (!offers) {
    await page.addInitScript(() => {
      if (typeof PublicKeyCredential === "function") PublicKeyCredential.isConditionalMediationAvailable = async () => false;
    });
  }
  const session = await context.newCDPSession(page);
  await session.send("WebAuthn.enable", { enableUI: false });
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return { session, authenticatorId };
}

/**
 * Lets a page ask in the open, so that a test can stand in its way: through the channel nobody can.
 * @param {import("playwright-core").Page} page
 */
export async function unseal(page) {
  await page.route("**/requests.js", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace('isSecureContext && pin !== ""', "false");
    await route.fulfill({ response, body });
  });
}

/**
 * What axe finds. It runs in a world of its own, so the page's policy stays as it is.
 * @param {import("playwright-core").BrowserContext} context
 * @param {import("playwright-core").Page | import("playwright-core").Frame} place
 */
export async function violations(context, place) {
  const axe = await readFile(AXE, "utf8");
  const session = await context.newCDPSession(place);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
  const run = `${axe}; axe.run(document, ${JSON.stringify({ runOnly: TAGS })})
    .then((found) => JSON.stringify(found.violations.map((v) => [v.id, v.nodes.map((n) => [n.target, n.failureSummary])])))`;
  const { result, exceptionDetails } = await session.send("Runtime.evaluate", {
    contextId: executionContextId,
    expression: run,
    awaitPromise: true,
    returnByValue: true,
  });
  assert.equal(exceptionDetails, undefined);
  return JSON.parse(result.value);
}

/** @param {import("playwright-core").Page} page */
export async function sidewaysScroll(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/**
 * How a page was drawn: after how many milliseconds the largest of it, how far parts of it were shifted, of how many elements it is.
 * @param {import("playwright-core").Page} page
 * @returns {Promise<[number, number, number]>}
 */
export function drawn(page) {
  return page.evaluate(
    () =>
      new Promise((done) => {
        let [paint, shift] = [0, 0];
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (paint = entry.startTime))).observe({ type: "largest-contentful-paint", buffered: true });
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => (shift += /** @type {any} */ (entry).value))).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done([paint, shift, document.querySelectorAll("*").length]), 300);
      }),
  );
}

/**
 * @param {import("playwright-core").Page} page
 * @param {string} name
 * @param {boolean} [fullPage]
 */
export async function shoot(page, name, fullPage = false) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage });
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((found) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const at = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => found(at.port));
    });
  });
}
