// @ts-check
// Whether a list of keys stands in the public log: its event, the proof that leads from there to a checkpoint (RFC 9162, 2.1.3.2), and the
// log's signature under that (C2SP signed-note). A list that only one reader were given would stand in no log that others see.

import { ChannelError } from "./error.js";
import { bytesOf, textOf } from "./keys.js";
import { concat } from "./xwing.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{ index: number, event: string, path: string[], checkpoint: string }} Logged */

const encoder = new TextEncoder();

/** @param {Uint8Array[]} parts @returns {Promise<Bytes>} */
async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

/** @param {Uint8Array} bytes */
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * The size and the root of a checkpoint that the log signed.
 * @param {string} note
 * @param {string} log the log's key, `name+hash+key`
 */
async function signed(note, log) {
  const [name = "", id = "", typed = ""] = log.split(/\+(.{8})\+/);
  const end = note.indexOf("\n\n") + 1;
  const [origin, size, root = ""] = note.slice(0, end).split("\n");
  const line = note.slice(end + 1).split("\n").find((line) => line.startsWith(`— ${name} `)) ?? "";
  const signature = bytesOf(line.slice(name.length + 3));
  // Its first four bytes name the key, whose own first byte says that it is one for Ed25519.
  const key = await crypto.subtle.importKey("raw", bytesOf(typed).slice(1), "Ed25519", false, ["verify"]);
  const fits = origin === name && hex(signature.subarray(0, 4)) === id && bytesOf(typed)[0] === 1;
  const text = encoder.encode(note.slice(0, end));
  if (!fits || !(await crypto.subtle.verify("Ed25519", key, signature.slice(4), text))) throw new ChannelError("keys");
  return { size: Number(size), root: textOf(bytesOf(root)) };
}

/**
 * Where in the log a list stands. Throws if it is not proven.
 * @param {{ list: string, log: Logged }} fetched
 * @param {string} log the log's key
 * @returns {Promise<{ index: number, size: number }>}
 */
export async function proven({ list, log: { index, event, path, checkpoint } }, log) {
  const { size, root } = await signed(checkpoint, log);
  const said = JSON.parse(event);
  const hash = hex(await sha256(encoder.encode(list)));
  if (said.action !== "channel-keys-listed" || said.key !== hash || !(index < size)) throw new ChannelError("keys");
  let [at, last] = [index, size - 1];
  let node = await sha256(Uint8Array.of(0), encoder.encode(event));
  for (const sibling of path.map(bytesOf)) {
    if (last === 0) throw new ChannelError("keys");
    if (at % 2 === 1 || at === last) {
      node = await sha256(Uint8Array.of(1), sibling, node);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else {
      node = await sha256(Uint8Array.of(1), node, sibling);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  if (last !== 0 || textOf(node) !== root) throw new ChannelError("keys");
  return { index, size };
}
