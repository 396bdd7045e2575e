// @ts-check
// Every page of the program's own list, so that a new one cannot be forgotten: light and dark, left to right and right to left,
// for somebody new and for somebody of whom there is something, narrow and with large text.
//
//   CHATWARD_URL=http://127.0.0.1:8080 CHATWARD_PAGES="$(chatward internal pages)" npm test

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { POLICY, launch, passkeys, sidewaysScroll, violations, visitor } from "./visitor.js";

// Pages of an account go on under the name that passkeys are for.
const BASE = (process.env.CHATWARD_URL ?? "").replace("127.0.0.1", "localhost");
/** What stands for the parameters of a path. @type {Record<string, string>} */
const PARAMETERS = { "/privacy/guides/{guide}": "/privacy/guides/phishing" };
/** Files, and what has the id of something in its address: `centre.test.js` goes there. */
const OTHERS = ["/.well-known/gpc.json", "/privacy/receipts", "/privacy/receipts/{id}", "/privacy/messages/{id}", "/privacy/enter/{page}"];
const PAGES = (process.env.CHATWARD_PAGES ?? "").split("\n").filter((path) => path && !OTHERS.includes(path));

/** Pages that may be shown inside another site's: their policy names those sites. */
const FRAMED = ["/widget"];

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  assert.ok(BASE && PAGES.length > 0, "CHATWARD_URL and CHATWARD_PAGES say where and what");
  browser = await launch();
});

after(() => browser?.close());

/** @param {import("playwright-core").BrowserContextOptions} options */
async function visit(options) {
  const met = await visitor(browser, [BASE], options);
  await passkeys(met.context, met.page);
  return met;
}

let count = 0;

/**
 * Somebody who signed up and wrote something.
 * @param {import("playwright-core").Page} page
 */
async function becomeSomebody(page) {
  await page.goto(`${BASE}/account/sign-up?lang=en`);
  await page.locator("input[name=name]").fill(`matrix-${process.pid}-${(count += 1)}`);
  await page.locator("main form button").first().click();
  await page.waitForURL("**/account/set-up");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.waitForURL("**/account/security");
  await page.goto(`${BASE}/chat`);
  await page.locator("#text").fill("Hello, my name is Anna Berg, <b>anna@mail.example</b> \u202Eabc, card 4111 1111 1111 1111.");
  await page.keyboard.press("Enter");
  await page.locator('#log .bot[aria-busy="false"]').waitFor();
}

/** @param {string} path */
const address = (path) => `${BASE}${PARAMETERS[path] ?? path}`;

for (const known of [false, true]) {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    for (const locale of ["en", "ar-XB"]) {
      describe(`${known ? "somebody" : "nobody"}, ${colorScheme}, ${locale}`, () => {
        /** @type {Awaited<ReturnType<typeof visit>>} */
        let it;
        before(async () => {
          it = await visit({ colorScheme, locale });
          if (known) {
            await becomeSomebody(it.page);
            await it.page.goto(`${BASE}/account/sign-in?lang=${locale}`);
          }
        });
        after(() => it?.context.close());

        for (const path of PAGES) {
          test(path, async () => {
            const { context, page, faults } = it;
            await page.setViewportSize({ width: 1280, height: 900 });
            const response = await page.goto(address(path));
            assert.ok(response && response.status() < 400, `${response?.status()}`);
            // Whoever may not come in was led to where one signs in.
            const at = new URL(page.url()).pathname;
            const policy = response.headers()["content-security-policy"];
            if (!FRAMED.includes(at)) assert.equal(policy, POLICY);
            assert.deepEqual(await violations(context, page), []);
            assert.equal(await page.locator("html").getAttribute("dir"), locale === "ar-XB" ? "rtl" : "ltr");
            assert.ok((await page.evaluate(() => document.querySelectorAll("*").length)) <= 1500, "too many nodes");
            await page.setViewportSize({ width: 320, height: 640 });
            assert.ok((await sidewaysScroll(page)) <= 0, "it scrolls sideways at 320 px");
            // Text spacing (WCAG 1.4.12) and text twice as large.
            await page.evaluate(() => {
              const sheet = new CSSStyleSheet();
              sheet.replaceSync(
                "* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } " +
                  "p { margin-block-end: 2em !important } html { font-size: 200% }",
              );
              document.adoptedStyleSheets.push(sheet);
            });
            await page.setViewportSize({ width: 640, height: 900 });
            assert.ok((await sidewaysScroll(page)) <= 0, "it scrolls sideways with large and wide text");
            assert.deepEqual(faults.splice(0), []);
          });
        }
      });
    }
  }
}

describe("every page", () => {
  for (const path of PAGES) {
    test(`${path}: every control is reached by Tab, is seen, and is large enough`, async () => {
      const { context, page } = await visit({ viewport: { width: 360, height: 740 } });
      await page.goto(address(path));
      await page.waitForLoadState("networkidle");
      const there = await page.evaluate(() => {
        const all = document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, select, summary, [tabindex='0']");
        const seen = [...all].filter((one) => one.checkVisibility({ visibilityProperty: true }) && !(/** @type {any} */ (one).disabled));
        // Radio buttons of one group are one stop.
        const radios = new Set(seen.filter((one) => one.matches("input[type=radio]")).map((one) => one.getAttribute("name")));
        return seen.filter((one) => !one.matches("input[type=radio]")).length + radios.size;
      });
      let reached = 0;
      for (let i = 0; i < there + 3; i++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
          const element = document.activeElement;
          if (!element || element === document.body) return null;
          const box = element.getBoundingClientRect();
          const style = getComputedStyle(element);
          const ring = style.outlineStyle !== "none" || getComputedStyle(element.parentElement ?? element).boxShadow !== "none";
          const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
          const inline = element.matches("a") && style.display === "inline";
          return {
            name: element.id || element.textContent?.trim() || element.tagName,
            ring,
            uncovered: element === top || element.contains(top) || top?.contains(element) === true,
            // Links within a sentence are exempt (WCAG 2.5.8).
            small: !inline && Math.min(box.width, box.height) < 23.5,
          };
        });
        if (!at) break;
        reached += 1;
        assert.ok(at.ring, `focus is not to be seen on ${at.name}`);
        assert.ok(at.uncovered, `${at.name} is covered`);
        assert.ok(!at.small, `${at.name} is smaller than 24 px`);
      }
      assert.equal(reached, there);
      await context.close();
    });

    test(`${path}: nothing moves for who wants it so, and edges stay with forced colours`, async () => {
      const { context, page } = await visit({ reducedMotion: "reduce", forcedColors: "active" });
      await page.goto(address(path));
      assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
      const bare = await page.evaluate(() =>
        [...document.querySelectorAll("button, input:not([type=hidden]), textarea")]
          .filter((one) => one.checkVisibility() && !one.matches(".plain"))
          .filter((one) => [one, one.parentElement ?? one].every((it) => getComputedStyle(it).borderStyle === "none"))
          .map((one) => one.outerHTML.slice(0, 80)),
      );
      assert.deepEqual(bare, []);
      await context.close();
    });
  }
});
