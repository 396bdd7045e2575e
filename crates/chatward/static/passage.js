// @ts-check
// From the chat inside another site to the Privacy Centre in a window of its own, as the same browser: their cookies are kept apart.

import { send } from "./requests.js";

/**
 * Opens the page of a link, with a code that says which browser this is.
 * @param {HTMLAnchorElement} link
 */
export async function pass(link) {
  const response = await send("/chat/v1/passage", "POST", {}).catch(() => null);
  const code = response?.ok ? (await response.json()).code : "";
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: "/privacy/open", target: "_blank", rel: "noopener", hidden: true });
  for (const [name, value] of Object.entries({ code, to: link.dataset.passage ?? "" })) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name, value });
    form.append(field);
  }
  document.body.append(form);
  form.submit();
  form.remove();
}
