// @ts-check
// Signing in and the own account in a real browser, with its virtual authenticator, against a running gateway.
//
//   CHATWARD_URL=http://127.0.0.1:8080 npm test
//
// As in chat.test.js: CHATWARD_CHROMIUM names the browser, CHATWARD_SHOTS a folder for the pictures. With CHATWARD_PRIVATE
// (the private listener) and CHATWARD_ADMIN (the token of the first start) the staff's pages are driven as well.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { arrives, launch, passkeys, shoot, sidewaysScroll, violations, visitor } from "./visitor.js";

/** Passkeys are made for a name, so the pages are asked for under this machine's. */
const named = (/** @type {string} */ url) => url.replace("127.0.0.1", "localhost");
const BASE = named(process.env.CHATWARD_URL ?? "");
const PRIVATE = named(process.env.CHATWARD_PRIVATE ?? "");
const ADMIN = process.env.CHATWARD_ADMIN ?? "";

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
 * @param {boolean} [offers] whether the browser offers passkeys by itself
 */
async function visit(options = {}, offers = false) {
  const met = await visitor(browser, PRIVATE ? [BASE, PRIVATE] : [BASE], options);
  return { ...met, ...(await passkeys(met.context, met.page, offers)) };
}

/** @param {import("playwright-core").Page} page */
async function fits(page) {
  const over = await sidewaysScroll(page);
  assert.ok(over <= 0, `${over} px of sideways scroll on ${page.url()}`);
}

let count = 0;

/**
 * Signs up with a passkey.
 * @param {import("playwright-core").Page} page
 */
async function signUp(page) {
  const name = `ann-${process.pid}-${(count += 1)}`;
  await page.goto(`${BASE}/account/sign-in`);
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL("**/account/set-up");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.waitForURL("**/account/security");
  return name;
}

describe("customers", () => {
  test("sign up, leave, and come back with one click and the device", async () => {
    const { context, page, faults, session, authenticatorId } = await visit();
    const name = await signUp(page);
    const { credentials } = await session.send("WebAuthn.getCredentials", { authenticatorId });
    assert.equal(credentials.length, 1);
    assert.equal(credentials[0]?.isResidentCredential, true);
    for (const cookie of await context.cookies()) {
      if (!cookie.name.startsWith("__Host-")) continue;
      assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === "Lax", JSON.stringify(cookie));
      assert.equal(cookie.path, "/");
    }
    await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
    await page.waitForURL("**/account/sign-in");

    let clicks = 0;
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    clicks += 1;
    await page.waitForURL("**/account/security");
    assert.ok(clicks + 1 <= 2, "one click, and the device's own");
    assert.match(await page.locator("main").innerText(), new RegExp(name));
    // A passkey is enough: nothing is asked for before something is changed.
    await page.getByRole("button", { name: "Make recovery codes" }).click();
    await page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
    assert.equal(await page.locator(".codes li").count(), 10);
    await page.getByRole("link", { name: "I have kept them" }).click();
    assert.match(await page.locator("main").innerText(), /10 are left/);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("are offered their passkeys by the browser itself", async () => {
    const { context, page, faults } = await visit({}, true);
    await signUp(page);
    // Without a click on the page: the device answers what the browser offers beside the field.
    const back = page.waitForResponse((response) => response.url().endsWith("/me/v1/sign-in/passkey"));
    await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
    assert.equal((await back).status(), 200);
    await page.waitForURL("**/account/security");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("are told in words when the device says no, and can try again", async () => {
    const { context, page, faults, session, authenticatorId } = await visit();
    await signUp(page);
    await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
    await page.waitForURL("**/account/sign-in");
    await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.locator('[role="alert"]').filter({ hasText: "No passkey was used" }).waitFor();
    assert.deepEqual(await violations(context, page), []);
    await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL("**/account/security");
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("add a passkey in two clicks and a gesture, and come back with a recovery code in five steps", async () => {
    const { context, page, faults, session, authenticatorId } = await visit();
    const name = await signUp(page);
    // Whoever showed a factor within ten minutes, from the overview of the Privacy Centre.
    await page.goto(`${BASE}/account/step-up`);
    await page.getByRole("button", { name: "Use your passkey" }).click();
    await page.waitForURL("**/account/security");
    await page.goto(`${BASE}/privacy`);
    let clicks = 0;
    const press = async (/** @type {import("playwright-core").Locator} */ place) => {
      await place.click();
      clicks += 1;
    };
    await press(page.getByRole("link", { name: "Sign-in and devices" }).first());
    await page.waitForURL("**/account/security");
    // The same device holds one passkey for an account: this is another.
    await session.send("WebAuthn.clearCredentials", { authenticatorId });
    const held = page.locator('section[aria-labelledby="passkeys"] li');
    assert.equal(await held.count(), 1);
    // The page comes anew by itself: what is asked for before that would be broken off.
    await arrives(page, () => press(page.getByRole("button", { name: "Add a passkey" })));
    assert.equal(await held.count(), 2);
    assert.ok(clicks <= 2, `${clicks} clicks`);

    await page.goto(`${BASE}/account/security`);
    await page.getByRole("button", { name: "Make recovery codes" }).click();
    await page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
    const code = (await page.locator("main").innerText()).match(/[0-9a-z]{4}(?:-[0-9a-z]{4}){2,}/i)?.[0];
    assert.ok(code, await page.locator("main").innerText());
    await page.goto(`${BASE}/account/security`);
    await page.getByRole("button", { name: "Sign out", exact: true }).first().click();
    await page.waitForURL("**/account/sign-in");
    // The phone is gone, and the passkeys with it.
    await session.send("WebAuthn.clearCredentials", { authenticatorId });
    let steps = 0;
    await page.getByRole("link", { name: "None of this works" }).click();
    steps += 1;
    await page.getByLabel("Name").fill(name);
    steps += 1;
    await page.getByRole("textbox", { name: "Recovery code" }).fill(code);
    steps += 1;
    await page.getByRole("button", { name: "Use the code" }).click();
    steps += 1;
    await page.waitForFunction(() => !location.pathname.endsWith("/help"));
    assert.ok(steps <= 5, `${steps} steps`);
    assert.doesNotMatch(await page.title(), /^Error: /);
    assert.deepEqual(await violations(context, page), []);
    assert.deepEqual(faults, []);
    await context.close();
  });

  test("find a way on without JavaScript", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${BASE}/account/sign-in`);
    assert.match(await page.locator("main").innerText(), /needs JavaScript/);
    await page.getByRole("link", { name: "Create an account" }).click();
    await page.getByLabel("Name").fill(`no-script-${process.pid}`);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("I cannot use a passkey").click();
    await page.getByRole("button", { name: "Set up an authenticator app" }).click();
    assert.match(await page.locator(".secret").innerText(), /^([A-Z2-7]{4} ?)+$/);
    assert.match((await page.getByRole("link", { name: "Open the authenticator app" }).getAttribute("href")) ?? "", /^otpauth:/);
    await page.getByLabel("Six digits").fill("000000");
    await page.getByRole("button", { name: "Finish" }).click();
    assert.match(await page.locator('[role="alert"]').innerText(), /not the code of this moment/);
    await context.close();
  });

  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    test(`have pages without a fault that axe knows, ${colorScheme}`, async () => {
      const { context, page, faults, session } = await visit({ colorScheme });
      await signUp(page);
      const pages = ["sign-in", "sign-up", "help", "step-up", "security"];
      for (const width of [1280, 320]) {
        await page.setViewportSize({ width, height: 800 });
        for (const name of pages) {
          await page.goto(`${BASE}/account/${name}`);
          assert.deepEqual(await violations(context, page), [], `${name} at ${width}`);
          await fits(page);
          await shoot(page, `account-${name}-${width}-${colorScheme}`);
        }
        await page.goto(`${BASE}/account/help`);
        await page.getByLabel("Name").fill("nobody");
        await page.getByRole("textbox", { name: "Recovery code" }).fill("0000");
        await page.getByRole("button", { name: "Use the code" }).click();
        await page.locator('[role="alert"]').filter({ hasText: "did not sign in" }).waitFor();
        assert.match(await page.title(), /^Error: /);
        assert.deepEqual(await violations(context, page), []);
        await shoot(page, `account-help-refused-${width}-${colorScheme}`);
      }
      await page.goto(`${BASE}/account/step-up`);
      await page.getByRole("button", { name: "Use your passkey" }).click();
      await page.waitForURL("**/account/security");
      await arrives(page, () => page.getByRole("button", { name: "Set up an authenticator app" }).click());
      assert.deepEqual(await violations(context, page), []);
      await fits(page);
      await shoot(page, `account-app-320-${colorScheme}`);
      await page.goto(`${BASE}/account/security`);
      await arrives(page, () => page.getByRole("button", { name: "Make recovery codes" }).click());
      assert.deepEqual(await violations(context, page), []);
      await fits(page);
      await shoot(page, `account-codes-320-${colorScheme}`);
      assert.deepEqual(faults, []);
      await context.close();
    });
  }

  test("can do everything with the keyboard, focus in sight", async () => {
    const { context, page } = await visit({ viewport: { width: 360, height: 740 } });
    await page.goto(`${BASE}/account/sign-in`);
    await page.getByRole("button", { name: "Sign in with a passkey" }).waitFor();
    /** @type {string[]} */
    const walk = [];
    for (let i = 0; i < 20; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const box = element.getBoundingClientRect();
        return {
          name: element.textContent?.trim() || element.id,
          ring: getComputedStyle(element).outlineStyle !== "none",
          size: Math.min(box.width, box.height),
        };
      });
      if (!at) break;
      walk.push(at.name);
      assert.ok(at.ring, `focus is not to be seen on ${at.name}`);
      assert.ok(at.size >= 24, `${at.name} is smaller than 24 px`);
    }
    assert.deepEqual(walk.slice(0, 2), ["Skip to the content", "Sign in with a passkey"]);
    assert.ok(walk.includes("None of this works"), walk.join());
    assert.equal(walk.at(-1), "Español");
    await context.close();
  });
});

describe("staff", { skip: !PRIVATE || !ADMIN }, () => {
  test("follow an invitation whose token stays in the address's fragment", async () => {
    const made = await fetch(`${PRIVATE.replace("localhost", "127.0.0.1")}/admin/v1/staff`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json" },
      body: JSON.stringify({ name: `robin-${process.pid}`, roles: ["admin"], reason: "the first administrator" }),
    });
    assert.equal(made.status, 201, await made.clone().text());
    const { token } = await made.json();
    const { context, page, faults, session } = await visit();
    /** @type {string[]} */
    const seen = [];
    page.on("request", (request) => seen.push(`${request.url()} ${request.headers().referer ?? ""}`));
    await page.goto(`${PRIVATE}/staff/invitation#${token}`);
    await page.waitForFunction(() => location.hash === "");
    assert.equal(await page.getByLabel("Invitation").inputValue(), token);
    assert.deepEqual(await violations(context, page), []);
    await shoot(page, "staff-invitation-1280-light");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL("**/staff/set-up");
    assert.deepEqual(await violations(context, page), []);
    await shoot(page, "staff-set-up-1280-light");
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.waitForURL("**/staff/step-up");
    await page.getByRole("button", { name: "Use your passkey" }).click();
    await page.waitForURL("**/staff/security");
    assert.deepEqual(await violations(context, page), []);
    await shoot(page, "staff-security-1280-light");
    for (const line of seen) {
      const [url = "", from = ""] = line.split(" ");
      assert.ok(!url.split("#")[0]?.includes(token) && !from.includes(token), `the token is told: ${line}`);
    }
    assert.deepEqual(faults, []);
    await context.close();
  });
});
