// @ts-check
// The chat inside of another site, and what the page does with consent, files, flags, lost connections and people.
//
//   CHATWARD=target/debug/chatward npm test
//
// It starts gateways of its own, with TLS and the built-in bot. As in chat.test.js: CHATWARD_CHROMIUM names the browser,
// CHATWARD_SHOTS a folder for the pictures.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { brotliCompressSync } from "node:zlib";

import { freePort, launch, shoot, unseal, violations, visitor } from "./visitor.js";

const PROGRAM = process.env.CHATWARD ?? "";
const STATIC = new URL("../../crates/chatward/static/", import.meta.url);
const CARD = "4111 1111 1111 1111";
const PURPOSES = `
[purposes.training]
text.en = "May we teach our bot with what you write? Your details are hidden in it."
text.de = "Dürfen wir unseren Bot mit dem schulen, was Sie schreiben?"
keep = { interaction = "30d" }
[purposes.quality]
basis = "legitimate-interest"
text.en = "People of the house read some conversations to make answers better."
`;

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("node:http").Server} */
let shop;
/** @type {{ url: string, stop: () => Promise<void> }} */
let gateway;
let SHOP = "";

/**
 * A gateway with TLS and the built-in bot.
 * @param {string} more of its configuration
 */
async function start(more) {
  const folder = await mkdtemp(join(tmpdir(), "chatward-widget-"));
  const config = join(folder, "chatward.toml");
  await writeFile(config, `[tls]\nmode = "development"\n[limits]\nper_address = 0\n${more}`);
  const port = await freePort();
  const args = ["serve", "--config", config, "--data", join(folder, "data"), "--keys", join(folder, "keys")];
  args.push("--listen", `127.0.0.1:${port}`, "--private", `127.0.0.1:${await freePort()}`);
  const program = spawn(PROGRAM, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  await new Promise((ready, failed) => {
    const hear = (/** @type {Buffer} */ text) => {
      said += text;
      if (said.includes("Private:")) ready(undefined);
    };
    program.stdout.on("data", hear);
    program.stderr.on("data", hear);
    program.on("exit", () => failed(new Error(said)));
  });
  const stop = async () => {
    const gone = new Promise((done) => program.on("exit", done));
    program.kill("SIGTERM");
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  return { url: `https://localhost:${port}`, stop };
}

before(async () => {
  assert.ok(PROGRAM, "CHATWARD must name the program");
  // The site around: another origin, with the strictest policy that lets the chat in. `/loose` leaves the frame out.
  shop = createServer((request, response) => {
    if (request.url === "/favicon.ico") return void response.writeHead(204).end();
    const frames = request.url === "/without" ? "" : `; frame-src ${gateway.url}`;
    response.setHeader("content-security-policy", `default-src 'none'; script-src ${gateway.url}${frames}`);
    response.setHeader("content-type", "text/html; charset=utf-8");
    const inline = request.url === "/inline" ? "<script>window.ran = true</script><p style='color: red'>x</p>" : "";
    const lang = request.url === "/de" ? ' data-lang="de" data-title="Hilfe"' : "";
    response.end(`<!doctype html><html lang="en"><head><title>A shop</title></head><body><main><h1>A shop</h1>
      <p>Much to buy.</p><button id="buy">Buy</button></main>${inline}
      <script src="${gateway.url}/embed.js" async${lang}></script></body></html>`);
  });
  await new Promise((done) => shop.listen(0, "127.0.0.1", () => done(undefined)));
  SHOP = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (shop.address()).port}`;
  gateway = await start(`[widget]\nhost_origins = ["${SHOP}"]\n${PURPOSES}\n[[threats.responses]]\nat = 0.5\nresponse = "warn"\n`);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  shop?.close();
  await gateway?.stop();
});

/**
 * A visitor of their own, and everything that must not happen.
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function visit(url, options = {}, open = false) {
  // What its own style sheet draws comes from no other site.
  const ours = [gateway.url, SHOP, "null"];
  const { context, page, faults } = await visitor(browser, ours, { ignoreHTTPSErrors: true, ...options });
  if (open) await unseal(page);
  await page.goto(url);
  return { context, page, faults };
}

/** @typedef {import("playwright-core").Page | import("playwright-core").Frame} Place */

/**
 * Answers the question that stands before the first message.
 * @param {Place} place
 */
async function decide(place) {
  await place.locator("#asked .choice").first().click();
  await place.locator("#consent").waitFor({ state: "hidden" });
}

/**
 * Writes a message and waits until the answer is whole.
 * @param {Place} place
 * @param {string} text
 */
async function say(place, text) {
  const answers = await place.locator("#log .bot").count();
  await place.locator("#text").fill(text);
  await place.locator("#text").press("Enter");
  const answer = place.locator("#log .bot").nth(answers);
  await answer.and(place.locator('[aria-busy="false"]')).waitFor();
  return answer;
}

/** A page of its own, with the question answered. @param {import("playwright-core").BrowserContextOptions} [options] @param {boolean} [open] without the channel */
async function chat(options = {}, open = false) {
  const visitor = await visit(`${gateway.url}/chat`, options, open);
  await decide(visitor.page);
  return visitor;
}

/**
 * The chat inside of the shop, opened.
 * @param {import("playwright-core").Page} page
 */
async function opened(page) {
  await page.locator("body > div").waitFor({ state: "attached" });
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement?.tagName === "DIV")) break;
  }
  await page.keyboard.press("Enter");
  return frameOf(page);
}

/** @param {import("playwright-core").Page} page */
async function frameOf(page) {
  for (let i = 0; i < 100; i++) {
    const frame = page.frames().find((one) => one.url().includes("/widget"));
    if (frame && (await frame.locator("#form").count().catch(() => 0))) return frame;
    await page.waitForTimeout(50);
  }
  throw new Error("no frame");
}

/** What the browser keeps. @param {Place} place */
function kept(place) {
  return place.evaluate(async () => {
    const empty = async (/** @type {() => unknown} */ ask) => {
      try {
        return await ask();
      } catch {
        return 0;
      }
    };
    return [
      await empty(() => localStorage.length),
      await empty(() => sessionStorage.length),
      await empty(async () => (await caches.keys()).length),
      await empty(async () => (await indexedDB.databases()).length),
    ];
  });
}

describe("inside of another site", () => {
  test("opens, talks and closes under the site's strict policy, by the keyboard alone", async () => {
    const { context, page, faults } = await visit(SHOP);
    assert.equal(page.frames().length, 1, "something was loaded before anybody asked");
    const frame = await opened(page);
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), "DIV", "the focus is not in the chat");
    await frame.locator("#asked .choice").first().waitFor();
    assert.deepEqual(await violations(context, page), []);
    assert.deepEqual(await violations(context, frame), []);
    await shoot(page, "widget-consent-1280");
    // Keyboard: to the first answer, and on to the field.
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press("Tab");
      if (await frame.evaluate(() => document.activeElement?.classList.contains("choice"))) break;
    }
    await page.keyboard.press("Enter");
    await frame.locator("#consent").waitFor({ state: "hidden" });
    assert.equal(await frame.evaluate(() => document.activeElement?.id), "text");
    await page.keyboard.type(`My card is ${CARD}`);
    await page.keyboard.press("Enter");
    await frame.locator('#log .bot[aria-busy="false"]').waitFor();
    assert.match(await frame.locator(".chip.protected").innerText(), /^1 item protected$/);
    assert.deepEqual(await violations(context, frame), []);
    await shoot(page, "widget-talk-1280");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.activeElement?.tagName === "DIV");
    assert.equal(await frame.evaluate(() => document.hasFocus()), false);
    // And open again, with what was said.
    await page.keyboard.press("Enter");
    await page.waitForTimeout(100);
    assert.equal(await frame.evaluate(() => document.activeElement?.id), "text");
    assert.equal(await frame.locator("#log .you").count(), 1);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("leads into the Privacy Centre as who writes there, though the browser keeps both apart", async () => {
    const { context, page, faults } = await visit(SHOP);
    const frame = await opened(page);
    await decide(frame);
    await say(frame, "My name is Maria Weber");
    await frame.locator("#shield-open").click();
    const opens = context.waitForEvent("page");
    await frame.getByRole("link", { name: "My data" }).click();
    const centre = await opens;
    await centre.locator(".talk").first().waitFor();
    assert.equal(new URL(centre.url()).pathname, "/privacy/data");
    assert.equal(await centre.evaluate(() => window.opener), null);
    assert.equal(await centre.locator(".talk").count(), 1, await centre.locator("main").innerText());
    assert.deepEqual(await violations(context, centre), []);
    // The way back to one's own chat: the window's page goes on with the same conversation.
    await centre.goto(`${gateway.url}/chat`);
    await centre.locator("#log .you").waitFor();
    assert.match(await centre.locator("#log .you").innerText(), /Maria Weber/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("needs what the documents say of the site's policy, and no less", async () => {
    const without = await visit(`${SHOP}/without`);
    await without.page.locator("body > div").waitFor({ state: "attached" });
    await without.page.locator("#buy").focus();
    await without.page.keyboard.press("Tab");
    await without.page.keyboard.press("Enter");
    await without.page.waitForTimeout(300);
    assert.ok(without.faults.some((fault) => fault.startsWith("CSP: frame-src") || fault.startsWith("CSP: default-src")), "the policy does not bite");
    await without.context.close();
    const inline = await visit(`${SHOP}/inline`);
    await inline.page.waitForTimeout(200);
    assert.ok(inline.faults.some((fault) => fault.startsWith("CSP: script-src")), inline.faults.join());
    assert.ok(inline.faults.some((fault) => fault.startsWith("CSP: style-src")), inline.faults.join());
    await inline.context.close();
  });

  test("is shown nowhere but where the house allows it", async () => {
    const { context, page } = await visit(SHOP);
    const stranger = createServer((_, response) => {
      response.setHeader("content-type", "text/html");
      response.end(`<title>x</title><iframe src="${gateway.url}/widget"></iframe><iframe src="${gateway.url}/chat"></iframe>`);
    });
    await new Promise((done) => stranger.listen(0, "127.0.0.1", () => done(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (stranger.address());
    await page.goto(`http://127.0.0.1:${port}`);
    await page.waitForTimeout(500);
    for (const frame of page.frames().slice(1)) assert.equal(await frame.locator("#form").count().catch(() => 0), 0);
    stranger.close();
    await context.close();
  });

  test("keeps one cookie, apart for each site, and nothing else", async () => {
    const { context, page } = await visit(SHOP);
    const frame = await opened(page);
    await decide(frame);
    await say(frame, `My card is ${CARD}`);
    assert.deepEqual(await kept(frame), [0, 0, 0, 0]);
    assert.deepEqual(await kept(page), [0, 0, 0, 0]);
    const cookies = await context.cookies();
    assert.deepEqual(cookies.map((cookie) => cookie.name), ["__Host-chatward"]);
    for (const cookie of cookies) {
      assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === "None", JSON.stringify(cookie));
      assert.ok(cookie.partitionKey, "not kept apart");
    }
    // The page of its own is another browser to us.
    await page.goto(`${gateway.url}/chat`);
    await decide(page);
    assert.equal(await page.locator("#log .you").count(), 0);
    await context.close();
  });

  test("speaks the site's language, and fits a telephone", async () => {
    const { context, page, faults } = await visit(`${SHOP}/de`, { viewport: { width: 360, height: 740 }, colorScheme: "dark" });
    const frame = await opened(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    assert.equal(await frame.evaluate(() => document.documentElement.lang), "de");
    assert.match(await frame.locator("#bot-notice").innerText(), /Bot, nicht mit einem Menschen/);
    await decide(frame);
    await say(frame, `Meine Karte ist ${CARD}`);
    assert.ok(await frame.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    assert.deepEqual(await violations(context, frame), []);
    await shoot(page, "widget-360-dark");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("hears nobody but its site, and its site nobody else", async () => {
    const { context, page } = await visit(SHOP);
    const frame = await opened(page);
    // A message that looks like the chat's, from the site's own window: the chat stays open.
    await page.evaluate(() => postMessage("chatward:close", "*"));
    await page.waitForTimeout(100);
    assert.equal(await frame.evaluate(() => innerHeight > 0), true);
    // And one from the chat's frame to itself: nobody focuses anything.
    await frame.locator("#shield-open").focus();
    await frame.evaluate(() => postMessage("chatward:open", "*"));
    await page.waitForTimeout(100);
    assert.equal(await frame.evaluate(() => document.activeElement?.id), "shield-open");
    await context.close();
  });
});

describe("the page", () => {
  test("asks before the first message, and no is as easy as yes", async () => {
    const { context, page, faults } = await visit(`${gateway.url}/chat`);
    const choices = page.locator("#asked .choice");
    await choices.first().waitFor();
    assert.equal(await choices.count(), 2);
    assert.equal(await page.locator("#text").isDisabled(), true);
    const looks = await choices.evaluateAll((buttons) => buttons.map((button) => {
      const { width, height } = button.getBoundingClientRect();
      const { color, backgroundColor, fontWeight, fontSize, borderColor, borderWidth } = getComputedStyle(button);
      return JSON.stringify([Math.round(width), Math.round(height), color, backgroundColor, fontWeight, fontSize, borderColor, borderWidth]);
    }));
    assert.equal(looks[0], looks[1]);
    await shoot(page, "consent-1280-light");
    await choices.first().click();
    await page.locator("#consent").waitFor({ state: "hidden" });
    const receipts = await page.evaluate(async () => (await fetch("/me/v1/receipts")).json());
    assert.equal(receipts.length, 1);
    await page.reload();
    await page.locator("#text:enabled").waitFor();
    assert.equal(await page.locator("#consent").isVisible(), false, "asked twice");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("switches a purpose in two clicks, both ways, without a reload", async () => {
    const { context, page, faults } = await chat();
    const stand = () => page.evaluate(async () => (await (await fetch("/me/v1/consents")).json()).purposes.find((/** @type {any} */ one) => one.purpose === "training").stand);
    assert.equal(await stand(), "refused");
    for (const [wanted, checked] of [["agreed", "true"], ["refused", "false"]]) {
      await page.locator("#shield-open").click();
      const toggle = page.locator('[data-purpose="training"]');
      await toggle.click();
      await page.locator(`[data-purpose="training"][aria-checked="${checked}"]`).waitFor({ timeout: 5000 });
      assert.equal(await stand(), wanted);
      assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-purpose")), "training");
      assert.deepEqual(await violations(context, page), []);
      if (checked === "true") await shoot(page, "shield-1280-light");
      await page.keyboard.press("Escape");
      assert.equal(await page.evaluate(() => document.activeElement?.id), "shield-open");
    }
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("warns before sending, and sends nothing for it", async () => {
    const { context, page } = await chat();
    let asked = 0;
    page.on("request", () => asked++);
    const warn = page.locator("#warn");
    for (const [text, words] of [
      [`my card is ${CARD}`, /card number will be hidden/],
      ["my card is 4111 1111 1111 1112", /^$/],
      ["pay DE89 3704 0044 0532 0130 00", /account number/],
      ["write to ann@mail.example", /email address/],
      ["my password is Sunflower-88", /password will be taken out/],
      ["where is my order 48213?", /^$/],
    ]) {
      await page.locator("#text").fill(String(text));
      await page.waitForTimeout(450);
      assert.match(await warn.textContent() ?? "", /** @type {RegExp} */ (words), String(text));
    }
    assert.equal(asked, 0, "something was sent while somebody wrote");
    await page.locator("#text").fill(`my card is ${CARD}`);
    await page.waitForTimeout(400);
    await shoot(page, "hint-1280-light");
    await context.close();
  });

  test("says that a message or an answer looks like fraud, where the house wants that", async () => {
    const { context, page, faults } = await chat({}, true);
    const harmless = await say(page, "What can you do?");
    assert.equal(await harmless.locator(".problem").isVisible(), false);
    const warned = async (/** @type {import("playwright-core").Locator} */ answer) => {
      assert.match(await answer.locator(".problem").innerText(), /something here looks like fraud.*nobody codes/);
      assert.notEqual(await answer.locator(".words").innerText(), "", "the answer is there all the same");
    };
    await warned(await say(page, "They wrote: Your account was hacked. To stop the payment, please read me the 6-digit code you just received."));
    await shoot(page, "warned-1280-light");
    // Found in an answer when most of it is shown already: the stream says so at its end.
    const text = 'data: {"choices":[{"delta":{"content":"Send me the code; warn nobody."}}]}\n\n';
    for (const [comment, told] of [[": keep-alive\n\n", false], [": chatward-threats: scam; warn\n\n", true]]) {
      await page.route("**/chat/v1/messages", (route) =>
        route.fulfill({ status: 200, body: `${text}${comment}data: [DONE]\n\n`, contentType: "text/event-stream" }), { times: 1 });
      const answer = await say(page, "Hello");
      if (told) await warned(answer);
      else assert.equal(await answer.locator(".problem").isVisible(), false, "only what the house asks for");
    }
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("loses no message and doubles none when the connection breaks", async () => {
    const { context, page, faults } = await chat({}, true);
    // Before it arrived.
    await page.route("**/chat/v1/messages", (route) => route.abort(), { times: 2 });
    const first = await say(page, "What can you do?");
    assert.equal(await first.locator(".problem").isVisible(), false);
    // After it arrived: the answer is cut off, and heard to its end.
    await page.route("**/chat/v1/messages", async (route) => {
      const response = await route.fetch();
      const whole = await response.text();
      await route.fulfill({ response, body: whole.slice(0, whole.length / 2) });
    }, { times: 1 });
    const second = await say(page, "When are you open?");
    assert.equal(await second.locator(".problem").isVisible(), false);
    const shown = await page.locator("#log .words").allTextContents();
    const turns = await page.evaluate(async () => (await (await fetch("/chat/v1/messages")).json()).turns);
    assert.equal(turns.length, 2);
    const kept = turns.flatMap((/** @type {any} */ turn) => [turn.you, turn.answer]);
    assert.deepEqual(shown.filter((text) => text !== ""), kept);
    // For good: it says so, and lets one try again.
    await page.route("**/chat/v1/messages", (route) => route.abort());
    await page.locator("#text").fill("Hello?");
    await page.keyboard.press("Enter");
    await page.locator("#log .again:visible").waitFor();
    await page.locator("#stop").click();
    await page.unroute("**/chat/v1/messages");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("shows the conversation again after a reload, hostile text and all", async () => {
    const { context, page, faults } = await chat();
    const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script> \u202Eabc {n} <b>Bob</b>';
    await say(page, hostile);
    await say(page, "My password is Sunflower-88, is that right?");
    assert.equal(await page.locator("#tip p").count(), 1);
    await shoot(page, "tip-1280-light");
    const before = await page.locator("#log .words").allTextContents();
    await page.reload();
    await page.locator("#log .bot").nth(1).waitFor();
    const after = await page.locator("#log .words").allTextContents();
    assert.equal(after[0], hostile);
    assert.deepEqual([after[1], after[3]], [before[1], before[3]]);
    assert.ok(!after[2]?.includes("Sunflower"), after[2]);
    assert.match(await page.locator(".chip.removed:visible").innerText(), /^1 item removed$/);
    assert.equal(await page.locator("#log img, #log script, #log b").count(), 0);
    assert.deepEqual(await violations(context, page), []);
    // One tip in a conversation, not one more.
    await say(page, "My password is Moonflower-88, is that right?");
    assert.equal(await page.locator("#tip p").count(), 0);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("gives no tips where none are wanted", async () => {
    const { context, page } = await chat();
    await page.locator("#shield-open").click();
    await page.locator("#tips").click();
    await page.locator('#tips[aria-checked="false"]').waitFor();
    // The switch turns before the gateway has noted it.
    const noted = async () => (await context.cookies()).some((cookie) => cookie.name === "chatward-tips");
    for (const end = Date.now() + 10_000; !(await noted()) && Date.now() < end; ) await page.waitForTimeout(20);
    await page.reload();
    await page.locator("#text:enabled").waitFor();
    await say(page, "My password is Sunflower-88, is that right?");
    assert.equal(await page.locator("#tip p").count(), 0);
    assert.deepEqual((await context.cookies()).map((cookie) => cookie.name).sort(), ["__Host-chatward", "chatward-tips"]);
    await context.close();
  });

  test("takes a report in two clicks, and says that it came", async () => {
    const { context, page, faults } = await chat();
    const answer = await say(page, "When are you open?");
    await answer.locator("summary.act").click();
    assert.deepEqual(await violations(context, page), []);
    await shoot(page, "flag-1280-light");
    await answer.locator('[data-reason="untrue"]').click();
    await answer.locator(".flag .state", { hasText: "Received" }).waitFor();
    const flags = await page.evaluate(async () => (await fetch("/me/v1/flags")).json());
    assert.equal(flags.length, 1);
    assert.equal(flags[0].flag.reason, "untrue");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("takes files that hold text, and says no to others", async () => {
    const { context, page, faults } = await chat();
    const answers = page.locator('#log .bot[aria-busy="false"]');
    const attach = (/** @type {string} */ name, /** @type {string} */ text) =>
      page.locator("#file").setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(text) });
    await attach("Brief an Zürich.txt", `My card is ${CARD}`);
    await answers.first().waitFor();
    assert.match(await page.locator(".you .words").first().innerText(), /Brief an Zürich\.txt/);
    assert.match(await page.locator(".chip.protected").first().innerText(), /^1 item protected$/);
    await attach("a.exe", "MZ");
    await answers.nth(1).waitFor();
    assert.match(await answers.nth(1).locator(".problem").innerText(), /kind of file is not accepted/);
    await page.reload();
    await page.locator(".whole summary", { hasText: "Zürich" }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("says when a person takes over, aloud and in the badge, and when the bot is back", async () => {
    const { context, page, faults } = await chat({}, true);
    let who = "person";
    await page.route("**/chat/v1/state", (route) => route.fulfill({ json: { answers: who, wrote: 5 } }));
    await page.route("**/chat/v1/messages?after=*", (route) =>
      route.fulfill({ json: { answers: who, turns: [], said: [{ id: "1", at: 5, text: "This is Eve." }], tips: true } }));
    await page.locator('#bot-notice[data-answers="person"]').waitFor({ timeout: 10_000 });
    assert.match(await page.locator("#answers").innerText(), /person answers here now/);
    assert.match(await page.locator("#news").innerText(), /person answers here now/);
    await page.locator(".person .words", { hasText: "This is Eve." }).waitFor();
    assert.deepEqual(await violations(context, page), []);
    await shoot(page, "person-1280-light");
    who = "bot";
    await page.locator('#bot-notice[data-answers="bot"]').waitFor({ timeout: 10_000 });
    assert.match(await page.locator("#news").innerText(), /talking to a bot/);
    assert.equal(await page.locator(".person").count(), 1, "told twice");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("adds one node to the log for a message and touches no older one", async () => {
    const { context, page } = await chat();
    await say(page, "Hello");
    await page.waitForTimeout(200);
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

  for (const [name, options, lang] of /** @type {[string, import("playwright-core").BrowserContextOptions, string][]} */ ([
    ["light", {}, "en"],
    ["dark", { colorScheme: "dark" }, "en"],
    ["narrow", { viewport: { width: 320, height: 640 } }, "en"],
    ["rtl", { viewport: { width: 360, height: 740 } }, "ar-XB"],
    ["rtl-wide-dark", { colorScheme: "dark" }, "ar-XB"],
    ["forced", { forcedColors: "active" }, "en"],
    ["long words", { viewport: { width: 360, height: 740 } }, "en-XA"],
  ])) {
    test(`has no fault that axe knows and no sideways scroll: ${name}`, async () => {
      const { context, page, faults } = await visit(`${gateway.url}/chat?lang=${lang}`, options);
      const check = async (/** @type {string} */ what) => {
        assert.deepEqual(await violations(context, page), [], what);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${what}: ${over} px of sideways scroll`);
        await shoot(page, `${what}-${name.replace(" ", "-")}`);
      };
      await page.locator("#asked .choice").first().waitFor();
      await check("question");
      await decide(page);
      await check("start");
      await say(page, `Hello, my card is ${CARD} and my mail is anna.berg@example.org`);
      await page.locator(".received summary").click();
      await page.locator("summary.act").last().click();
      await check("talk");
      await page.locator("#shield-open").click();
      await check("shield");
      assert.deepEqual(faults, []);
      await context.close();
    });
  }

  test("weighs little", async () => {
    const weigh = (/** @type {Buffer} */ bytes) => brotliCompressSync(bytes).length;
    const embed = await readFile(new URL("embed.js", STATIC));
    assert.ok(weigh(embed) <= 2048, `embed.js: ${weigh(embed)} bytes`);
    const { context, page } = await visit(`${gateway.url}/chat`);
    const urls = await page.evaluate(() => [location.href, ...[...document.querySelectorAll("link[href], script[src]")].map((one) => one.getAttribute("href") ?? one.getAttribute("src") ?? "")]);
    let all = 0;
    for (const url of new Set(urls)) all += weigh(await (await context.request.get(new URL(url, gateway.url).href)).body());
    assert.ok(all <= 45_000, `${all} bytes`);
    assert.ok((await readdir(STATIC)).length > 10);
    console.log(`embed.js ${weigh(embed)} bytes, the whole page ${all} bytes (brotli)`);
    await context.close();
  });
});
