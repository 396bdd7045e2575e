// A gateway of the test's own, with the built-in bot. CHATWARD is the program's path.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export async function gateway() {
  assert.ok(process.env.CHATWARD, "CHATWARD must name the program");
  const folder = mkdtempSync(join(tmpdir(), "chatward-channel-"));
  const [port, other] = [await freePort(), await freePort()];
  const args = ["serve", "--data", join(folder, "data"), "--keys", join(folder, "keys"), "--listen", `127.0.0.1:${port}`, "--private", `127.0.0.1:${other}`];
  let child;
  const start = async () => {
    child = spawn(process.env.CHATWARD, args, { stdio: ["ignore", "ignore", "inherit"] });
    for (let i = 0; i < 600; i += 1) {
      if (await fetch(`http://127.0.0.1:${other}/readyz`).then((r) => r.ok, () => false)) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    assert.fail("the gateway does not start");
  };
  const stop = async () => {
    const gone = new Promise((done) => child.once("exit", done));
    if (child.exitCode === null && child.signalCode === null && child.kill()) await gone;
  };
  await start();
  return {
    base: `http://127.0.0.1:${port}`,
    restart: async () => (await stop(), await start()),
    close: async () => (await stop(), rmSync(folder, { recursive: true, force: true })),
  };
}
