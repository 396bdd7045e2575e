// @ts-check
// The signed list of keys.

import { ChannelError } from "./error.js";
import { keyOf } from "./seal.js";
import { concat } from "./xwing.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{ id: number, key: Bytes, until: number }} Key */

const CONTEXT = new TextEncoder().encode("chatward channel key list v1\n");
/** How wrong the clock of a browser may be, in milliseconds. A list that is older is somebody's who kept it. */
const WRONG = 86_400_000;

/** @param {string} text @returns {Bytes} */
export function bytesOf(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
}

/** base64; `url` for the alphabet of addresses. @param {Uint8Array} bytes @param {boolean} [url] */
export function textOf(bytes, url) {
  const plain = btoa(String.fromCharCode(...bytes));
  return url ? plain.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "") : plain;
}

/**
 * The newest key of a list that the pinned key signed.
 * @param {unknown} fetched the answer of `/channel/v1/keys`
 * @param {string} pin the public key of the signature, base64url
 * @param {number} now
 * @returns {Promise<Key>}
 */
export async function newest(fetched, pin, now) {
  try {
    const { list, signature } = /** @type {{ list: string, signature: string }} */ (fetched);
    const signed = concat(CONTEXT, new TextEncoder().encode(list));
    const key = await crypto.subtle.importKey("raw", bytesOf(pin), "Ed25519", false, ["verify"]);
    if (await crypto.subtle.verify("Ed25519", key, bytesOf(signature), signed)) {
      for (const { config, until } of JSON.parse(list).keys.reverse()) {
        const found = keyOf(bytesOf(config));
        if (found && until > now - WRONG) return { ...found, until };
      }
    }
  } catch (cause) {
    throw new ChannelError("keys", { cause });
  }
  throw new ChannelError("keys");
}
