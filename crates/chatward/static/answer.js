// @ts-check
// Messages on the page: the customer's own, what the bot answers, what a person writes.

import { atBottom, bottom, copy, one } from "./page.js";
import { Unconfirmed, load, meaning, of, write } from "./received.js";
import { events, piece } from "./stream.js";

const log = one(document, "#log", HTMLElement);
const kinds = one(document, "#kinds", HTMLTemplateElement).content;
const plural = new Intl.PluralRules(document.documentElement.lang);
/** What stands before the text of an attached file. */
const FILE = "\u{1F4CE} ";

/**
 * What can be done with a message: loaded with the first that has something.
 * @param {HTMLElement} message
 * @param {string | null} turn
 */
async function acts(message, turn) {
  const flags = await import("./flags.js").catch(() => null);
  const follow = atBottom();
  flags?.acts(message, turn);
  if (follow) bottom();
}

/**
 * The customer's own message.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function question(text) {
  const message = copy("#you");
  const words = one(message, ".words", HTMLElement);
  const file = text.startsWith(FILE) ? text.indexOf("\n") : -1;
  words.textContent = file > 0 ? text.slice(0, file) : text;
  if (file > 0) {
    // A whole file would bury the conversation.
    const whole = one(message, ".whole", HTMLDetailsElement);
    one(whole, "summary", HTMLElement).textContent = text.slice(FILE.length, file);
    one(whole, "p", HTMLElement).textContent = text.slice(file).trim();
    whole.hidden = false;
    words.hidden = true;
  }
  log.append(message);
  return message;
}

/**
 * Says that a person will read it.
 * @param {HTMLElement} message
 */
export function forPerson(message) {
  one(message, ".read-by", HTMLElement).hidden = false;
}

/**
 * What a person of the house wrote.
 * @param {string} text
 */
export function fromPerson(text) {
  const message = copy("#person");
  one(message, ".words", HTMLElement).textContent = text;
  void acts(message, null);
  const follow = atBottom();
  log.append(message);
  if (follow) bottom();
}

/** The bot's answer on the page. */
export class Answer {
  constructor() {
    this.message = copy("#bot");
    this.text = document.createTextNode("");
    /** What has come of it this time: after a broken connection it is told once more from its beginning. */
    this.heard = "";
    one(this.message, ".words", HTMLElement).append(this.text);
    log.append(this.message);
  }

  /** Whether anything of the answer arrived. */
  get started() {
    return this.text.length > 0;
  }

  /**
   * Shows the answer as it arrives. Says whether it is whole.
   * @param {Response} response
   * @returns {Promise<boolean>}
   */
  async follow(response) {
    if (!response.body) return false;
    this.heard = "";
    let done = false;
    for await (const data of events(response.body)) {
      if (data[0] === ":") this.warn(data);
      const next = piece(data);
      if (next.problem !== null) {
        this.fail("cut", next.problem);
        return true;
      }
      this.add(next.text);
      done ||= next.done;
    }
    return done;
  }

  /** @param {string} text */
  add(text) {
    if (text === "") return;
    this.heard += text;
    const shown = this.text.data;
    if (shown.startsWith(this.heard)) return;
    const follow = atBottom();
    // Only what is new is written, so that nothing is read out twice.
    if (this.heard.startsWith(shown)) this.text.appendData(this.heard.slice(shown.length));
    else this.text.data = this.heard;
    this.message.classList.add("started");
    if (follow) bottom();
  }

  /** @param {boolean} on whether the connection is being made again */
  reconnecting(on) {
    one(this.message, ".again", HTMLElement).hidden = !on;
  }

  /**
   * Says kindly what went wrong: the page's sentence, then the server's own words, if it has any.
   * @param {string} what
   * @param {string | null} [words]
   */
  fail(what, words = null) {
    const follow = atBottom();
    const place = one(this.message, ".problem", HTMLElement);
    place.textContent = [place.dataset[what], words].filter(Boolean).join(" ");
    place.hidden = false;
    if (follow) bottom();
  }

  /** Warns, if the house asks for that. @param {string | null} threats */
  warn(threats) {
    if (threats?.includes("; warn")) this.fail("warned");
  }

  /**
   * Offers to try again.
   * @param {() => void} again
   */
  retry(again) {
    const button = one(this.message, ".retry", HTMLButtonElement);
    button.hidden = false;
    button.addEventListener("click", () => {
      button.remove();
      again();
    }, { once: true });
  }

  /**
   * The answer is whole; from here on screen readers read it.
   * @param {string | null} turn
   */
  end(turn) {
    one(this.message, ".writing", HTMLElement).remove();
    one(this.message, ".again", HTMLElement).remove();
    if (turn && this.started) void acts(this.message, turn);
    this.message.setAttribute("aria-busy", "false");
  }

  /** Nothing is said: a person answers later. */
  remove() {
    this.message.remove();
  }
}

/**
 * Offers "What the bot received" under a message, and says how much of it was protected.
 * @param {HTMLElement} message
 * @param {string} turn
 * @param {string | null} [seen] the message as the bot got it, where that is known already
 */
export function reveal(message, turn, seen = null) {
  const details = one(message, "details.received", HTMLDetailsElement);
  let loaded = false;
  const show = async () => {
    if (loaded) return;
    loaded = true;
    const state = one(message, ".state", HTMLElement);
    state.hidden = false;
    state.textContent = state.dataset.wait ?? "";
    try {
      const received = await load(turn);
      state.hidden = received !== null;
      if (received) fill(message, received);
      else state.textContent = state.dataset.nothing ?? "";
    } catch (error) {
      loaded = false;
      const unconfirmed = error instanceof Unconfirmed;
      state.hidden = unconfirmed;
      state.textContent = unconfirmed ? "" : state.dataset.failed ?? "";
      one(message, ".confirm", HTMLElement).hidden = !unconfirmed;
    }
  };
  details.hidden = false;
  details.addEventListener("toggle", () => {
    if (details.open) void show();
  });
  void acts(message, turn);
  // It is durable before the answer begins, so the chips can be right at once.
  if (seen === null) void show();
  else chips(message, of("", seen));
}

/**
 * @param {HTMLElement} message
 * @param {import("./received.js").Received} received
 */
function chips(message, received) {
  count(one(message, ".chip.protected", HTMLElement), received.placeholders.size);
  count(one(message, ".chip.removed", HTMLElement), received.removed.length);
}

/**
 * @param {HTMLElement} message
 * @param {import("./received.js").Received} received
 */
function fill(message, received) {
  const follow = atBottom();
  chips(message, received);
  write(one(message, ".seen", HTMLElement), received.message ?? "");
  write(one(message, ".exact", HTMLElement), received.body);
  const legend = one(message, ".legend", HTMLElement);
  const entries = [...received.placeholders, ...new Set(received.removed)].map((entry) => {
    const [mark, label] = typeof entry === "string" ? [entry, "REMOVED"] : entry;
    const item = document.createElement("li");
    const words = document.createElement("span");
    write(item, mark);
    words.textContent = meaning(label, kinds);
    item.append(" ", words);
    return item;
  });
  legend.replaceChildren(...entries);
  legend.hidden = entries.length === 0;
  one(message, ".plain", HTMLElement).hidden = entries.length > 0;
  one(message, ".found", HTMLElement).hidden = false;
  if (follow) bottom();
}

/**
 * Writes a number into a chip; none, no chip.
 * @param {HTMLElement} chip
 * @param {number} n
 */
function count(chip, n) {
  const form = plural.select(n) === "one" ? chip.dataset.one : chip.dataset.other;
  chip.textContent = (form ?? "").replace("{n}", String(n));
  chip.hidden = n === 0;
}
