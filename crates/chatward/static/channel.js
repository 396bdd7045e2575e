// @ts-check
// The encrypted channel from this page to the gateway. Whoever stands in between sees sealed requests and sealed answers; the gateway
// itself reads, because it has to look for what must not go to the bot.
//
//     const { pin, log } = document.body.dataset;
//     const channel = await Channel.open({ pin, log });
//     const answer = await channel.fetch("/chat/v1/messages", { method: "POST", body: JSON.stringify({ text }), … });
//
// `fetch` takes and gives what the platform's own does. The body of a stream comes as the gateway sends it; a body that breaks off
// ends in a `ChannelError` of kind `truncated`, never in silence. Nothing is kept: a page that is loaded anew has a new key.

import { answer, request } from "./channel/binary.js";
import { ChannelError } from "./channel/error.js";
import { newest, textOf } from "./channel/keys.js";
import { seal } from "./channel/seal.js";

export { ChannelError };

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{ method?: string, headers?: HeadersInit, body?: BodyInit | null, signal?: AbortSignal | null }} Asked */

const GATEWAY = "/.well-known/ohttp-gateway";
const KEY_LIST = "/channel/v1/keys";
const SESSION = "/chat/v1/session";
const PARAMETERS =
  '("@method" "@path" "@query" "content-digest" "chatward-session" "chatward-counter");alg="ed25519"';
/** How long before its end a session is renewed, in milliseconds. */
const EARLY = 60_000;

/** @param {ReadableStream<Bytes>} body @returns {AsyncGenerator<Bytes, void, void>} */
async function* pieces(body) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    throw new ChannelError("truncated", { cause });
  } finally {
    reader.cancel().catch(() => {});
  }
}

export class Channel {
  #base;
  #pin;
  #log;
  #pair;
  #counter = 0;
  /** @type {Promise<import("./channel/keys.js").Key> | null} */
  #key = null;
  /** @type {Promise<{ token: string, until: number }> | null} */
  #session = null;

  /** @param {string} base @param {string} pin @param {string} log @param {CryptoKeyPair} pair */
  constructor(base, pin, log, pair) {
    this.#base = base;
    this.#pin = pin;
    this.#log = log;
    this.#pair = pair;
  }

  /**
   * A channel with a key pair of its own, whose private half no script can read. Nothing is sent yet.
   * @param {{ base?: string, pin?: string, log?: string }} to the gateway's origin (default: the page's), the public key that signs its
   *   list of keys, and the key of its log
   * @returns {Promise<Channel>}
   */
  static async open({ base = "", pin = "", log = "" }) {
    const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    return new Channel(base, pin, log, /** @type {CryptoKeyPair} */ (pair));
  }

  /**
   * Asks one of the customer's own routes (`/chat/v1/…`, `/me/v1/…`, `/account/v1/…`).
   * @param {string} path with its query
   * @param {Asked} [asked]
   * @returns {Promise<Response>}
   * @throws {ChannelError} and, where the signal says so, an `AbortError`
   */
  async fetch(path, { method = "GET", headers, body, signal } = {}) {
    const plain = new Response(body ?? null);
    const bytes = new Uint8Array(await plain.arrayBuffer());
    const fields = new Headers(headers);
    const kind = plain.headers.get("content-type");
    if (kind && !fields.has("content-type")) fields.set("content-type", kind);
    const send = async () => this.#send(method, path, await this.#signed(method, path, fields, bytes), bytes, signal);
    const given = await send();
    if (given.status !== 401) return given;
    // Over, or unknown after a restart: once more with a new session. Nothing was done yet.
    const { code } = await given.clone().json().catch(() => ({}));
    if (code !== "channel-session") return given;
    this.#session = null;
    return send();
  }

  /**
   * Where the list of keys stands in the gateway's public log; throws if that is not proven. The key of that list is used from then on.
   * The proof of a new list is there about a second after it.
   * @returns {Promise<{ index: number, size: number }>}
   */
  async proven() {
    const { proven } = await import("./channel/log.js");
    for (let tries = 0; tries < 8; tries++) {
      const given = await this.#ask(KEY_LIST, {});
      const fetched = await given.json().catch(() => null);
      const key = await newest(fetched, this.#pin, Date.now());
      if (fetched.log) {
        const place = await proven(fetched, this.#log).catch((cause) => {
          throw new ChannelError("keys", { cause });
        });
        this.#key = Promise.resolve({ ...key, until: Math.max(key.until, Date.now() + EARLY) });
        return place;
      }
      await new Promise((done) => setTimeout(done, 500));
    }
    throw new ChannelError("keys");
  }

  /**
   * The headers with the proof that this page sends them (RFC 9421): token, counter, signature.
   * @param {string} method @param {string} path @param {Headers} headers @param {Bytes} body
   */
  async #signed(method, path, headers, body) {
    const { token } = await this.#registered();
    const counter = String(++this.#counter);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
    const digest = `sha-256=:${textOf(hash)}:`;
    const [, only, query] = /** @type {RegExpMatchArray} */ (path.match(/^([^?]*)\??([^]*)$/));
    const base = [
      `"@method": ${method}`,
      `"@path": ${only}`,
      `"@query": ?${query}`,
      `"content-digest": ${digest}`,
      `"chatward-session": ${token}`,
      `"chatward-counter": ${counter}`,
      `"@signature-params": ${PARAMETERS}`,
    ].join("\n");
    const signature = await crypto.subtle.sign("Ed25519", this.#pair.privateKey, new TextEncoder().encode(base));
    const signed = new Headers(headers);
    signed.set("chatward-session", token);
    signed.set("chatward-counter", counter);
    signed.set("content-digest", digest);
    signed.set("signature-input", `chatward=${PARAMETERS}`);
    signed.set("signature", `chatward=:${textOf(new Uint8Array(signature))}:`);
    return signed;
  }

  /** The session of this page; registered at its first use, and anew before it ends. @returns {Promise<{ token: string, until: number }>} */
  async #registered() {
    const asked = (this.#session ??= this.#register());
    try {
      const known = await asked;
      if (known.until - EARLY > Date.now()) return known;
    } catch (error) {
      if (this.#session === asked) this.#session = null;
      throw error;
    }
    if (this.#session === asked) this.#session = null;
    return this.#registered();
  }

  async #register() {
    const key = new Uint8Array(await crypto.subtle.exportKey("raw", this.#pair.publicKey));
    const body = new TextEncoder().encode(JSON.stringify({ key: textOf(key, true) }));
    const headers = new Headers({ "content-type": "application/json" });
    const given = await this.#send("POST", SESSION, headers, body);
    if (!given.ok) throw new ChannelError("refused", { status: given.status, code: (await given.json()).code });
    const { token, until } = await given.json();
    // By the clock of this machine, which need not be right.
    return { token, until: Math.max(until, Date.now() + 2 * EARLY) };
  }

  /**
   * Seals and sends. If the gateway does not know the key any more, the list is fetched once and the request is sealed anew. What says
   * so is not sealed, so it is believed once.
   * @param {string} method @param {string} path @param {Headers} headers @param {Bytes} body @param {AbortSignal | null} [signal]
   * @returns {Promise<Response>}
   */
  async #send(method, path, headers, body, signal) {
    for (let last = false; ; last = true) {
      const to = await this.#newest(last);
      const { sealed, open } = await seal(to, request(method, path, headers, body));
      const type = "message/ohttp-chunked-req";
      const outer = { method: "POST", headers: { "content-type": type }, body: sealed, signal };
      const given = await this.#ask(GATEWAY, outer);
      if (given.ok && given.headers.get("content-type") === "message/ohttp-chunked-res" && given.body) {
        return answer(open(pieces(given.body)));
      }
      const { code } = await given.json().catch(() => ({}));
      if (last || code !== "ohttp-key") throw new ChannelError("refused", { status: given.status, code });
    }
  }

  /** The key to seal to; fetched at its first use, and anew when it ends. @param {boolean} anew @returns {Promise<import("./channel/keys.js").Key>} */
  async #newest(anew) {
    if (anew) this.#key = null;
    const asked = (this.#key ??= this.#fetched());
    try {
      const known = await asked;
      if (known.until > Date.now()) return known;
    } catch (error) {
      if (this.#key === asked) this.#key = null;
      throw error;
    }
    if (this.#key === asked) this.#key = null;
    return this.#newest(false);
  }

  async #fetched() {
    const given = await this.#ask(KEY_LIST, {});
    if (!given.ok) throw new ChannelError("keys", { status: given.status });
    const key = await newest(await given.json().catch(() => null), this.#pin, Date.now());
    // By a clock that is wrong it would be over at once.
    return { ...key, until: Math.max(key.until, Date.now() + EARLY) };
  }

  /** @param {string} path @param {RequestInit} how */
  async #ask(path, how) {
    try {
      return await fetch(this.#base + path, { ...how, cache: "no-store", redirect: "error" });
    } catch (cause) {
      if (how.signal?.aborted) throw cause;
      throw new ChannelError("network", { cause });
    }
  }
}
