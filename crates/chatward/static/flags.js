// @ts-check
// What can be done with a message: copy it, or say that it is wrong.

import { copy, one } from "./page.js";
import { key, send } from "./requests.js";

/**
 * Puts the acts under a message.
 * @param {HTMLElement} message
 * @param {string | null} turn without one it can only be copied
 */
export function acts(message, turn) {
  const row = copy("#acts");
  const button = one(row, ".copy", HTMLButtonElement);
  const name = button.textContent;
  button.addEventListener("click", () => {
    const text = one(message, ".words", HTMLElement).textContent ?? "";
    navigator.clipboard.writeText(text).then(() => {
      button.textContent = button.dataset.copied ?? "";
      setTimeout(() => (button.textContent = name), 2000);
    }, () => {});
  });
  const details = one(row, ".flag", HTMLDetailsElement);
  if (turn) offer(details, turn);
  else details.remove();
  message.append(row);
}

/**
 * @param {HTMLDetailsElement} details
 * @param {string} turn
 */
function offer(details, turn) {
  const words = one(details, "textarea", HTMLTextAreaElement);
  const state = one(details, ".state", HTMLElement);
  const name = key();
  for (const button of details.querySelectorAll("button")) {
    button.addEventListener("click", async () => {
      const { reason = "" } = button.dataset;
      const body = { turn, reason, words: words.value };
      const sent = await send("/me/v1/flags", "POST", body, { "idempotency-key": name }).catch(() => null);
      state.hidden = false;
      state.textContent = (sent?.ok ? state.dataset.received : state.dataset.failed) ?? "";
      if (!sent?.ok) return;
      one(details, ".reasons", HTMLElement).remove();
      words.parentElement?.remove();
      one(details, "summary", HTMLElement).focus();
    });
  }
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    event.stopPropagation();
    details.open = false;
    one(details, "summary", HTMLElement).focus();
  });
}
