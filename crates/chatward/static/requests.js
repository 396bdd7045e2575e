// @ts-check
// The one way by which this page asks its server for anything.

import { Channel } from "./channel.js";

const { pin = "", log = "" } = document.body.dataset;

/** Browsers lend their ciphers only to pages that came over TLS, or from this machine. */
const sealed = isSecureContext && pin !== "";

/**
 * How what is sent is kept from others on the way: `sealed` up to the gateway, by `tls`, or `plain` on one machine.
 * @type {"sealed" | "tls" | "plain"}
 */
export const way = sealed ? "sealed" : location.protocol === "https:" ? "tls" : "plain";

/** The channel, once something was asked. @type {Promise<Channel> | null} */
let channel = null;

/** The token of the session's forms, where somebody is signed in. */
let form = "";

/** @param {string} token */
export function signedIn(token) {
  form = token;
}

/**
 * Asks one of our routes.
 * @param {string} path
 * @param {{ method?: string, headers?: Record<string, string>, body?: BodyInit, signal?: AbortSignal }} [init]
 * @returns {Promise<Response>}
 */
export async function request(path, init = {}) {
  const headers = { ...init.headers };
  if (form) headers["chatward-form"] = form;
  if (!sealed) return fetch(path, { ...init, headers, cache: "no-store", redirect: "error" });
  channel ??= Channel.open({ pin, log });
  return (await channel).fetch(path, { ...init, headers });
}

/**
 * Sends JSON.
 * @param {string} path
 * @param {string} method
 * @param {unknown} body
 * @param {Record<string, string>} [more] further headers
 */
export function send(path, method, body, more = {}) {
  const headers = { "content-type": "application/json", ...more };
  return request(path, { method, headers, body: JSON.stringify(body) });
}

/** What the server's clock is ahead of this page's own count of time, in milliseconds. */
let ahead = performance.timeOrigin;

/** @param {number} now the server's time: this machine's clock may be wrong */
export function clock(now) {
  ahead = now - performance.now();
}

/**
 * The name of a message: a UUID of version 7 (RFC 9562). Whatever is sent under it twice is done once.
 * @returns {string}
 */
export function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let now = Math.floor(ahead + performance.now());
  for (let at = 5; at >= 0; at--) {
    bytes[at] = now % 256;
    now = Math.floor(now / 256);
  }
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
