// @ts-check
// Behind the shield: who can read what, and what the customer's data may be used for; and the same question before the first
// message, where it has to be asked.

import { copy, one } from "./page.js";
import { request, send, way } from "./requests.js";

const dialog = one(document, "#shield", HTMLDialogElement);
const opener = one(document, "#shield-open", HTMLButtonElement);
const asked = one(document, "#consent", HTMLElement);
const problem = one(document, "#consent-problem", HTMLElement);
const list = one(document, "#purposes", HTMLElement);
const language = document.documentElement.lang;

/**
 * A purpose as the server tells it.
 * @typedef {{ purpose: string, basis: string, stand: string, text: Record<string, string> }} Purpose
 */

/** @type {Purpose[]} */
let purposes = [];
/** Told when the answer to whether messages may be sent changes. @type {(free: boolean) => void} */
let tell = () => {};

/** @param {Purpose} purpose */
const open = (purpose) => purpose.basis === "consent" && ["not-asked", "other-words"].includes(purpose.stand);
/** @param {Purpose} purpose */
const on = (purpose) => ["agreed", "counts", "needed"].includes(purpose.stand);

/** The words of a purpose in the page's language, or in the house's own. @param {Purpose} purpose */
const words = (purpose) => purpose.text[language] ?? Object.values(purpose.text)[0] ?? purpose.purpose;

/**
 * Loads where the customer stands, asks what has to be asked, and says from then on whether messages may be sent.
 * @param {(free: boolean) => void} told
 */
export async function consents(told) {
  tell = told;
  await load();
}

async function load() {
  const response = await request("/me/v1/consents").catch(() => null);
  if (!response?.ok) {
    // Not known is not asked: the server refuses what is not allowed.
    tell(true);
    return;
  }
  purposes = (await response.json()).purposes;
  show();
}

function show() {
  const questions = purposes.filter(open);
  const service = purposes.find((purpose) => purpose.purpose === "service");
  const refused = service !== undefined && service.stand === "refused";
  asked.hidden = questions.length === 0 && !refused;
  problem.hidden = !refused;
  if (refused) problem.textContent = problem.dataset.needed ?? "";
  one(asked, "#asked", HTMLElement).replaceChildren(...questions.map(question));
  list.replaceChildren(...purposes.filter((purpose) => words(purpose) !== purpose.purpose || purpose.basis !== "contract").map(item));
  one(dialog, "#consents", HTMLElement).hidden = list.childElementCount === 0;
  tell(questions.length === 0 && !refused);
}

/** @param {Purpose} purpose */
function question(purpose) {
  const row = copy("#question");
  const wording = one(row, ".wording", HTMLElement);
  wording.textContent = words(purpose);
  wording.id = `asked-${purpose.purpose}`;
  for (const button of row.querySelectorAll("button")) {
    button.setAttribute("aria-describedby", wording.id);
    button.addEventListener("click", async () => {
      const next = row.nextElementSibling?.querySelector("button");
      if (!(await decide(purpose, button.dataset.agreed === "true"))) {
        problem.textContent = problem.dataset.failed ?? "";
        problem.hidden = false;
        return;
      }
      const left = asked.querySelector(`#asked button`);
      const to = next?.isConnected ? next : left ?? document.querySelector("#text");
      if (to instanceof HTMLElement) to.focus();
    });
  }
  return row;
}

/** @param {Purpose} purpose */
function item(purpose) {
  const row = copy("#purpose");
  const wording = one(row, ".wording", HTMLElement);
  const button = one(row, "button", HTMLButtonElement);
  wording.textContent = words(purpose);
  wording.id = `purpose-${purpose.purpose}`;
  if (purpose.basis === "contract") {
    const note = document.createElement("small");
    note.textContent = list.dataset.fixed ?? "";
    button.replaceWith(note);
    return row;
  }
  button.setAttribute("aria-labelledby", wording.id);
  button.dataset.purpose = purpose.purpose;
  button.setAttribute("aria-checked", String(on(purpose)));
  button.addEventListener("click", async () => {
    const failed = one(dialog, "#shield-problem", HTMLElement);
    failed.hidden = await decide(purpose, !on(purpose));
    const again = list.querySelector(`[data-purpose="${CSS.escape(purpose.purpose)}"]`);
    if (again instanceof HTMLElement) again.focus();
  });
  return row;
}

/**
 * @param {Purpose} purpose
 * @param {boolean} agreed
 * @returns {Promise<boolean>} whether it was noted
 */
async function decide(purpose, agreed) {
  const path = `/me/v1/consents/${encodeURIComponent(purpose.purpose)}`;
  const noted = await send(path, "PUT", { agreed, language }).catch(() => null);
  if (!noted?.ok) return false;
  const stand = agreed ? (purpose.basis === "consent" ? "agreed" : "counts") : "refused";
  purposes = purposes.map((one) => (one.purpose === purpose.purpose ? { ...one, stand } : one));
  show();
  return true;
}

/**
 * Whether tips may be given, and the switch for it.
 * @param {boolean} wanted
 * @returns {{ wanted: () => boolean, never: () => void }}
 */
export function tips(wanted) {
  const button = one(dialog, "#tips", HTMLButtonElement);
  const set = (/** @type {boolean} */ value) => {
    wanted = value;
    button.setAttribute("aria-checked", String(value));
  };
  const change = async (/** @type {boolean} */ value) => {
    set(value);
    const noted = await send("/chat/v1/tips", "POST", { on: value }).catch(() => null);
    if (!noted?.ok) set(!value);
  };
  set(wanted);
  button.addEventListener("click", () => void change(!wanted));
  return { wanted: () => wanted, never: () => void change(false) };
}

const line = one(dialog, "#way", HTMLElement);
line.textContent = line.dataset[way] ?? "";
opener.addEventListener("click", () => dialog.showModal());
one(dialog, "#shield-close", HTMLButtonElement).addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  // Beside the sheet.
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("close", () => opener.focus());
