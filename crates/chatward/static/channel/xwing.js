// @ts-check
// X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 together, for senders. X25519 is the platform's; so is ML-KEM where
// the platform has it, else it is loaded. SHA3-256, which joins both, no platform has yet.

import { sha3_256 } from "../vendor/noble-hashes/sha3.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{ algorithm: { name: string }, type: "public", extractable: true, bytes: Bytes }} PublicKey */

const ID = 0x647a;
const NAME = "X-Wing";
const LATTICE = 1184;
const LABEL = new TextEncoder().encode("\\.//^\\");

/** @param {Uint8Array[]} parts @returns {Bytes} */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * @param {Bytes} key
 * @returns {Promise<{ secret: Uint8Array, ciphertext: Uint8Array }>}
 */
async function lattice(key) {
  const native = /** @type {any} */ (crypto.subtle);
  if (typeof native.encapsulateBits === "function") {
    try {
      const name = "ML-KEM-768";
      const imported = await native.importKey("raw-public", key, { name }, false, ["encapsulateBits"]);
      const { sharedKey, ciphertext } = await native.encapsulateBits({ name }, imported);
      return { secret: new Uint8Array(sharedKey), ciphertext: new Uint8Array(ciphertext) };
    } catch (error) {
      // It has the method and not this algorithm. Anything else is wrong with the key, and the other code would find it too.
      if (!(error instanceof DOMException && error.name === "NotSupportedError")) throw error;
    }
  }
  const { ml_kem768 } = await import("../vendor/noble-post-quantum/ml-kem.js");
  const { sharedSecret, cipherText } = ml_kem768.encapsulate(key);
  return { secret: sharedSecret, ciphertext: cipherText };
}

/**
 * @param {Bytes} key
 * @returns {Promise<{ secret: Uint8Array, ciphertext: Uint8Array }>}
 */
async function curve(key) {
  const name = "X25519";
  const theirs = await crypto.subtle.importKey("raw", key, { name }, false, []);
  const own = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey({ name }, false, ["deriveBits"]));
  const algorithm = /** @type {any} */ ({ name, public: theirs });
  const secret = await crypto.subtle.deriveBits(algorithm, own.privateKey, 256);
  const ciphertext = await crypto.subtle.exportKey("raw", own.publicKey);
  return { secret: new Uint8Array(secret), ciphertext: new Uint8Array(ciphertext) };
}

/** What only a receiver does. */
async function receiver() {
  throw new Error("not for receivers");
}

/** The KEM as `hpke` takes one. */
export const KEM_XWING = () => ({
  id: ID,
  type: /** @type {const} */ ("KEM"),
  name: NAME,
  Nsecret: 32,
  Nenc: 1120,
  Npk: 1216,
  Nsk: 32,
  /** @param {Uint8Array} key @returns {Promise<PublicKey>} */
  async DeserializePublicKey(key) {
    return { algorithm: { name: NAME }, type: "public", extractable: true, bytes: key.slice() };
  },
  /** @param {any} key */
  async SerializePublicKey(key) {
    return /** @type {PublicKey} */ (key).bytes;
  },
  /** @param {any} key */
  async Encap(key) {
    const { bytes } = /** @type {PublicKey} */ (key);
    const point = bytes.slice(LATTICE);
    const [m, x] = await Promise.all([lattice(bytes.slice(0, LATTICE)), curve(point)]);
    const shared_secret = sha3_256(concat(m.secret, x.secret, x.ciphertext, point, LABEL));
    return { shared_secret, enc: concat(m.ciphertext, x.ciphertext) };
  },
  DeriveKeyPair: receiver,
  GenerateKeyPair: receiver,
  SerializePrivateKey: receiver,
  DeserializePrivateKey: receiver,
  Decap: receiver,
});
