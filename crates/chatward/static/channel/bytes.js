// @ts-check
// Bytes that come in pieces, read in the lengths that a format asks for; and numbers as RFC 9000 writes them.

import { ChannelError } from "./error.js";
import { concat } from "./xwing.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** @param {number} number @returns {number[]} */
export function varint(number) {
  if (number < 0x40) return [number];
  if (number < 0x4000) return [0x40 | (number >> 8), number & 0xff];
  return [0x80 | (number >> 24), (number >> 16) & 0xff, (number >> 8) & 0xff, number & 0xff];
}

export class Reader {
  #rest = /** @type {Bytes} */ (new Uint8Array());
  #source;

  /** @param {AsyncIterator<Bytes>} source */
  constructor(source) {
    this.#source = source;
  }

  /** Waits for at least one byte. False at the end. @returns {Promise<boolean>} */
  async more() {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) return false;
      this.#rest = value;
    }
    return true;
  }

  /** Some bytes, at least one and at most `most`. @param {number} most @returns {Promise<Bytes>} */
  async some(most) {
    if (!(await this.more())) throw new ChannelError("truncated");
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(most);
    return piece;
  }

  /** So many bytes. @param {number} count @returns {Promise<Bytes>} */
  async take(count) {
    /** @type {Bytes[]} */
    const pieces = [];
    for (let missing = count; missing > 0; ) {
      const piece = await this.some(missing);
      missing -= piece.length;
      pieces.push(piece);
    }
    return concat(...pieces);
  }

  /** All that is left, if it is no more than `most`. @param {number} most @returns {Promise<Bytes>} */
  async all(most) {
    /** @type {Bytes[]} */
    const pieces = [];
    let length = 0;
    while (await this.more()) {
      const piece = await this.some(most + 1);
      length += piece.length;
      if (length > most) throw new ChannelError("altered");
      pieces.push(piece);
    }
    return concat(...pieces);
  }

  /** @returns {Promise<number>} */
  async varint() {
    const [first = 0] = await this.some(1);
    let number = first & 0x3f;
    for (const byte of await this.take((1 << (first >> 6)) - 1)) number = number * 256 + byte;
    if (number > 2 ** 30) throw new ChannelError("altered");
    return number;
  }
}
