// @ts-check
// Pictures of twelve key pages, light and dark, narrow and wide, for people to look at: `cargo xtask pictures`.
//
//   CHATWARD_URL=http://localhost:8080 CHATWARD_SHOTS=DIR node pictures.mjs

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { launch, passkeys } from "./visitor.js";

const BASE = process.env.CHATWARD_URL ?? "";
const SHOTS = process.env.CHATWARD_SHOTS ?? "pictures";
const MESSAGE = "Hello, my name is Anna Berg, my card is 4111 1111 1111 1111 and my email is anna.berg@example.org.";

/** Name and address; what is done there before the picture is taken. @type {[string, string, ((page: import("playwright-core").Page) => Promise<void>)?][]} */
const PAGES = [
  ["chat-empty", "/chat"],
  ["chat-received", "/chat", received],
  ["chat-shield", "/chat", shield],
  ["sign-in", "/account/sign-in"],
  ["security", "/account/security"],
  ["privacy", "/privacy"],
  ["notice", "/privacy/notice"],
  ["consents", "/privacy/consents"],
  ["my-data", "/privacy/data"],
  ["who-looked", "/privacy/looks"],
  ["verify", "/privacy/verify"],
  ["guide-phishing", "/privacy/guides/phishing"],
];
const WIDTHS = { narrow: 360, wide: 1280 };

/** @param {import("playwright-core").Page} page */
async function received(page) {
  const details = page.locator("#log .you details.received").first();
  await details.waitFor();
  if (!(await details.evaluate((one) => /** @type {any} */ (one).open))) await details.locator("summary").click();
  await details.locator(".exact").waitFor();
}

/** @param {import("playwright-core").Page} page */
async function shield(page) {
  await page.locator("#shield-open").click();
  await page.locator("#shield[open]").waitFor();
}

/** @param {import("playwright-core").Page} page @param {string} colorScheme */
async function signUp(page, colorScheme) {
  await page.goto(`${BASE}/account/sign-up`);
  await page.getByLabel("Name").fill(`anna-${colorScheme}`);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL("**/account/set-up");
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.waitForURL("**/account/security");
}

await mkdir(SHOTS, { recursive: true });
const browser = await launch();
let taken = 0;
for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  const context = await browser.newContext({ colorScheme, locale: "en", reducedMotion: "reduce" });
  const page = await context.newPage();
  await passkeys(context, page);
  for (const [name, path, first] of PAGES) {
    if (name === "security") await signUp(page, colorScheme);
    for (const [size, width] of Object.entries(WIDTHS)) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(`${BASE}${path}`);
      await page.waitForLoadState("networkidle").catch(() => {});
      // The conversation so far comes through the channel.
      await page.waitForTimeout(1500);
      if (name === "chat-received" && (await page.locator("#log .you").count()) === 0) {
        await page.locator("#text").fill(MESSAGE);
        await page.keyboard.press("Enter");
        await page.locator('#log .bot[aria-busy="false"]').waitFor();
      }
      await first?.(page);
      await page.screenshot({ path: join(SHOTS, `${name}-${size}-${colorScheme}.png`), fullPage: size === "narrow" });
      taken += 1;
    }
  }
  await context.close();
}
await browser.close();
console.log(`${taken} pictures in ${SHOTS}`);
