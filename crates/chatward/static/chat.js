// @ts-check
// The chat page: sends a message, shows the answer as it grows, and what the bot received of it. All words come
// from the server, in the page's templates; this file holds none.

import { Answer, forPerson, fromPerson, question, reveal } from "./answer.js";
import * as frame from "./frame.js";
import { hint } from "./hints.js";
import { announce, bottom, one, rest } from "./page.js";
import { clock, key, request, signedIn } from "./requests.js";
import { consents, tips } from "./shield.js";
import { said } from "./stream.js";

const log = one(document, "#log", HTMLElement);
const form = one(document, "#form", HTMLFormElement);
const field = one(document, "#text", HTMLTextAreaElement);
const send = one(document, "#send", HTMLButtonElement);
const stop = one(document, "#stop", HTMLButtonElement);
const intro = one(document, "#intro", HTMLElement);
const warn = one(document, "#warn", HTMLElement);
const badge = one(document, "#bot-notice", HTMLElement);
const tip = one(document, "#tip", HTMLElement);
const examples = document.querySelector("#examples");
const attach = document.querySelector("#attach");
const file = document.querySelector("#file");

/** How often a broken connection is made again, and after how many milliseconds. */
const AGAIN = [500, 1000, 2000, 4000, 8000];
/** How often it is asked who answers: at first, and at the most while nothing happens. */
const BEAT = 4000;
const SLOW = 60_000;

/** The answer that is being written now. @type {AbortController | null} */
let running = null;
/** Whether messages may be sent: no question of consent is open. */
let free = false;
/** The time of the newest thing that a person wrote. */
let wrote = 0;
let beat = BEAT;
/** Whether a tip was given in this conversation. */
let tipped = false;
/** @type {ReturnType<typeof tips>} */
let advice = { wanted: () => false, never: () => {} };

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value;
  if (running || !free || text.trim() === "") return;
  field.value = "";
  warn.textContent = "";
  fit();
  void talk({ text });
});

field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

/** @type {ReturnType<typeof setTimeout> | undefined} */
let pause;
field.addEventListener("input", () => {
  fit();
  clearTimeout(pause);
  pause = setTimeout(() => {
    const words = warn.dataset[hint(field.value) ?? ""] ?? "";
    if (warn.textContent !== words) warn.textContent = words;
  }, 300);
});

for (const example of examples?.querySelectorAll("button") ?? []) {
  example.addEventListener("click", () => {
    if (running || !free) return;
    field.focus();
    void talk({ text: example.dataset.text ?? "" });
  });
}

if (attach instanceof HTMLButtonElement && file instanceof HTMLInputElement) {
  attach.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (chosen && !running && free) void talk({ file: chosen });
  });
}

/** Lets the field grow with its text, up to the limit of the style sheet. */
function fit() {
  field.style.setProperty("height", "auto");
  field.style.setProperty("height", `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`);
}

/** @param {boolean} may */
function setFree(may) {
  free = may;
  field.disabled = !may;
  send.disabled = !may;
  for (const button of form.querySelectorAll("#attach, #examples button")) {
    if (button instanceof HTMLButtonElement) button.disabled = !may;
  }
}

/**
 * What is sent: words or a file.
 * @typedef {{ text: string, file?: undefined } | { file: File, text?: undefined }} Sent
 */

/**
 * Sends it under its name.
 * @param {Sent} sent
 * @param {string} name
 * @param {AbortSignal} signal
 */
function post(sent, name, signal) {
  const headers = { accept: "text/event-stream", "idempotency-key": name };
  if (sent.file === undefined) {
    const body = JSON.stringify({ text: sent.text });
    return request("/chat/v1/messages", { method: "POST", headers: { ...headers, "content-type": "application/json" }, body, signal });
  }
  const more = { "content-type": "application/octet-stream", "chatward-file": encodeURIComponent(sent.file.name) };
  return request("/chat/v1/files", { method: "POST", headers: { ...headers, ...more }, body: sent.file, signal });
}

/**
 * One turn: the customer's message and the answer to it.
 * @param {Sent} sent
 * @param {HTMLElement | null} [asked] the message, if it stands there already
 */
async function talk(sent, asked = null) {
  const control = new AbortController();
  running = control;
  send.hidden = true;
  stop.hidden = false;
  intro.hidden = true;
  if (examples instanceof HTMLDetailsElement) examples.open = false;
  const mine = asked ?? question(sent.file === undefined ? sent.text : `\u{1F4CE} ${sent.file.name}`);
  const answer = new Answer();
  bottom();
  const name = key();
  const halt = () => {
    control.abort();
    // The server reads on for who comes back; nobody does.
    void request("/chat/v1/stop", { method: "POST", headers: { "idempotency-key": name } }).catch(() => {});
    field.focus();
  };
  stop.addEventListener("click", halt);
  const turn = await hear(sent, name, control.signal, mine, answer);
  stop.removeEventListener("click", halt);
  answer.end(turn);
  running = null;
  stop.hidden = true;
  send.hidden = false;
  beat = BEAT;
}

/**
 * Sends the message until its answer is here. However often that takes, it is one message to the server.
 * @param {Sent} sent
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {HTMLElement} mine
 * @param {Answer} answer
 * @returns {Promise<string | null>} its turn
 */
async function hear(sent, name, signal, mine, answer) {
  /** @type {string | null} */
  let turn = null;
  const again = () => void talk(sent, mine);
  for (let tries = 0; ; tries++) {
    try {
      const response = await post(sent, name, signal);
      answer.reconnecting(false);
      if (response.status !== 409) {
        const named = response.headers.get("chatward-turn");
        if (named && !turn) arrived(mine, named, response);
        turn = named ?? turn;
        answer.warn(response.headers.get("chatward-threats"));
        if (!response.ok) {
          await refused(response, sent, answer, again);
          return turn;
        }
        if (response.headers.get("chatward-answers") === "person") {
          answers("person");
          forPerson(mine);
          answer.remove();
          return turn;
        }
        answers("bot");
        if (await answer.follow(response)) {
          if (!answer.started && answer.heard === "") answer.fail("empty");
          return turn;
        }
      }
    } catch {
      // Told below.
    }
    if (signal.aborted) {
      // Only the rest is missing.
      answer.fail("stopped");
      return turn;
    }
    const wait = AGAIN[tries];
    if (wait === undefined) {
      answer.fail(answer.started ? "cut" : "offline");
      answer.retry(again);
      return turn;
    }
    answer.reconnecting(true);
    await Promise.race([rest(wait), new Promise((done) => signal.addEventListener("abort", done, { once: true }))]);
  }
}

/**
 * The message has arrived and is durable.
 * @param {HTMLElement} mine
 * @param {string} turn
 * @param {Response} response
 */
function arrived(mine, turn, response) {
  if (response.headers.get("chatward-answers") !== "person") reveal(mine, turn);
  const removed = response.headers.get("chatward-removed") ?? "";
  if (mine.querySelector(".words")?.textContent?.startsWith("\u{1F4CE}")) give("file");
  else if (removed !== "") give(/cvv|cvc|card|pin/.test(removed) ? "card-code" : "password");
}

/**
 * @param {Response} response
 * @param {Sent} sent
 * @param {Answer} answer
 * @param {() => void} again
 */
async function refused(response, sent, answer, again) {
  const told = await response.json().catch(() => null);
  const code = told?.code ?? told?.error?.code ?? "";
  const why = reason(response.status, code, sent.file !== undefined);
  // Only a refusal has something to say about the message itself.
  answer.fail(why, why === "refused" ? said(told) : null);
  if (code === "no-consent") void consents(setFree);
  if (["busy", "server"].includes(why)) answer.retry(again);
}

/**
 * The page's word for a refusal.
 * @param {number} status
 * @param {string} code
 * @param {boolean} isFile
 */
function reason(status, code, isFile) {
  if (status === 429) return "busy";
  if (status === 413) return isFile ? "fileLarge" : "large";
  if (status === 415) return "fileKind";
  if (code === "file-refused") return "fileRefused";
  if (status === 422) return "fileUnreadable";
  if (status === 401) return "unknown";
  if (code === "no-consent") return "consent";
  return status < 500 ? "refused" : "server";
}

/**
 * Who answers from now on. A change is said aloud.
 * @param {string} who
 */
function answers(who) {
  if (badge.dataset.answers === who) return;
  badge.dataset.answers = who;
  const place = one(badge, "#answers", HTMLElement);
  place.textContent = place.dataset[who] ?? "";
  announce(place.textContent);
}

/**
 * Gives a tip, at most one in a conversation.
 * @param {string} which
 */
function give(which) {
  if (tipped || !advice.wanted()) return;
  tipped = true;
  const texts = one(document, "#tips-texts", HTMLTemplateElement).content;
  const text = texts.querySelector(`[data-tip="${which}"]`);
  const choices = texts.querySelector(".choices");
  if (!text || !choices) return;
  tip.replaceChildren(text.cloneNode(true), choices.cloneNode(true));
  const done = () => {
    tip.replaceChildren();
    field.focus();
  };
  one(tip, "[data-done]", HTMLButtonElement).addEventListener("click", done);
  one(tip, "[data-never]", HTMLButtonElement).addEventListener("click", () => {
    advice.never();
    done();
  });
}

/**
 * The conversation as the server tells it.
 * @typedef {{ turn: string, at: number, to: string, state: string, you?: string, seen?: string, answer?: string }} Turn
 * @typedef {{ answers: string, turns: Turn[], said: { at: number, text: string }[], tips: boolean, now: number, form?: string }} Told
 */

/** @param {Turn} turn */
function restore(turn) {
  if (turn.you === undefined) return;
  const mine = question(turn.you);
  if (turn.to === "person") return forPerson(mine);
  reveal(mine, turn.turn, turn.seen ?? "");
  if ((turn.seen ?? "").includes("[removed")) tipped = true;
  const answer = new Answer();
  if (turn.answer !== undefined) answer.add(turn.answer);
  if (turn.state === "abandoned") answer.fail("stopped");
  else if (turn.state !== "closed") answer.fail("cut");
  else if (turn.answer === undefined) answer.fail("empty");
  answer.end(turn.turn);
}

/** What was said so far; nobody is read what they know. */
async function history() {
  const response = await request("/chat/v1/messages").catch(() => null);
  if (!response?.ok) {
    one(document, "#history-problem", HTMLElement).hidden = response?.status === 401;
    return;
  }
  /** @type {Told} */
  const told = await response.json();
  clock(told.now);
  if (told.form) signedIn(told.form);
  advice = tips(told.tips);
  answers(told.answers);
  /** @type {{ at: number, show: () => void }[]} */
  const all = [
    ...told.turns.map((turn) => ({ at: turn.at, show: () => restore(turn) })),
    ...told.said.map(({ at, text }) => ({ at, show: () => fromPerson(text) })),
  ];
  wrote = Math.max(0, ...told.said.map(({ at }) => at));
  if (all.length === 0) return;
  log.setAttribute("aria-live", "off");
  intro.hidden = true;
  if (examples instanceof HTMLDetailsElement) examples.open = false;
  all.sort((one, other) => one.at - other.at).forEach(({ show }) => show());
  bottom();
  await rest(50);
  log.removeAttribute("aria-live");
}

/** Asks from time to time who answers, and shows what people write. */
async function watch() {
  for (;;) {
    await rest(beat);
    if (document.visibilityState !== "visible" || running) continue;
    beat = badge.dataset.answers === "person" ? BEAT : Math.min(beat * 1.25, SLOW);
    const response = await request("/chat/v1/state").catch(() => null);
    if (!response?.ok) continue;
    const state = await response.json();
    answers(state.answers);
    if (state.wrote <= wrote) continue;
    const more = await request(`/chat/v1/messages?after=${wrote}`).catch(() => null);
    if (!more?.ok) continue;
    /** @type {Told} */
    const told = await more.json();
    intro.hidden = true;
    for (const { at, text } of told.said) {
      fromPerson(text);
      wrote = Math.max(wrote, at);
    }
  }
}

document.addEventListener("visibilitychange", () => (beat = BEAT));

frame.listen(() => field.focus());
document.querySelector("#close")?.addEventListener("click", frame.close);
document.querySelector("[data-passage]")?.addEventListener("click", async (event) => {
  event.preventDefault();
  const link = /** @type {HTMLAnchorElement} */ (event.currentTarget);
  (await import("./passage.js")).pass(link);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) frame.close();
});

async function start() {
  setFree(false);
  await history();
  await consents(setFree);
  if (frame.framed) field.focus();
  await watch();
}
void start();
