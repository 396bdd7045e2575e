// @ts-check
// The Privacy Centre works without this file; with it, switches act without a reload, a passkey is asked for at the moment when it
// is needed, and receipts are checked in the page. All words come from the server.

import { Refused, post, stepUp, tell } from "./account.js";
import { checkText } from "./proof.js";

/** @param {string} template @param {string} attribute @param {string} value */
function words(template, attribute, value) {
  const found = document.querySelector(template);
  const content = found instanceof HTMLTemplateElement ? found.content : null;
  return content?.querySelector(`[${attribute}="${CSS.escape(value)}"]`)?.textContent ?? "";
}

/**
 * Decides without leaving the page.
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} pressed
 */
async function decide(form, pressed) {
  const card = form.closest("[data-purpose]");
  if (!(card instanceof HTMLElement) || form.ariaBusy === "true") return;
  const { purpose = "", form: token = "" } = card.dataset;
  const agreed = pressed.value === "yes";
  form.ariaBusy = "true";
  try {
    await post(`/me/v1/consents/${encodeURIComponent(purpose)}`, token, { agreed, language: document.documentElement.lang }, "PUT");
    for (const button of form.querySelectorAll("button")) button.ariaPressed = String(button === pressed);
    const stand = form.querySelector(".stand");
    if (stand) stand.textContent = words("#stands", "data-stand", pressed.value);
  } catch (error) {
    tell(error);
  } finally {
    form.ariaBusy = "false";
  }
}

for (const form of document.querySelectorAll("form.choice")) {
  if (!(form instanceof HTMLFormElement)) continue;
  form.addEventListener("submit", (event) => {
    if (!(event.submitter instanceof HTMLButtonElement)) return;
    event.preventDefault();
    void decide(form, event.submitter);
  });
}

/**
 * Shows a passkey, and sends the form then. Where that does not work out, the form is sent as it is: the server leads on.
 * @param {HTMLFormElement} form
 */
async function confirmed(form) {
  try {
    const token = await stepUp(form.dataset.stepUp ?? "");
    // Every form of the page belongs to the session that is new now.
    for (const field of document.querySelectorAll('input[name="form"]')) {
      if (field instanceof HTMLInputElement) field.value = token;
    }
    for (const other of document.querySelectorAll("[data-step-up]")) other.removeAttribute("data-step-up");
    form.submit();
  } catch (error) {
    if (error instanceof Refused) return form.submit();
    tell(error);
  }
}

for (const form of document.querySelectorAll("form[data-step-up]")) {
  if (!(form instanceof HTMLFormElement) || typeof PublicKeyCredential !== "function") continue;
  form.addEventListener("submit", (event) => {
    if (!form.dataset.stepUp) return;
    event.preventDefault();
    void confirmed(form);
  });
}

/**
 * @param {HTMLElement} place
 * @param {string} text
 * @param {string} vkey
 */
async function verify(place, text, vkey) {
  const verdict = await checkText(text, vkey).catch(() => ({ good: false, says: "verify-unable" }));
  // A browser that cannot check does not speak against the server, which did.
  if (verdict.says === "verify-unable" && place.textContent !== "") return;
  place.className = verdict.good ? "holds" : "problem";
  place.textContent = words("#verdicts", "data-says", verdict.says);
}

const here = document.querySelector("#here");
const file = document.querySelector("#file");
const verdict = document.querySelector("#verdict");
if (here instanceof HTMLElement && file instanceof HTMLInputElement && verdict instanceof HTMLElement) {
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    if (chosen) await verify(verdict, await chosen.text(), here.dataset.vkey ?? "");
  });
}

// The certificate on the page where everything was deleted is checked here too, not only by who made it out.
const own = document.querySelector("[data-verify]");
const issued = document.querySelector("pre#document");
if (own instanceof HTMLElement && issued) void verify(own, issued.textContent ?? "", own.dataset.verify ?? "");
