// @ts-check
// The chat page in a real browser, against a running gateway.
//
//   CHATWARD_URL=http://127.0.0.1:8080 npm test
//
// CHATWARD_CHROMIUM names the browser (default /usr/bin/chromium), CHATWARD_SHOTS a folder for the pictures.
// The server must run the built-in support bot. Nothing here knows how the server is started.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { POLICY, launch, shoot, unseal, violations, visitor } from "./visitor.js";

const BASE = process.env.CHATWARD_URL ?? "";

const NAME = "Anna Berg";
const CARD = "4111 1111 1111 1111";
const MESSAGE = `Hello, my name is ${NAME} and my card is ${CARD}.`;

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  assert.ok(BASE, "CHATWARD_URL must name the running gateway");
  browser = await launch();
});

after(() => browser?.close());

/**
 * A visitor of their own: a page on /chat, and everything that must not happen on it.
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @param {boolean} [open] without the channel
 */
async function visit(options = {}, open = false) {
  const { context, page, faults } = await visitor(browser, [BASE], options);
  if (open) await unseal(page);
  const response = await page.goto(`${BASE}/chat`);
  assert.equal(response?.status(), 200);
  // It asks first what was said before.
  await page.locator("#text:enabled").waitFor();
  return { context, page, faults, response };
}

/**
 * Writes a message and waits until the answer is whole.
 * @param {import("playwright-core").Page} page
 * @param {string} text
 */
async function say(page, text) {
  const answers = await page.locator("#log .bot").count();
  await page.locator("#text").fill(text);
  await page.keyboard.press("Enter");
  const answer = page.locator("#log .bot").nth(answers);
  await answer.and(page.locator('[aria-busy="false"]')).waitFor();
  return answer;
}

describe("the conversation", () => {
  test("restores what it hid, word by word, and shows what the bot received", async () => {
    const { context, page, faults } = await visit({}, true);
    await page.locator("#text").fill(MESSAGE);
    const sent = page.waitForResponse((response) => response.url().endsWith("/chat/v1/messages"));
    // Every length the answer had, to see it grow.
    await page.evaluate(() => {
      /** @type {Set<number>} */
      const lengths = new Set();
      // @ts-ignore
      window.lengths = lengths;
      new MutationObserver(() => lengths.add(document.querySelector("#log .bot .words")?.textContent?.length ?? 0)).observe(
        document.querySelector("#log") ?? document.body,
        { childList: true, subtree: true, characterData: true },
      );
    });
    await page.keyboard.press("Enter");
    const response = await sent;
    const turn = response.headers()["chatward-turn"];
    assert.match(turn ?? "", /^turn_[0-9a-f]{32}$/);

    const answer = page.locator('#log .bot[aria-busy="false"]');
    await answer.waitFor();
    const words = await answer.locator(".words").innerText();
    assert.ok(words.includes(NAME), words);
    assert.ok(words.includes("ending in 1111"), words);
    assert.doesNotMatch(words, /\[[A-Z_]+_[0-9]/);
    // @ts-ignore
    assert.ok((await page.evaluate(() => window.lengths.size)) >= 5, "the answer did not grow");
    assert.equal(await answer.locator(".problem").isVisible(), false);

    assert.match(await page.locator(".chip.protected").innerText(), /^2 items protected$/);
    await page.locator(".received summary").click();
    const exact = page.locator(".panel .exact");
    await exact.waitFor();
    const shown = (await exact.textContent()) ?? "";
    const stored = await page.evaluate(async (id) => (await fetch(`/me/v1/turns/${id}/received`)).text(), turn);
    assert.equal(shown, stored, "not byte for byte what was sent");
    assert.ok(!shown.includes(NAME) && !shown.includes(CARD) && !shown.includes("4111"), shown);
    const seen = await page.locator(".panel .seen").innerText();
    assert.match(seen, /^Hello, my name is \[[A-Z_]+_1\] and my card is \[[A-Z_]+_1 ending 1111\]\.$/);
    assert.equal(await page.locator(".panel .seen mark").count(), 2);
    assert.equal(await page.locator(".panel .legend li").count(), 2);

    await shoot(page, "chat-1280-light");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("keeps one placeholder for one value over the turns", async () => {
    const { context, page, faults } = await visit();
    await say(page, MESSAGE);
    await say(page, `Is ${CARD} still my card?`);
    const panels = page.locator(".panel .seen");
    const [first, second] = await panels.allTextContents();
    const mark = /\[[A-Z_]+_1 ending 1111\]/;
    assert.equal(second?.match(mark)?.[0], first?.match(mark)?.[0]);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("takes a secret out for good", async () => {
    const { context, page, faults } = await visit();
    const answer = await say(page, "I cannot sign in. My password is Sunflower-88, can you check it?");
    assert.match(await page.locator(".chip.removed").innerText(), /^1 item removed$/);
    assert.ok(!((await page.locator(".exact").textContent()) ?? "").includes("Sunflower"));
    assert.match(await answer.locator(".words").innerText(), /never need to tell me a password/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("stops when told to, keeps what was written, and goes on", async () => {
    const { context, page, faults } = await visit();
    await page.locator("#text").fill("What can you do?");
    await page.keyboard.press("Enter");
    await page.locator("#log .bot.started").waitFor();
    await page.locator("#stop").click();
    const answer = page.locator('#log .bot[aria-busy="false"]').first();
    await answer.waitFor();
    assert.ok((await answer.locator(".words").innerText()).length > 0);
    assert.match(await answer.locator(".problem").innerText(), /stopped/);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "text");
    await say(page, "When are you open?");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("shows hostile text as text", async () => {
    const { context, page, faults } = await visit();
    const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script> \u202Eabc {n} [PERSON_99] my name is <b>Bob</b>';
    await say(page, hostile);
    assert.equal(await page.locator("#log .you .words").textContent(), hostile);
    assert.equal(await page.locator("#log img, #log script, #log b").count(), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("speaks kindly when something goes wrong", async () => {
    const { context, page, faults } = await visit({}, true);
    const refuse = async (/** @type {number} */ status, /** @type {string} */ body) => {
      await page.route("**/chat/v1/messages", (route) =>
        route.fulfill({ status, body, contentType: "application/problem+json" }), { times: 1 });
      return (await say(page, "Hello")).locator(".problem").innerText();
    };
    assert.match(await refuse(429, '{"detail": "Quota."}'), /moment, then send your message again\.$/);
    assert.match(await refuse(401, '{"detail": "No key."}'), /allow cookies[^"]*again\.$/);
    assert.match(await refuse(413, "{}"), /too long/);
    assert.match(await refuse(403, '{"title": "It holds <a link>", "detail": "x"}'), /not passed on.*It holds <a link>\.$/);
    assert.match(await refuse(503, "no json"), /our side/);
    // It tries for a quarter of a minute first.
    await page.route("**/chat/v1/messages", (route) => route.abort());
    const lost = await say(page, "Hello");
    assert.match(await lost.locator(".problem").innerText(), /connection/);
    await page.unroute("**/chat/v1/messages");
    await lost.locator(".retry").click();
    await page.locator('#log .bot[aria-busy="false"] .words:visible').first().waitFor();
    const events = [
      'data: {"choices":[{"delta":{"content":"Half an"}}]}\n\n',
      'data: {"error":{"message":"The bot went away."}}\n\n',
    ];
    await page.route("**/chat/v1/messages", (route) =>
      route.fulfill({ status: 200, body: events.join(""), contentType: "text/event-stream" }), { times: 1 });
    const answer = await say(page, "Hello");
    assert.equal(await answer.locator(".words").innerText(), "Half an");
    assert.match(await answer.locator(".problem").innerText(), /broke off.*The bot went away/);
    assert.deepEqual(faults, []);
    await context.close();
  });
});

describe("the page", () => {
  test("carries the policy, and the policy bites", async () => {
    const { context, page, faults, response } = await visit();
    assert.equal(response?.headers()["content-security-policy"], POLICY);
    // Negative control: what is forbidden must be reported, else "no reports" means nothing.
    await page.evaluate(() => {
      const script = document.createElement("script");
      try {
        script.textContent = "window.ran = true";
      } catch {
        // Trusted Types stopped it even earlier.
      }
      document.body.append(script);
      document.body.setAttribute("style", "color: red");
    });
    await page.waitForTimeout(100);
    assert.ok(faults.some((fault) => fault.startsWith("CSP:")), "the policy reports nothing");
    // @ts-ignore
    assert.equal(await page.evaluate(() => window.ran), undefined);
    await context.close();
  });

  test("says first that this is a bot, and says so on", async () => {
    const { context, page } = await visit();
    assert.match(await page.locator("#bot-notice").innerText(), /bot, not a person/);
    assert.match((await page.locator("#text").getAttribute("aria-describedby")) ?? "", /bot-notice/);
    for (let i = 0; i < 4; i++) await say(page, "What can you do?");
    const box = await page.locator("#bot-notice").boundingBox();
    assert.ok(box && box.y >= 0 && box.y < 100, "the notice scrolled away");
    await context.close();
  });

  test("adds one node to the log for a message and touches no older one", async () => {
    const { context, page } = await visit();
    await say(page, "Hello");
    await page.evaluate(() => {
      const log = document.querySelector("#log");
      const old = new Set(log?.querySelectorAll("*"));
      // @ts-ignore
      window.log = { added: 0, touched: 0 };
      new MutationObserver((changes) => {
        for (const change of changes) {
          // @ts-ignore
          if (change.target === log) window.log.added += change.addedNodes.length;
          // @ts-ignore
          else if (old.has(change.target)) window.log.touched += 1;
        }
      }).observe(log ?? document, { childList: true, subtree: true, characterData: true, attributes: true });
    });
    await say(page, "When are you open?");
    // @ts-ignore
    assert.deepEqual(await page.evaluate(() => window.log), { added: 2, touched: 0 });
    await context.close();
  });

  test("works with the keyboard alone, focus in sight", async () => {
    const { context, page, faults } = await visit({ viewport: { width: 360, height: 740 } });
    /** @type {string[]} */
    const walk = [];
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const box = element.getBoundingClientRect();
        const style = getComputedStyle(element);
        const ring = style.outlineStyle !== "none" || getComputedStyle(element.parentElement ?? element).boxShadow !== "none";
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return {
          name: element.id || element.className || element.textContent?.trim(),
          seen: ring && (element === top || element.contains(top) || top?.contains(element)),
          size: Math.min(box.width, box.height),
        };
      });
      if (!at) break;
      walk.push(String(at.name));
      assert.ok(at.seen, `focus is not to be seen on ${at.name}`);
      assert.ok(at.size >= 24, `${at.name} is smaller than 24 px`);
    }
    assert.deepEqual(walk.slice(0, 4), ["skip", "shield-open", "tool wide", "Try an example"]);
    assert.deepEqual(walk.slice(-2), ["text", "send"]);
    assert.equal(new Set(walk).size, walk.length);

    await page.locator("#text").focus();
    await page.keyboard.type(MESSAGE);
    await page.keyboard.press("Enter");
    await page.locator('#log .bot[aria-busy="false"]').waitFor();
    await page.locator("#text").focus();
    // Back over what can be done with the answer and the message.
    let at = "";
    for (let i = 0; i < 8 && !/What the bot received/.test(at); i++) {
      await page.keyboard.press("Shift+Tab");
      at = (await page.evaluate(() => document.activeElement?.textContent)) ?? "";
    }
    assert.match(at, /What the bot received/);
    await page.keyboard.press("Enter");
    await page.locator(".panel .exact").waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    test(`has no fault that axe knows, ${colorScheme}`, async () => {
      const { context, page, faults } = await visit({ colorScheme });
      assert.deepEqual(await violations(context, page), []);
      await shoot(page, `start-1280-${colorScheme}`);
      await say(page, MESSAGE);
      await say(page, "I cannot sign in. My password is Sunflower-88, can you check it?");
      for (const summary of await page.locator(".received summary").all()) await summary.click();
      await page.route("**/chat/v1/messages", (route) => route.fulfill({ status: 503, body: "" }), { times: 1 });
      await say(page, "Hello");
      assert.deepEqual(await violations(context, page), []);
      await shoot(page, `talk-1280-${colorScheme}`);
      await page.setViewportSize({ width: 360, height: 740 });
      assert.deepEqual(await violations(context, page), []);
      await page.evaluate(() => document.querySelector(".received")?.scrollIntoView());
      await shoot(page, `talk-360-${colorScheme}`);
      await page.reload();
      await shoot(page, `start-360-${colorScheme}`);
      assert.deepEqual(faults, []);
      await context.close();
    });
  }

  test("fits a narrow screen and large text", async () => {
    const { context, page } = await visit({ viewport: { width: 320, height: 640 } });
    await say(page, `${MESSAGE} ${"long".repeat(60)}`);
    await page.locator(".received summary").click();
    for (const size of ["100%", "200%"]) {
      await page.evaluate((size) => document.documentElement.style.setProperty("font-size", size), size);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${over} px of sideways scroll at ${size}`);
    }
    await context.close();
  });

  test("moves nothing when asked not to", async () => {
    const { context, page } = await visit({ reducedMotion: "reduce" });
    await page.route("**/chat/v1/messages", () => {}, { times: 1 });
    await page.locator("#text").fill("Hello");
    await page.keyboard.press("Enter");
    await page.locator(".dots").waitFor();
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await context.close();
  });

  test("says without JavaScript why it cannot", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${BASE}/chat`);
    assert.match(await page.locator("main").innerText(), /This chat needs JavaScript/);
    assert.equal(await page.locator("#form").isVisible(), false);
    await context.close();
  });

  test("leaves nothing behind in the browser but its cookie", async () => {
    const { context, page } = await visit();
    await say(page, MESSAGE);
    const kept = await page.evaluate(async () => [
      localStorage.length,
      sessionStorage.length,
      (await caches.keys()).length,
      (await indexedDB.databases()).length,
    ]);
    assert.deepEqual(kept, [0, 0, 0, 0]);
    for (const cookie of await context.cookies()) {
      assert.ok(cookie.httpOnly && cookie.sameSite === "Strict", `${cookie.name} is open to scripts or other sites`);
    }
    await context.close();
  });
});
