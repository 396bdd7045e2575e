// Staff sign in at a real OpenID provider, through the real program. CHATWARD is the program's path.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Browser, code, freePort } from "./browser.mjs";
import { CLIENT, SECRET, provider } from "./provider.mjs";

const BACK = "/staff/sign-in/provider/back";
let folder, gateway, oidc, base, token;

before(async () => {
  assert.ok(process.env.CHATWARD, "CHATWARD must name the program");
  folder = mkdtempSync(join(tmpdir(), "chatward-provider-"));
  const [port, other] = [await freePort(), await freePort()];
  base = `http://localhost:${other}`;
  oidc = await provider(base + BACK);
  writeFileSync(join(folder, "secret"), SECRET);
  writeFileSync(
    join(folder, "chatward.toml"),
    `[identity.provider]\nissuer = "${oidc.issuer}"\nclient_id = "${CLIENT}"\nclient_secret_file = "${join(folder, "secret")}"\n`,
  );
  const flags = ["--config", join(folder, "chatward.toml"), "--data", join(folder, "data"), "--keys", join(folder, "keys")];
  gateway = spawn(process.env.CHATWARD, ["serve", ...flags, "--listen", `127.0.0.1:${port}`, "--private", `127.0.0.1:${other}`], { stdio: ["ignore", "ignore", "inherit"] });
  for (let i = 0; i < 200; i += 1) {
    if (await fetch(`${base}/readyz`).then((r) => r.ok, () => false)) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  token = readFileSync(join(folder, "keys", "admin.token"), "utf8").trim();
});

after(async () => {
  const gone = new Promise((done) => gateway.once("exit", done));
  if (gateway.exitCode === null && gateway.signalCode === null && gateway.kill()) await gone;
  oidc.close();
  rmSync(folder, { recursive: true, force: true });
});

/** From the house to the provider, where `person` signs in, and as far as the address that leads back. */
async function travel(browser, departure, person) {
  let response = await browser.go(departure);
  assert.equal(response.status, 303, await response.text());
  let at = new URL(response.headers.get("location"), base);
  assert.equal(at.origin, oidc.issuer);
  for (let hop = 0; hop < 10 && !at.href.startsWith(base); hop += 1) {
    response = await browser.go(at);
    if (response.status === 200) {
      const action = (await response.text()).match(/<form[^>]*action="([^"]+)"/)[1];
      const body = new URLSearchParams({ prompt: "login", login: person, password: "x" });
      response = await browser.go(new URL(action, at), { method: "POST", body, headers: { "content-type": "application/x-www-form-urlencoded" } });
    }
    assert.ok(response.headers.has("location"), `${response.status} at ${at}`);
    at = new URL(response.headers.get("location"), at);
  }
  assert.equal(at.pathname, BACK);
  return at;
}

async function invited(name, roles) {
  const reply = await fetch(`${base}/admin/v1/staff`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name, roles, reason: "a new colleague" }),
  });
  assert.equal(reply.status, 201, await reply.clone().text());
  return (await reply.json()).token;
}

let robin, secret;

test("an invited member of staff sets up the provider and an app, and is in", async () => {
  const invitation = await invited("robin@house.example", ["analyst"]);
  robin = new Browser(base);
  await robin.go("/staff/invitation");
  assert.equal((await robin.post("/admin/v1/invitation", { token: invitation })).status, 200);
  assert.equal((await robin.who()).state, "invited");
  const back = await travel(robin, "/staff/security/provider", "robin");
  assert.equal((await robin.go(back)).status, 303);
  ({ secret } = await (await robin.post("/admin/v1/app/begin")).json());
  const done = await robin.post("/admin/v1/app", { code: code(secret) });
  assert.equal(done.status, 200, await done.clone().text());
  assert.equal((await robin.who()).state, "active");
});

test("the provider signs in, and the house asks for the second factor", async () => {
  const browser = new Browser(base);
  const back = await travel(browser, "/staff/sign-in/provider", "robin");
  const done = await browser.go(back);
  assert.equal(done.status, 303);
  const cookie = done.headers.getSetCookie().find((line) => line.startsWith("__Host-chatward-staff="));
  for (const attribute of ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"]) assert.ok(cookie.includes(attribute), cookie);
  assert.equal((await browser.who()).name, "robin@house.example");
  const review = await browser.go("/admin/v1/turns/turn_00000000000000000000000000000000/received?purpose=support");
  assert.deepEqual([review.status, (await review.json()).code], [403, "second-factor-needed"]);
  const stepped = await browser.post("/admin/v1/step-up/app", { code: code(secret, 1) });
  assert.equal(stepped.status, 200, await stepped.clone().text());
  await browser.who();
  const now = await browser.go("/admin/v1/turns/turn_00000000000000000000000000000000/received?purpose=support");
  assert.equal(now.status, 404);
});

const refused = async (response) => {
  assert.ok(response.status >= 400, `${response.status}`);
  assert.ok(!response.headers.getSetCookie().some((line) => line.startsWith("__Host-chatward-staff=cwu_")), "a session");
};

test("a code counts once", async () => {
  const browser = new Browser(base);
  const back = await travel(browser, "/staff/sign-in/provider", "robin");
  const trip = [...browser.jar].find(([key]) => key.endsWith("chatward-trip"));
  assert.equal((await browser.go(back)).status, 303);
  browser.jar.set(...trip);
  await refused(await browser.go(back));
});

test("another state, another browser and no browser at all are refused", async () => {
  const browser = new Browser(base);
  const back = await travel(browser, "/staff/sign-in/provider", "robin");
  const other = new URL(back);
  other.searchParams.set("state", "another");
  await refused(await browser.go(other));
  const stranger = new Browser(base);
  await travel(stranger, "/staff/sign-in/provider", "mallory");
  await refused(await stranger.go(back));
  await refused(await new Browser(base).go(back));
});

test("somebody else at the same provider is nobody here, and learns no more than that", async () => {
  const browser = new Browser(base);
  const response = await browser.go(await travel(browser, "/staff/sign-in/provider", "mallory"));
  await refused(response);
  assert.ok(!/robin|house\.example/.test(await response.text()));
});

test("a code for another client, or made up, is refused", async () => {
  const browser = new Browser(base);
  const back = await travel(browser, "/staff/sign-in/provider", "robin");
  back.searchParams.set("code", "made-up");
  await refused(await browser.go(back));
});

test("what another issuer says is refused (RFC 9207)", async () => {
  const browser = new Browser(base);
  const back = await travel(browser, "/staff/sign-in/provider", "robin");
  back.searchParams.set("iss", "http://localhost:1");
  await refused(await browser.go(back));
});

test("with the provider away, the other ways in stay", async () => {
  oidc.close();
  // What it said of itself is known for some minutes: the exchange is what fails.
  const browser = new Browser(base);
  const response = await browser.go("/staff/sign-in/provider");
  assert.ok([303, 502].includes(response.status), `${response.status}`);
  assert.equal((await robin.who()).state, "active");
});
