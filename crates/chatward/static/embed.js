// Shows the chat on a site: a button at the lower end, and behind it the chat in a frame of the gateway's own.
// <script src="https://GATEWAY/embed.js" async data-lang="de" data-title="Chat"></script>
// The site's policy needs `script-src GATEWAY; frame-src GATEWAY` and nothing more.
(() => {
  const { src, dataset } = document.currentScript;
  const { origin } = new URL(src);
  const title = dataset.title || "Chat";
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`:host{all:initial;position:fixed;inset-block-end:0;inset-inline-end:0;z-index:2147483000;color-scheme:light dark}
button{position:absolute;inset-block-end:16px;inset-inline-end:16px;inline-size:56px;block-size:56px;padding:14px;border:1px solid #fff6;border-radius:50%;background:#0f5f52;color:#fff;cursor:pointer;box-shadow:0 2px 12px #0004}
button:focus-visible{outline:3px solid #0f5f52;outline-offset:3px;box-shadow:0 0 0 3px #fff}
svg{display:block;fill:none;stroke:currentColor;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
iframe{position:fixed;inset-block-end:0;inset-inline-end:0;inline-size:100%;block-size:100%;border:0;background:Canvas;box-shadow:0 6px 32px #0005}
@media (min-width:520px) and (min-height:520px){iframe{inset-block-end:16px;inset-inline-end:16px;inline-size:400px;block-size:min(680px,100% - 32px);border-radius:16px}}
[hidden]{display:none}`);
  root.adoptedStyleSheets = [sheet];
  const button = document.createElement("button");
  button.type = "button";
  button.ariaLabel = title;
  button.ariaExpanded = "false";
  const icon = (name, set) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in set) made.setAttribute(key, set[key]);
    return made;
  };
  const svg = icon("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" });
  svg.append(icon("path", { d: "M3 4.500h14v9H9l-4 3.500v-3.500H3z" }));
  button.append(svg);
  root.append(button);

  let frame;
  let ready = false;
  const show = (open) => {
    frame.hidden = !open;
    button.hidden = open;
    button.ariaExpanded = String(open);
    if (!open) return button.focus();
    frame.focus();
    if (ready) frame.contentWindow.postMessage("chatward:open", origin);
  };
  button.onclick = () => {
    if (frame) return show(true);
    frame = document.createElement("iframe");
    frame.title = title;
    frame.allow = "publickey-credentials-get; publickey-credentials-create; clipboard-write";
    frame.src = origin + "/widget" + (dataset.lang ? "?lang=" + encodeURIComponent(dataset.lang) : "");
    frame.onload = () => {
      ready = true;
      if (!frame.hidden) show(true);
    };
    root.append(frame);
    show(true);
  };
  addEventListener("message", (event) => {
    if (frame && event.origin === origin && event.source === frame.contentWindow && event.data === "chatward:close") show(false);
  });
  addEventListener("keydown", (event) => event.key === "Escape" && frame && !frame.hidden && show(false));
  (document.body || document.documentElement).append(host);
})();
