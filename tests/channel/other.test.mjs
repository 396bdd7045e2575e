// Another implementation of HPKE and X-Wing against the same gateway: what it seals opens, and it opens what comes back.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Aes128Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { answer, request } from "../../crates/chatward/static/channel/binary.js";
import { open } from "../../crates/chatward/static/channel/seal.js";
import { gateway } from "./gateway.mjs";

let house;
before(async () => {
  house = await gateway();
});
after(() => house.close());

const utf8 = (text) => new TextEncoder().encode(text);

test("@hpke/core with @hpke/hybridkem-x-wing, from RFC 9540's discovery on", async () => {
  const found = await fetch(`${house.base}/.well-known/ohttp-gateway`);
  assert.equal(found.headers.get("content-type"), "application/ohttp-keys");
  const keys = new Uint8Array(await found.arrayBuffer());
  const config = keys.subarray(2, 2 + ((keys[0] << 8) | keys[1]));
  assert.deepEqual([...config.subarray(1, 3), ...config.subarray(1219)], [0x64, 0x7a, 0, 4, 0, 1, 0, 1]);

  const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes128Gcm() });
  const recipientPublicKey = await suite.kem.deserializePublicKey(config.slice(3, 1219).buffer);
  const head = Uint8Array.of(config[0], 0x64, 0x7a, 0, 1, 0, 1);
  const info = Uint8Array.of(...utf8("message/bhttp chunked request\0"), ...head);
  const sender = await suite.createSenderContext({ recipientPublicKey, info });
  const body = utf8(JSON.stringify({ key: Buffer.alloc(32, 7).toString("base64url") }));
  const text = request("POST", "/chat/v1/session", [["content-type", "application/json"]], body);
  // In three chunks, the last of them empty.
  const [one, two] = [text.subarray(0, 100), text.subarray(100)];
  const chunks = [await sender.seal(one), await sender.seal(two), await sender.seal(new Uint8Array(), utf8("final"))];
  const [a, b, c] = chunks.map((chunk) => new Uint8Array(chunk));
  const long = (n) => [0x40 | (n >> 8), n & 0xff];
  const enc = new Uint8Array(sender.enc);
  const sealed = Uint8Array.of(...head, ...enc, ...long(a.length), ...a, ...long(b.length), ...b, 0, ...c);
  const given = await fetch(`${house.base}/.well-known/ohttp-gateway`, { method: "POST", headers: { "content-type": "message/ohttp-chunked-req" }, body: sealed });
  assert.equal(given.status, 200);
  const secret = new Uint8Array(await sender.export(utf8("message/bhttp chunked response"), 16));
  async function* pieces() {
    yield new Uint8Array(await given.arrayBuffer());
  }
  const inner = await answer(open(enc, secret, pieces()));
  assert.equal(inner.status, 200);
  const { token, until } = await inner.json();
  assert.ok(token.length > 80 && until > Date.now());
});
