// @ts-check
// Chunked Oblivious HTTP (draft-ietf-ohai-chunked-ohttp, 3): a request in sealed chunks, and the chunks of the answer to it.

import { AEAD_AES_128_GCM, CipherSuite, KDF_HKDF_SHA256 } from "../vendor/hpke/index.js";
import { Reader, varint } from "./bytes.js";
import { ChannelError } from "./error.js";
import { KEM_XWING, concat } from "./xwing.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

const CHUNK = 1 << 14;
const TAG = 16;
const KEY = 16;
const NONCE = 12;
/** KEM, KDF and AEAD as they stand in a configuration and in the head of a request. */
const SUITE = Uint8Array.of(0x64, 0x7a, 0, 1, 0, 1);
const PUBLIC = 1216;

const encoder = new TextEncoder();
const FINAL = encoder.encode("final");
const ANSWER = encoder.encode("message/bhttp chunked response");

/**
 * The public key and the id of a configuration (RFC 9458, 3.1) of the one suite; nothing if it is of another.
 * @param {Bytes} config
 * @returns {{ id: number, key: Bytes } | null}
 */
export function keyOf(config) {
  const ids = concat(config.subarray(1, 3), config.subarray(5 + PUBLIC, 9 + PUBLIC));
  const fits = config.length >= 9 + PUBLIC && ids.every((byte, at) => byte === SUITE[at]);
  const [id = 0] = config;
  return fits ? { id, key: config.slice(3, 3 + PUBLIC) } : null;
}

/**
 * Seals a request.
 * @param {{ id: number, key: Bytes }} to
 * @param {Bytes} text
 * @returns {Promise<{ sealed: Bytes, open: (answer: AsyncIterator<Bytes>) => AsyncGenerator<Bytes, void, void> }>}
 */
export async function seal(to, text) {
  const head = concat(Uint8Array.of(to.id), SUITE);
  const info = concat(encoder.encode("message/bhttp chunked request\0"), head);
  const suite = new CipherSuite(/** @type {any} */ (KEM_XWING), KDF_HKDF_SHA256, AEAD_AES_128_GCM);
  const key = await suite.DeserializePublicKey(to.key);
  const { encapsulatedSecret: enc, ctx } = await suite.SetupSender(key, { info });
  const parts = [head, enc];
  let at = 0;
  for (; text.length - at > CHUNK; at += CHUNK) {
    const chunk = await ctx.Seal(text.subarray(at, at + CHUNK));
    parts.push(Uint8Array.from(varint(chunk.length)), chunk);
  }
  parts.push(Uint8Array.of(0), await ctx.Seal(text.subarray(at), FINAL));
  const secret = await ctx.Export(ANSWER, KEY);
  return { sealed: concat(...parts), open: (answer) => open(enc, secret, answer) };
}

/** @param {Uint8Array} secret @param {Uint8Array} salt @param {string} info @param {number} length */
async function derive(secret, salt, info, length) {
  const key = await crypto.subtle.importKey("raw", secret.slice(), "HKDF", false, ["deriveBits"]);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt: salt.slice(), info: encoder.encode(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, length * 8));
}

/**
 * The text of an answer, chunk by chunk. It ends only behind the final chunk: a part of an answer is no answer.
 * @param {Uint8Array} enc
 * @param {Uint8Array} secret
 * @param {AsyncIterator<Bytes>} answer
 * @returns {AsyncGenerator<Bytes, void, void>}
 */
export async function* open(enc, secret, answer) {
  const reader = new Reader(answer);
  const salt = concat(enc, await reader.take(KEY));
  const raw = await derive(secret, salt, "key", KEY);
  const base = await derive(secret, salt, "nonce", NONCE);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
  for (let count = 0; ; count++) {
    const length = await reader.varint();
    const last = length === 0;
    if (length > CHUNK + TAG) throw new ChannelError("altered");
    const chunk = last ? await reader.all(CHUNK + TAG) : await reader.take(length);
    // A final chunk that was cut has no whole tag.
    if (chunk.length < TAG) throw new ChannelError(last ? "truncated" : "altered");
    const iv = base.slice();
    new DataView(iv.buffer).setUint32(8, new DataView(base.buffer).getUint32(8) ^ count);
    const algorithm = { name: "AES-GCM", iv, additionalData: last ? FINAL : new Uint8Array() };
    const text = await crypto.subtle.decrypt(algorithm, key, chunk).catch((cause) => {
      throw new ChannelError("altered", { cause });
    });
    // Only the final chunk may be empty.
    if (text.byteLength === 0 && !last) throw new ChannelError("altered");
    if (text.byteLength > 0) yield new Uint8Array(text);
    if (last) return;
  }
}
