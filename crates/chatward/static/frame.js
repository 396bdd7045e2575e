// @ts-check
// The page inside of another site: it hears "open" from that site and says "close" to it, and nothing else.

/** @type {string[]} */
const hosts = (document.documentElement.dataset.hosts ?? "").split(" ").filter(Boolean);
/** The site around, once it has spoken. */
let host = "";

/** Whether this page may be inside of another. */
export const framed = hosts.length > 0;

/**
 * Listens to the site around.
 * @param {() => void} opened
 */
export function listen(opened) {
  if (!framed) return;
  addEventListener("message", (event) => {
    if (event.source !== parent || event.source === window || !hosts.includes(event.origin)) return;
    if (event.data !== "chatward:open") return;
    host = event.origin;
    opened();
  });
}

/** Asks the site around to put the chat away. */
export function close() {
  if (host) parent.postMessage("chatward:close", host);
}
