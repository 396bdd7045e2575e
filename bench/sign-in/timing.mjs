// Whether the time of a refused sign-in tells if somebody has a name: CHATWARD=target/release/chatward node bench/sign-in/timing.mjs
//
// A member of staff with a password is set up; then a wrong password is sent with that name and with a name that nobody has, in
// turns. The median of each, and how far they lie apart.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Browser, code, freePort } from "../../tests/provider/browser.mjs";

const RUNS = Number(process.env.RUNS ?? 1000);
const NAME = "robin@house.example";
const folder = mkdtempSync(join(tmpdir(), "chatward-timing-"));
const [port, other] = [await freePort(), await freePort()];
const base = `http://localhost:${other}`;
writeFileSync(join(folder, "chatward.toml"), "[identity]\npasswords = true\n[limits]\nper_address = 0\n");
const flags = ["--config", join(folder, "chatward.toml"), "--data", join(folder, "data"), "--keys", join(folder, "keys")];
const gateway = spawn(process.env.CHATWARD ?? "target/release/chatward", ["serve", ...flags, "--listen", `127.0.0.1:${port}`, "--private", `127.0.0.1:${other}`], { stdio: ["ignore", "ignore", "inherit"] });
const gone = new Promise((done) => gateway.once("exit", done));

async function ok(response) {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

try {
  for (let i = 0; i < 200; i += 1) {
    if (await fetch(`${base}/readyz`).then((r) => r.ok, () => false)) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  const bearer = { authorization: `Bearer ${readFileSync(join(folder, "keys", "admin.token"), "utf8").trim()}`, "content-type": "application/json" };
  const invitation = await ok(await fetch(`${base}/admin/v1/staff`, { method: "POST", headers: bearer, body: JSON.stringify({ name: NAME, roles: ["analyst"], reason: "timing" }) }));
  const robin = new Browser(base);
  await robin.go("/staff/invitation");
  await ok(await robin.post("/admin/v1/invitation", { token: (await invitation.json()).token }));
  await robin.who();
  const { secret } = await (await ok(await robin.post("/admin/v1/app/begin"))).json();
  await ok(await robin.post("/admin/v1/app", { code: code(secret) }));
  await robin.who();
  const set = await robin.go("/admin/v1/password", { method: "PUT", body: JSON.stringify({ password: "correct horse battery" }), headers: { "content-type": "application/json" } });
  await ok(set);

  const stranger = new Browser(base);
  await stranger.go("/staff/sign-in");
  const times = { known: [], unknown: [] };
  const answers = new Set();
  for (let run = 0; run < 2 * RUNS + 20; run += 1) {
    const known = run % 2 === 0;
    const began = process.hrtime.bigint();
    const response = await stranger.post("/admin/v1/sign-in/password", { name: known ? NAME : "nobody@house.example", password: "not the right password" });
    const text = await response.text();
    const took = Number(process.hrtime.bigint() - began) / 1e6;
    answers.add(`${response.status} ${text}`);
    // The first ones warm up.
    if (run >= 20) times[known ? "known" : "unknown"].push(took);
  }
  const median = (all) => all.sort((a, b) => a - b)[all.length >> 1];
  const [known, unknown] = [median(times.known), median(times.unknown)];
  console.log(`a wrong password over HTTP, ${RUNS} of each in turns: median ${known.toFixed(2)} ms for a known name, ${unknown.toFixed(2)} ms for an unknown one (${((unknown / known - 1) * 100).toFixed(2)} %); ${answers.size} different answer(s)`);
} finally {
  gateway.kill();
  await gone;
  rmSync(folder, { recursive: true, force: true });
}
