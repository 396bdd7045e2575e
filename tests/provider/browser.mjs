// A browser without a screen: it keeps cookies, says where a request comes from, and follows links only when told to. And
// the codes of an authenticator app.

import { createHmac } from "node:crypto";
import { createServer } from "node:net";

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Browser {
  jar = new Map();
  form = "";

  /** In front of the private listener at `base`. */
  constructor(base) {
    this.base = base;
  }

  async go(url, { method = "GET", body, headers = {} } = {}) {
    const to = new URL(url, this.base);
    const mine = [...this.jar].filter(([key, { path }]) => key.startsWith(to.port + " ") && to.pathname.startsWith(path));
    const cookie = mine.map(([key, { value }]) => `${key.split(" ")[1]}=${value}`).join("; ");
    const from = method === "GET" ? {} : { origin: to.origin, "sec-fetch-site": "same-origin" };
    const told = this.form && to.origin === this.base ? { "chatward-form": this.form } : {};
    const response = await fetch(to, { method, body, redirect: "manual", headers: { ...(cookie && { cookie }), ...from, ...told, ...headers } });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split("; ");
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const path = attributes.find((a) => a.toLowerCase().startsWith("path="))?.slice(5) ?? "/";
      if (value && !/max-age=0|1970/i.test(line)) this.jar.set(`${to.port} ${name}`, { value, path });
      else this.jar.delete(`${to.port} ${name}`);
    }
    return response;
  }

  post = (path, value = {}) => this.go(path, { method: "POST", body: JSON.stringify(value), headers: { "content-type": "application/json" } });

  async who() {
    const session = await (await this.go("/admin/v1/session")).json();
    this.form = session.form ?? "";
    return session;
  }
}

/** The code of an authenticator app (RFC 6238). */
export function code(secret, step = 0) {
  const bits = [...secret.replace(/[\s=]/g, "").toUpperCase()].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
