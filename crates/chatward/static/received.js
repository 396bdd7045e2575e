// @ts-check
// "What the bot received": the request of a turn, shown as it was sent. Text only, never markup.

import { request } from "./requests.js";

/** A placeholder (`[CARD_1 ending 1111]`) or the note of a removal (`[removed: password]`). */
const MARKS = /\[([A-Z][A-Z0-9_]*)_\d+(?: ending [^\]\s]{1,8})?\]|\[removed(?::[^\]]*)?\]/g;

/**
 * The part of a request that a customer cares about.
 * @typedef {{ body: string, message: string | null, placeholders: Map<string, string>, removed: string[] }} Received
 */

/** Whoever is signed in has to show once more who they are. */
export class Unconfirmed extends Error {}

/**
 * Loads what the bot received in this turn; nothing when it received nothing.
 * @param {string} turn
 * @returns {Promise<Received | null>}
 */
export async function load(turn) {
  const headers = { accept: "application/json" };
  const response = await request(`/me/v1/turns/${encodeURIComponent(turn)}/received`, { headers });
  if (response.status === 404) return null;
  if (response.status === 403) throw new Unconfirmed();
  if (!response.ok) throw new Error(`status ${response.status}`);
  // Not `text()`: that would drop a byte order mark, and this is shown exactly as it was sent.
  const body = new TextDecoder("utf-8", { ignoreBOM: true }).decode(await response.arrayBuffer());
  return of(body, lastOfUser(body));
}

/**
 * What is hidden in a message as the bot got it.
 * @param {string} body the whole request
 * @param {string | null} message
 * @returns {Received}
 */
export function of(body, message) {
  /** @type {Map<string, string>} */
  const placeholders = new Map();
  /** @type {string[]} */
  const removed = [];
  for (const match of (message ?? body).matchAll(MARKS)) {
    if (match[1] === undefined) removed.push(match[0]);
    else placeholders.set(match[0], match[1]);
  }
  return { body, message, placeholders, removed };
}

/**
 * The customer's last message in a chat-completions request.
 * @param {string} body
 * @returns {string | null}
 */
function lastOfUser(body) {
  try {
    const content = JSON.parse(body).messages.findLast((/** @type {any} */ line) => line.role === "user").content;
    if (typeof content === "string") return content;
    return content.map((/** @type {any} */ part) => part.text ?? "").join("\n");
  } catch {
    return null;
  }
}

/**
 * Writes a text into an element, with its placeholders marked. The element's text is the text, to the character.
 * @param {Element} place
 * @param {string} text
 */
export function write(place, text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(MARKS)) {
    nodes.push(text.slice(from, match.index));
    const mark = document.createElement("mark");
    mark.textContent = match[0];
    if (match[1] === undefined) mark.className = "gone";
    nodes.push(mark);
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  place.replaceChildren(...nodes);
}

/**
 * What a label stands for, in the page's words: the first kind one of whose words the label holds.
 * @param {string} label
 * @param {ParentNode} kinds
 * @returns {string}
 */
export function meaning(label, kinds) {
  const words = label.split("_");
  const entries = /** @type {HTMLElement[]} */ ([...kinds.querySelectorAll("[data-words]")]);
  const entry = entries.find((kind) => {
    const known = (kind.dataset.words ?? "").split(" ");
    return known.includes("*") || words.some((word) => known.includes(word));
  });
  return entry?.textContent ?? "";
}
