// @ts-check
// Something in front of the gateway that writes down all it can see: a planted value that is typed on the page stands in none of
// it, nor in the gateway's own log, in any address, referrer or storage of the browser.
//
//   CHATWARD_URL=http://127.0.0.1:8080 CHATWARD_LOG=FILE npm test
//
// CHATWARD_NGINX names nginx (default /usr/sbin/nginx).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { freePort, launch } from "./visitor.js";

const BASE = process.env.CHATWARD_URL ?? "";
const LOG = process.env.CHATWARD_LOG ?? "";
const CANARY = `planted.${Date.now()}@mail.example`;

/** @type {string} */
let folder;
/** @type {import("node:child_process").ChildProcess} */
let nginx;
/** Where the page is, seen through the proxy. */
let front = "";

before(async () => {
  assert.ok(BASE, "CHATWARD_URL must name the running gateway");
  folder = await mkdtemp(join(tmpdir(), "chatward-proxy-"));
  const port = await freePort();
  front = `http://127.0.0.1:${port}`;
  // Everything a curious proxy can note: addresses, headers, whole bodies.
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log info;
events { worker_connections 256; }
http {
  log_format all escape=none '$request|$http_referer|$http_cookie|$args|$content_type|$request_body|$sent_http_location|$status';
  access_log ${folder}/access.log all;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  client_body_buffer_size 2m; client_max_body_size 2m;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${BASE}; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Host $http_host;
    }
  }
}
`,
  );
  nginx = spawn(process.env.CHATWARD_NGINX ?? "/usr/sbin/nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "inherit" });
  for (let tries = 0; ; tries++) {
    const up = await fetch(`${front}/chat`).then((answer) => answer.ok, () => false);
    if (up) break;
    assert.ok(tries < 100, "nginx does not answer");
    await new Promise((next) => setTimeout(next, 50));
  }
});

after(async () => {
  nginx?.kill("SIGTERM");
  await rm(folder, { recursive: true, force: true });
});

test("a planted value is in no log, no address, no referrer and no storage", async () => {
  const browser = await launch();
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    /** @type {string[]} */
    const seen = [];
    page.on("request", (request) => {
      seen.push(request.url(), request.headers()["referer"] ?? "");
    });
    await page.goto(`${front}/chat`);
    await page.locator("#text").fill(`Please write to ${CANARY}`);
    await page.keyboard.press("Enter");
    const answer = page.locator('#log .bot[aria-busy="false"]');
    await answer.waitFor();
    assert.ok((await answer.innerText()).includes(CANARY), "the answer does not repeat it: the test would prove nothing");
    const kept = await page.evaluate(async () => {
      const databases = await indexedDB.databases();
      const names = await caches.keys();
      return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, databases, names, location.href, document.cookie, history.state]);
    });
    const cookies = JSON.stringify(await context.cookies());
    // Negative control: what is sent in the open does stand in the proxy's log.
    const open = `open.${CANARY}`;
    await fetch(`${front}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ note: open }) });
    await new Promise((next) => setTimeout(next, 200));
    const access = await readFile(join(folder, "access.log"), "utf8");
    assert.ok(access.includes(open), "the proxy does not write down what it sees");
    const places = {
      "the proxy's log of requests": access.replaceAll(open, ""),
      "the proxy's log of errors": await readFile(join(folder, "error.log"), "utf8"),
      "an address or a referrer": seen.join("\n"),
      "the browser's storage": kept,
      "a cookie": cookies,
      ...(LOG ? { "the gateway's log": (await readFile(LOG, "utf8")).replaceAll(open, "") } : {}),
    };
    for (const [place, text] of Object.entries(places)) {
      for (const form of [CANARY, encodeURIComponent(CANARY), Buffer.from(CANARY).toString("base64").slice(0, -3)]) {
        assert.ok(!text.includes(form), `it stands in ${place}`);
      }
    }
  } finally {
    await browser.close();
  }
});
