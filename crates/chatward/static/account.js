// @ts-check
// Passkeys on the pages for signing in; everything else there works without this file. All words come from the server.

/**
 * Shows the text for a code, from the page's template.
 * @param {string[]} codes the first that there is a text for counts
 */
function say(codes) {
  const template = document.querySelector("#says");
  const place = document.querySelector("#error");
  if (!(template instanceof HTMLTemplateElement) || !(place instanceof HTMLElement)) return;
  for (const code of [...codes, "other"]) {
    const found = template.content.querySelector(`[data-code="${CSS.escape(code)}"]`);
    if (!found) continue;
    place.textContent = found.textContent;
    place.hidden = false;
    return;
  }
}

/** A refusal of the server. */
export class Refused extends Error {
  /** @param {string[]} codes */
  constructor(codes) {
    super(codes.join());
    this.codes = codes;
  }
}

/**
 * Asks one of our routes.
 * @param {string} path
 * @param {string} form
 * @param {unknown} body
 * @param {string} [method]
 */
export async function post(path, form, body, method = "POST") {
  /** @type {Record<string, string>} */
  const headers = { "content-type": "application/json" };
  if (form) headers["chatward-form"] = form;
  const response = await fetch(path, { method, headers, body: JSON.stringify(body), redirect: "error" });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Refused([problem.reason, problem.code].filter((code) => typeof code === "string"));
}

/** @param {unknown} error */
export function tell(error) {
  if (error instanceof Refused) return say(error.codes);
  if (error instanceof TypeError) return say(["offline"]);
  if (error instanceof DOMException && error.name === "InvalidStateError") return say(["known"]);
  if (error instanceof DOMException) return say(["cancelled"]);
  say([]);
}

/** What waits for a passkey from the browser's own list. @type {AbortController | null} */
let waiting = null;

/**
 * Shows or makes a passkey.
 * @param {HTMLElement} part
 * @param {AbortSignal | undefined} signal with it: what the browser offers by itself
 */
async function passkey(part, signal) {
  const { passkey: kind, begin = "", finish = "", then = "", form = "" } = part.dataset;
  const { options, state } = await post(begin, form, {});
  /** @type {Credential | null} */
  let credential;
  if (kind === "set-up") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey);
    credential = await navigator.credentials.create({ publicKey });
  } else {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
    credential = await navigator.credentials.get(signal ? { publicKey, signal, mediation: "conditional" } : { publicKey });
  }
  if (!(credential instanceof PublicKeyCredential)) return;
  const label = part.querySelector("input");
  const named = kind === "set-up" && label ? { label: label.value } : {};
  await post(finish, form, { state, answer: credential.toJSON(), ...named });
  location.assign(then);
}

/**
 * Shows a passkey as a fresh second factor; gives the token of the forms of the session that is new then.
 * @param {string} form
 * @returns {Promise<string>}
 */
export async function stepUp(form) {
  const { options, state } = await post("/me/v1/step-up/passkey/begin", form, {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
  const credential = await navigator.credentials.get({ publicKey });
  if (!(credential instanceof PublicKeyCredential)) throw new Refused([]);
  const session = await post("/me/v1/step-up/passkey", form, { state, answer: credential.toJSON() });
  return session.form;
}

const able = typeof PublicKeyCredential === "function" && "parseRequestOptionsFromJSON" in PublicKeyCredential;
const parts = [...document.querySelectorAll("[data-passkey]")].filter((part) => part instanceof HTMLElement);
if (parts.length > 0 && !able) say(["unsupported"]);
for (const part of able ? parts : []) {
  const button = part.querySelector("button");
  part.hidden = false;
  button?.addEventListener("click", () => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    waiting?.abort();
    const place = document.querySelector("#error");
    if (place instanceof HTMLElement) place.hidden = true;
    void passkey(part, undefined).catch(tell).finally(() => {
      button.ariaBusy = "false";
    });
  });
}

/** The browser's own list of passkeys, where it has one. */
async function offer() {
  const part = parts.find((part) => part.dataset.passkey === "sign-in");
  const field = document.querySelector('input[autocomplete~="webauthn"]');
  if (!able || !part || !field || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const own = document.querySelector("#offer");
  if (own instanceof HTMLElement) own.hidden = false;
  waiting = new AbortController();
  const { signal } = waiting;
  await passkey(part, signal).catch((error) => {
    if (!signal.aborted) tell(error);
  });
}
void offer();

// An invitation stands in the address behind the `#`, which browsers send to nobody.
const token = document.querySelector("#invitation input[name=token]");
if (token instanceof HTMLInputElement && location.hash.length > 1) {
  token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
