// @ts-check
// The Privacy Centre in a real browser, against a running gateway with the built-in bot.
//
//   chatward serve --config chatward.toml, then CHATWARD_URL=http://127.0.0.1:8080 npm test
//
// As in account.test.js: CHATWARD_CHROMIUM names the browser, CHATWARD_SHOTS a folder for the pictures.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { brotliCompressSync } from "node:zlib";

import { POLICY, arrives, drawn, launch, passkeys, shoot as picture, sidewaysScroll, violations, visitor } from "./visitor.js";

const BASE = (process.env.CHATWARD_CENTRE ?? process.env.CHATWARD_URL ?? "").replace("127.0.0.1", "localhost");
/** Every page of the centre that has an address of its own. */
const PAGES = [
  "/privacy",
  "/privacy/notice",
  "/privacy/consents",
  "/privacy/data",
  "/privacy/erase",
  "/privacy/requests",
  "/privacy/looks",
  "/privacy/leak",
  "/privacy/verify",
  "/privacy/guides",
  "/privacy/guides/anonymisation",
  "/account/security",
];
/** The cookies that the notice names. */
const COOKIES = ["__Host-chatward-session", "__Host-chatward-before", "chatward", "__Host-chatward", "chatward-language", "chatward-tips", "chatward-then"];

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  assert.ok(BASE, "CHATWARD_URL must name the running gateway");
  browser = await launch();
});

after(() => browser?.close());

/**
 * A visitor with a device that holds passkeys.
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function visit(options = {}) {
  const met = await visitor(browser, [BASE], options);
  return { ...met, ...(await passkeys(met.context, met.page)) };
}

/** @param {import("playwright-core").Page} page */
async function fits(page) {
  const over = await sidewaysScroll(page);
  assert.ok(over <= 0, `${over} px of sideways scroll on ${page.url()}`);
}

/**
 * @param {import("playwright-core").Page} page
 * @param {string} name
 */
async function shoot(page, name) {
  await picture(page, `centre-${name}`, true);
}

/** @param {string} path */
const named = (path) => path.slice(1).replaceAll("/", "-");

/**
 * Writes something in the chat of this browser.
 * @param {import("playwright-core").Page} page
 * @param {string[]} texts
 */
async function chat(page, ...texts) {
  await page.goto(`${BASE}/chat`);
  for (const text of texts) {
    const status = await page.evaluate(async (text) => {
      const response = await fetch("/chat/v1/messages", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text }),
      });
      await response.text();
      return response.status;
    }, text);
    assert.equal(status, 200);
  }
}

let count = 0;

/**
 * Creates an account with a passkey, from a page of the centre, and comes back to it.
 * @param {import("playwright-core").Page} page
 * @param {string} from
 */
async function signUp(page, from = "/privacy/data") {
  await page.goto(`${BASE}${from}`);
  await page.getByRole("main").getByRole("link", { name: "Sign in or create an account" }).click();
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill(`centre-${process.pid}-${(count += 1)}`);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL("**/account/set-up");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.waitForURL(`**${from}`);
}

/** Somebody who chatted, signed up, and took the chat over. @param {import("playwright-core").BrowserContextOptions} [options] */
async function somebody(options) {
  const visitor = await visit(options);
  await chat(visitor.page, "I am Maria Weber, write to maria.weber@mail.example", "My card is 4111 1111 1111 1111 and my phone is +49 30 901820");
  await signUp(visitor.page);
  await arrives(visitor.page, () => visitor.page.getByRole("button", { name: "Add it to my account" }).click());
  return visitor;
}

/**
 * Goes with the Tab key to what is named, as somebody without a mouse does.
 * @param {import("playwright-core").Page} page
 * @param {string} name the accessible name, as it begins
 */
async function tabTo(page, name) {
  for (let n = 0; n < 80; n += 1) {
    await page.keyboard.press("Tab");
    const there = await page.evaluate(() => {
      const element = document.activeElement;
      if (!(element instanceof HTMLElement) || element === document.body) return null;
      const box = element.getBoundingClientRect();
      const outline = getComputedStyle(element).outlineStyle;
      return { text: (element.getAttribute("aria-label") ?? element.textContent ?? "").trim(), height: box.height, outline };
    });
    if (!there) continue;
    assert.notEqual(there.outline, "none", `no visible focus on ${there.text}`);
    assert.ok(there.height >= 24 || there.text.startsWith("Skip"), `${there.text} is ${there.height} px high`);
    if (there.text.startsWith(name)) return;
  }
  assert.fail(`the Tab key does not reach ${name} on ${page.url()}`);
}

describe("the Privacy Centre", () => {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    test(`has pages without a fault that axe knows, ${colorScheme}`, async () => {
      const { context, page, faults, session } = await somebody({ colorScheme });
      await page.goto(`${BASE}/privacy/requests`);
      await page.getByLabel("Have something corrected").check();
      await page.getByLabel("In your own words").fill("My street is written wrongly.\n<b>Please</b> \u202Eesrever");
      await arrives(page, () => page.getByRole("button", { name: "Send", exact: true }).click());
      for (const [language, width] of /** @type {const} */ ([["en", 1280], ["en", 320], ["ar-XB", colorScheme === "dark" ? 320 : 1280]])) {
        await page.setViewportSize({ width, height: 800 });
        await page.goto(`${BASE}/privacy?lang=${language}`);
        for (const path of PAGES) {
          const response = await page.goto(`${BASE}${path}`);
          assert.equal(response?.status(), 200, path);
          assert.equal(response?.headers()["content-security-policy"], POLICY);
          assert.deepEqual(await violations(context, page), [], `${path} at ${width}, ${language}`);
          await fits(page);
          await shoot(page, `${named(path)}-${width}-${colorScheme}-${language}`);
        }
      }
      assert.equal(await page.evaluate(() => document.documentElement.dir), "rtl");
      assert.deepEqual(faults, []);
      const stored = await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await caches.keys()).length, (await indexedDB.databases()).length]);
      assert.deepEqual(stored, [0, 0, 0, 0]);
      for (const { name } of await context.cookies()) assert.ok(COOKIES.includes(name), `${name} does not stand in the notice`);
      await context.close();
    });
  }

  test("can be read by anybody", async () => {
    const { context, page, faults, session } = await visit();
    for (const width of [1280, 320]) {
      await page.setViewportSize({ width, height: 800 });
      for (const path of PAGES.slice(0, -1)) {
        const response = await page.goto(`${BASE}${path}`);
        assert.equal(response?.status(), 200, path);
        assert.deepEqual(await violations(context, page), [], `${path} at ${width}`);
        await fits(page);
        await shoot(page, `nobody-${named(path)}-${width}`);
      }
    }
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("switches a consent in one click each way, at once, without leaving the page", async () => {
    const { context, page, faults } = await visit();
    await chat(page, "hello");
    await page.goto(`${BASE}/privacy/consents`);
    const forms = page.locator("form.choice");
    assert.equal(await forms.count(), 2, "a switch for each purpose that needs no contract");
    const form = forms.last();
    assert.deepEqual(await form.getByRole("button").allInnerTexts(), ["Yes", "No"]);
    // Not by their names: the one that counts has a mark before it.
    const [yes, no] = [form.locator('button[value="yes"]'), form.locator('button[value="no"]')];
    const sizes = await Promise.all([yes.boundingBox(), no.boundingBox()]);
    assert.equal(sizes[0]?.width, sizes[1]?.width);
    assert.equal(sizes[0]?.height, sizes[1]?.height);
    const look = (/** @type {Element} */ element) => {
      const { fontSize, fontWeight, borderWidth } = getComputedStyle(element);
      return [fontSize, fontWeight, borderWidth];
    };
    assert.deepEqual(await yes.evaluate(look), await no.evaluate(look));
    let loads = 0;
    page.on("load", () => (loads += 1));
    for (const pressed of [yes, no, yes]) {
      const started = Date.now();
      await pressed.click();
      await page.waitForFunction((button) => button?.ariaPressed === "true", await pressed.elementHandle());
      assert.ok(Date.now() - started <= 1000, `${Date.now() - started} ms`);
    }
    assert.equal(loads, 0);
    // It is so on the server, too.
    await page.reload();
    assert.equal(await yes.getAttribute("aria-pressed"), "true");
    assert.equal(await no.getAttribute("aria-pressed"), "false");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("deletes everything in four clicks and a gesture, and checks the proof without a connection", async () => {
    const { context, page, faults, session } = await somebody();
    // The shield in the chat leads to the overview: that is the first click.
    let clicks = 1;
    await page.goto(`${BASE}/privacy`);
    await page.getByRole("link", { name: "My data", exact: true }).click();
    clicks += 1;
    await page.getByRole("button", { name: "Delete everything" }).click();
    clicks += 1;
    await page.waitForURL("**/privacy/erase*");
    // No second factor was shown since the account was made: the button itself asks for the passkey. That is the gesture.
    assert.ok(await page.locator("form[data-step-up]").count());
    await page.getByRole("button", { name: "Yes, delete everything" }).click();
    clicks += 1;
    await page.getByRole("heading", { name: "Everything is deleted" }).waitFor();
    assert.ok(clicks <= 4, `${clicks} clicks`);
    assert.deepEqual(await violations(context, page), []);
    await shoot(page, "erased-1280");
    assert.match(await page.locator("[data-verify]").innerText(), /The certificate is genuine/);
    const document = (await page.locator("pre#document").textContent()) ?? "";
    assert.equal(JSON.parse(document)["dct:title"], "Certificate of erasure");

    await page.getByRole("link", { name: "Verify", exact: true }).first().click();
    await page.waitForURL("**/privacy/verify");
    await page.waitForLoadState("networkidle");
    await context.setOffline(true);
    const choose = async (/** @type {string} */ text) => {
      await page.locator("#file").setInputFiles({ name: "certificate.json", mimeType: "application/json", buffer: Buffer.from(text) });
    };
    await choose(document);
    await page.locator("#verdict.holds").waitFor();
    await choose(document.replace(/"chatward:epochAfter": (\d+)/, (_, n) => `"chatward:epochAfter": ${Number(n) + 1}`));
    await page.locator("#verdict.problem").filter({ hasText: "The signature does not fit" }).waitFor();
    await shoot(page, "verified-1280");
    await context.setOffline(false);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("shows a passkey at the moment it is needed, and leads back to where one was", async () => {
    const { context, page, faults } = await somebody();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/account/sign-in");
    await page.goto(`${BASE}/privacy/data`);
    await page.getByRole("main").getByRole("link", { name: "Sign in or create an account" }).click();
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL("**/privacy/data");
    assert.ok((await page.locator("form.correct input[name=value]").count()) >= 3);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("corrects a value in three clicks", async () => {
    const { context, page, faults } = await somebody();
    await page.goto(`${BASE}/privacy/data`);
    await page.getByRole("link", { name: "Show the values" }).click();
    await page.getByRole("button", { name: "Use your passkey" }).click();
    await page.waitForURL("**/privacy/data");
    // From here on it counts: the shield, My data, Save.
    await page.goto(`${BASE}/privacy`);
    await page.getByRole("link", { name: "My data", exact: true }).click();
    const field = page.getByRole("textbox", { name: "E-mail address" });
    assert.equal(await field.inputValue(), "maria.weber@mail.example");
    await field.fill("maria@new.example");
    await arrives(page, () => page.getByRole("button", { name: "Save E-mail address" }).click());
    assert.equal(await page.getByRole("textbox", { name: "E-mail address" }).inputValue(), "maria@new.example");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("is used with the keyboard alone", async () => {
    const { context, page, faults } = await somebody();
    await page.goto(`${BASE}/privacy`);
    await tabTo(page, "Consents");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/privacy/consents");
    await tabTo(page, "No");
    await page.keyboard.press("Enter");
    await page.locator('form.choice button[value=no][aria-pressed="true"]').first().waitFor();
    await tabTo(page, "Yes");
    await page.keyboard.press("Space");
    await page.locator('form.choice button[value=yes][aria-pressed="true"]').first().waitFor();
    await page.goto(`${BASE}/privacy/data`);
    await tabTo(page, "Show the values");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/account/step-up");
    await tabTo(page, "Use your passkey");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/privacy/data");
    await page.evaluate(() => document.querySelector('form.correct input[name="value"]')?.scrollIntoView());
    await tabTo(page, "Save");
    await page.goto(`${BASE}/privacy/data`);
    await tabTo(page, "Delete everything");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/privacy/erase*");
    await tabTo(page, "Yes, delete everything");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Everything is deleted" }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("works without JavaScript", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${BASE}/chat`);
    await page.goto(`${BASE}/privacy/requests`);
    await page.getByLabel("See what is kept about me").check();
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("We answer by").waitFor();
    await page.goto(`${BASE}/privacy/guides/anonymisation`);
    await page.getByLabel("Your text").fill("I am at jane.roe@mail.example");
    await arrives(page, () => page.getByRole("button", { name: "Show me" }).click());
    assert.match(await page.locator(".result").innerText(), /\[EMAIL_1\]/);
    await page.goto(`${BASE}/privacy/verify`);
    assert.equal(await page.locator("#here").isVisible(), false);
    await page.getByLabel("The text of the file").fill("{}");
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("This is no receipt and no certificate.").waitFor();
    await context.close();
  });

  test("is light and quick on a slow machine", async () => {
    const { context, page, session } = await somebody();
    await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    for (const path of PAGES.slice(0, -1)) {
      /** @type {Promise<number>[]} */
      const sizes = [];
      const add = (/** @type {import("playwright-core").Response} */ response) => {
        sizes.push(response.body().then((body) => (body.length === 0 ? 0 : brotliCompressSync(body).length), () => 0));
      };
      page.on("response", add);
      await page.goto(`${BASE}${path}`, { waitUntil: "networkidle" });
      page.off("response", add);
      const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
      assert.ok(bytes <= 35_000, `${path}: ${bytes} bytes`);
      // The best of three: what else the machine does is not the page's.
      let [paint, shift, nodes] = await drawn(page);
      for (let tries = 0; tries < 2 && (paint > 1200 || shift > 0.05); tries++) {
        await page.goto(`${BASE}${path}`, { waitUntil: "networkidle" });
        [paint, shift, nodes] = await drawn(page);
      }
      assert.ok(paint <= 1200, `${path}: largest paint after ${paint} ms`);
      assert.ok(shift <= 0.05, `${path}: shifted by ${shift}`);
      assert.ok(nodes <= 1500, `${path}: ${nodes} nodes`);
    }
    await context.close();
  });
});
