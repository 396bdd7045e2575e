// @ts-check
// Checks receipts and certificates: the same as `chatward certificate verify`, in a browser or in Node, with nothing but the
// public key of the log. Needs WebCrypto with Ed25519. No text in here: what is found is a code.

/** @typedef {{ good: boolean, says: string }} Verdict */
/** @typedef {{ name: string, id: Uint8Array, key: CryptoKey, raw: Uint8Array }} LogKey */

const encoder = new TextEncoder();

/** @param {Uint8Array[]} parts */
function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {Uint8Array[]} parts */
async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

/**
 * @param {unknown} text
 * @returns {Uint8Array<ArrayBuffer> | null}
 */
function bytes(text) {
  // Base64 with padding, and in no other spelling (RFC 4648, 3.5).
  if (typeof text !== "string" || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  const binary = atob(text);
  if (btoa(binary) !== text) return null;
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** @param {Uint8Array} a @param {Uint8Array} b */
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

/**
 * The canonical form of a document (RFC 8785): members by the UTF-16 code units of their names, numbers and texts as ECMAScript
 * writes them.
 * @param {unknown} value
 * @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/**
 * Reads a verifier key as C2SP signed-note writes it: `name+hash+base64`.
 * @param {string} text
 * @returns {Promise<LogKey | null>}
 */
export async function logKey(text) {
  const [name, short, encoded] = text.trim().match(/^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/)?.slice(1) ?? [];
  const typed = bytes(encoded);
  if (!name || !short || typed?.length !== 33 || typed[0] !== 1) return null;
  const hash = await sha256(encoder.encode(`${name}\n`), typed);
  const id = Uint8Array.from(short.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  if (!same(hash.slice(0, 4), id)) return null;
  const key = await crypto.subtle.importKey("raw", typed.slice(1), { name: "Ed25519" }, false, ["verify"]);
  return { name, id, key, raw: typed.slice(1) };
}

/** @param {LogKey} key @param {Uint8Array<ArrayBuffer>} message @param {Uint8Array<ArrayBuffer>} signature */
const signs = (key, message, signature) => crypto.subtle.verify("Ed25519", key.key, signature, message);

/**
 * Whether a document carries a signature of this key over all the rest of it. What stands beside the signature is not signed: it must
 * be what is always written there.
 * @param {Record<string, unknown>} document
 * @param {LogKey} key
 */
async function isSigned(document, key) {
  const { "chatward:proof": proof, ...rest } = document;
  if (proof === null || typeof proof !== "object" || !("chatward:signature" in proof)) return false;
  const written = proof["chatward:signature"];
  const right = {
    "chatward:algorithm": "Ed25519 over RFC 8785",
    "chatward:key": btoa(String.fromCharCode(...key.raw)),
    "chatward:signature": written,
  };
  const signature = canonical(proof) === canonical(right) ? bytes(written) : null;
  return signature !== null && (await signs(key, encoder.encode(`chatward document v1\n${canonical(rest)}`), signature));
}

/**
 * Reads a checkpoint and checks its signature (C2SP tlog-checkpoint).
 * @param {unknown} note
 * @param {LogKey} key
 */
async function checkpoint(note, key) {
  if (typeof note !== "string" || [...note].some((char) => char < " " && char !== "\n")) return null;
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n")) return null;
  const text = note.slice(0, split + 1);
  let signed = false;
  for (const line of note.slice(split + 2, -1).split("\n")) {
    const [name, encoded] = line.match(/^— ([^ ]+) (.+)$/)?.slice(1) ?? [];
    const blob = bytes(encoded);
    if (!blob || blob.length < 4) return null;
    if (name !== key.name || !same(blob.slice(0, 4), key.id)) continue;
    if (!(await signs(key, encoder.encode(text), blob.slice(4)))) return null;
    signed = true;
  }
  const [origin, size, root] = text.split("\n");
  const hash = bytes(root);
  if (!signed || origin !== key.name || !/^(?:0|[1-9][0-9]*)$/.test(size ?? "") || hash?.length !== 32) return null;
  return { size: BigInt(size ?? "0"), root: hash };
}

/**
 * Whether a leaf stands at this place of the tree (RFC 9162, 2.1.3.2).
 * @param {{ size: bigint, root: Uint8Array }} tree
 * @param {string} leaf
 * @param {bigint} index
 * @param {Uint8Array[]} path
 */
async function included(tree, leaf, index, path) {
  if (index >= tree.size) return false;
  let [place, last] = [index, tree.size - 1n];
  let hash = await sha256(Uint8Array.of(0), encoder.encode(leaf));
  for (const sibling of path) {
    if (last === 0n) return false;
    if ((place & 1n) === 1n || place === last) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      while ((place & 1n) === 0n && place !== 0n) [place, last] = [place >> 1n, last >> 1n];
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    [place, last] = [place >> 1n, last >> 1n];
  }
  return last === 0n && same(hash, tree.root);
}

/** @param {unknown} value @returns {Record<string, unknown>} */
const object = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? /** @type {Record<string, unknown>} */ (value) : {});

/** @param {string} says @returns {Verdict} */
const bad = (says) => ({ good: false, says });

/**
 * @param {Record<string, unknown>} document
 * @param {LogKey} key
 * @returns {Promise<Verdict>}
 */
async function certificate(document, key) {
  if (document["@type"] !== "dpv:RightExerciseRecord" || document["dct:title"] !== "Certificate of erasure") return bad("verify-form");
  if (!(await isSigned(document, key))) return bad("verify-signature");
  const log = object(document["chatward:log"]);
  const { "chatward:event": event, "chatward:index": index, "chatward:path": list } = log;
  const path = Array.isArray(list) ? list.map(bytes) : [null];
  if (typeof event !== "string" || !Number.isSafeInteger(index) || path.some((hash) => hash?.length !== 32)) return bad("verify-form");
  const tree = await checkpoint(log["chatward:checkpoint"], key);
  if (!tree) return bad("verify-checkpoint");
  const hashes = path.filter((hash) => hash !== null);
  if (!(await included(tree, event, BigInt(Number(index)), hashes))) return bad("verify-proof");
  const written = parsed(event);
  const tables = document["chatward:tables"];
  if (!Array.isArray(tables)) return bad("verify-form");
  const counted = tables.reduce((sum, table) => sum + Number(object(table)["dct:extent"] ?? 0), 0);
  const whose = object(document["dpv:hasDataSubject"])["dpv:hasIdentifier"] ?? null;
  const said =
    written["action"] === "customer-erased" &&
    (written["key"] ?? null) === (document["chatward:keyDestroyed"] ?? null) &&
    (written["subject"] ?? null) === whose &&
    (tables.length === 0 || counted === (written["rows"] ?? 0));
  return said ? { good: true, says: "verify-certificate" } : bad("verify-event");
}

/** @param {string} text */
function parsed(text) {
  try {
    return object(JSON.parse(text));
  } catch {
    return {};
  }
}

/**
 * Checks a document, or a list of them.
 * @param {unknown} document
 * @param {LogKey} key
 * @returns {Promise<Verdict>}
 */
export async function check(document, key) {
  if (Array.isArray(document)) {
    if (document.length === 0) return bad("verify-form");
    for (const one of document) {
      const verdict = await check(one, key);
      if (!verdict.good) return verdict;
    }
    return { good: true, says: "verify-receipts" };
  }
  const fields = object(document);
  if (fields["@type"] !== "chatward:ConsentRecord") return certificate(fields, key);
  return (await isSigned(fields, key)) ? { good: true, says: "verify-receipt" } : bad("verify-signature");
}

/**
 * Checks the text of a file.
 * @param {string} text
 * @param {string} vkey
 * @returns {Promise<Verdict>}
 */
export async function checkText(text, vkey) {
  const key = await logKey(vkey);
  if (!key) return bad("verify-unable");
  try {
    return await check(JSON.parse(text), key);
  } catch (error) {
    if (error instanceof SyntaxError) return bad("verify-form");
    throw error;
  }
}
