// @ts-check
// The chat page: sends a message, shows the answer as it grows, and what the bot received of it. All words come
// from the server, in the page's templates; this file holds none.

import { load, meaning, write } from "./received.js";
import { events, piece, said } from "./stream.js";

/**
 * The one element that matches; the page always has it.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{ new (): T }} type
 * @returns {T}
 */
function one(root, selector, type) {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${selector}`);
}

const log = one(document, "#log", HTMLElement);
const form = one(document, "#form", HTMLFormElement);
const field = one(document, "#text", HTMLTextAreaElement);
const send = one(document, "#send", HTMLButtonElement);
const stop = one(document, "#stop", HTMLButtonElement);
const intro = one(document, "#intro", HTMLElement);
const examples = one(document, "#examples", HTMLDetailsElement);
const kinds = one(document, "#kinds", HTMLTemplateElement).content;
const plural = new Intl.PluralRules(document.documentElement.lang);

/** The answer that is being written now. @type {AbortController | null} */
let running = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value;
  if (running || text.trim() === "") return;
  field.value = "";
  fit();
  void talk(text);
});

field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
field.addEventListener("input", fit);

stop.addEventListener("click", () => {
  running?.abort();
  field.focus();
});

for (const example of examples.querySelectorAll("button")) {
  example.addEventListener("click", () => {
    if (running) return;
    field.focus();
    void talk(example.dataset.text ?? "");
  });
}

/** Lets the field grow with its text, up to the limit of the style sheet. */
function fit() {
  field.style.setProperty("height", "auto");
  field.style.setProperty("height", `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`);
}

/**
 * One turn: the customer's message and the answer to it.
 * @param {string} text
 */
async function talk(text) {
  const control = new AbortController();
  running = control;
  send.hidden = true;
  stop.hidden = false;
  intro.hidden = true;
  examples.open = false;
  const question = ask(text);
  const answer = new Answer();
  bottom();
  try {
    const response = await fetch("/chat/v1/messages", {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify({ text }),
      signal: control.signal,
      cache: "no-store",
      redirect: "error",
    });
    const turn = response.headers.get("chatward-turn");
    if (turn) reveal(question, turn);
    if (response.ok && response.body) await answer.follow(response);
    else {
      const why = reason(response.status);
      // Only a refusal has something to say about the message itself; the rest is not the customer's concern.
      answer.fail(why, why === "refused" ? said(await response.json().catch(() => null)) : null);
    }
  } catch {
    // What was written so far stays; only the rest is missing.
    if (control.signal.aborted) answer.fail("stopped");
    else answer.fail(answer.started ? "cut" : "offline");
  } finally {
    answer.end();
    running = null;
    stop.hidden = true;
    send.hidden = false;
  }
}

/**
 * The page's word for a refusal.
 * @param {number} status
 */
function reason(status) {
  if (status === 429) return "busy";
  if (status === 413) return "large";
  if (status === 401) return "unknown";
  return status < 500 ? "refused" : "server";
}

/**
 * Shows the customer's own message.
 * @param {string} text
 * @returns {HTMLElement}
 */
function ask(text) {
  const message = copy("#you");
  one(message, ".words", HTMLElement).textContent = text;
  log.append(message);
  return message;
}

/** The bot's answer on the page. */
class Answer {
  constructor() {
    this.message = copy("#bot");
    this.text = document.createTextNode("");
    one(this.message, ".words", HTMLElement).append(this.text);
    log.append(this.message);
  }

  /** Whether anything of the answer arrived. */
  get started() {
    return this.text.length > 0;
  }

  /**
   * Lets the answer grow as it arrives.
   * @param {Response} response
   */
  async follow(response) {
    if (response.headers.get("content-type")?.startsWith("application/json")) {
      this.add(piece(await response.text()).text);
      if (!this.started) this.fail("empty");
      return;
    }
    let done = false;
    if (!response.body) return;
    for await (const data of events(response.body)) {
      const next = piece(data);
      this.add(next.text);
      if (next.problem !== null) return this.fail(this.started ? "cut" : "server", next.problem || null);
      if (next.done) {
        done = true;
        break;
      }
    }
    if (!done) this.fail("cut");
    else if (!this.started) this.fail("empty");
  }

  /** @param {string} text */
  add(text) {
    if (text === "") return;
    const follow = atBottom();
    this.text.appendData(text);
    this.message.classList.add("started");
    if (follow) bottom();
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

  /** The answer is whole; from here on screen readers read it. */
  end() {
    one(this.message, ".writing", HTMLElement).remove();
    this.message.setAttribute("aria-busy", "false");
  }
}

/**
 * Offers "What the bot received" under a message, and says how much of it was protected.
 * @param {HTMLElement} message
 * @param {string} turn
 */
function reveal(message, turn) {
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
    } catch {
      loaded = false;
      state.textContent = state.dataset.failed ?? "";
    }
  };
  details.hidden = false;
  details.addEventListener("toggle", () => {
    if (details.open) void show();
  });
  // It is durable before the answer begins, so the chips can be right at once.
  void show();
}

/**
 * @param {HTMLElement} message
 * @param {import("./received.js").Received} received
 */
function fill(message, received) {
  const follow = atBottom();
  count(one(message, ".chip.protected", HTMLElement), received.placeholders.size);
  count(one(message, ".chip.removed", HTMLElement), received.removed.length);
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

/**
 * A fresh copy of a template's element.
 * @param {string} id
 * @returns {HTMLElement}
 */
function copy(id) {
  const element = one(document, id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (element instanceof HTMLElement) return element;
  throw new Error(`the page has no ${id}`);
}

/** Whether the reader is at the end of the conversation, or nearly. */
function atBottom() {
  const page = document.documentElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight < 80;
}

function bottom() {
  const page = document.documentElement;
  page.scrollTop = page.scrollHeight;
}
