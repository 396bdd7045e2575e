// @ts-check
// Binary HTTP (RFC 9292): requests written whole, answers read as they come.

import { Reader, varint } from "./bytes.js";
import { ChannelError } from "./error.js";
import { concat } from "./xwing.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** What the length of a request is filled up to a multiple of. */
const BUCKET = 512;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A part with its length before it. @param {string | Uint8Array} part */
function part(part) {
  const bytes = typeof part === "string" ? encoder.encode(part) : part;
  return concat(Uint8Array.from(varint(bytes.length)), bytes);
}

/**
 * A request of known length, filled up with zeros.
 * @param {string} method
 * @param {string} path
 * @param {Iterable<[string, string]>} headers
 * @param {Uint8Array} body
 * @returns {Bytes}
 */
export function request(method, path, headers, body) {
  const fields = concat(...[...headers].flatMap(([name, value]) => [part(name.toLowerCase()), part(value)]));
  const control = [part(method), part("https"), part(""), part(path)];
  const message = concat(Uint8Array.of(0), ...control, part(fields), part(body), Uint8Array.of(0));
  const padded = new Uint8Array(Math.ceil(message.length / BUCKET) * BUCKET);
  padded.set(message);
  return padded;
}

/** @param {Reader} reader @returns {Promise<Headers>} */
async function fields(reader) {
  const headers = new Headers();
  for (;;) {
    const name = await reader.varint();
    if (name === 0) return headers;
    const text = decoder.decode(await reader.take(name));
    headers.append(text, decoder.decode(await reader.take(await reader.varint())));
  }
}

/**
 * The content up to its end; then nothing but padding may follow.
 * @param {Reader} reader
 * @returns {AsyncGenerator<Bytes, void, void>}
 */
async function* content(reader) {
  for (let length; (length = await reader.varint()) > 0; ) {
    while (length > 0) {
      const piece = await reader.some(length);
      length -= piece.length;
      yield piece;
    }
  }
  await fields(reader);
  while (await reader.more()) {
    if ((await reader.some(65536)).some((byte) => byte !== 0)) throw new ChannelError("altered");
  }
}

/**
 * An answer of indeterminate length. Its body ends well only if the last byte of it has come.
 * @param {AsyncIterator<Bytes>} text
 * @returns {Promise<Response>}
 */
export async function answer(text) {
  const reader = new Reader(text);
  if ((await reader.varint()) !== 3) throw new ChannelError("altered");
  const status = await reader.varint();
  const headers = await fields(reader);
  const pieces = content(reader);
  if (status === 204 || status === 304) {
    for await (const _ of pieces);
    return new Response(null, { status, headers });
  }
  const body = new ReadableStream({
    async pull(to) {
      try {
        const { done, value } = await pieces.next();
        if (done) to.close();
        else to.enqueue(value);
      } catch (error) {
        to.error(error);
      }
    },
    async cancel() {
      await pieces.return();
      await text.return?.();
    },
  });
  return new Response(body, { status, headers });
}
