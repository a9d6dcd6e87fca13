// "Move my place to another device": a link and a picture of it that hand the place over once.

import { element } from "./element.js";

/** The link to hand the place over by; the receipt goes along where there is one. */
async function offer({ ask, me, memory, run }) {
  const { entropy, ticket, leaf, commit_sha256 } = memory.receipt;
  const receipt = entropy && leaf ? [entropy, ticket, leaf, commit_sha256].join(".") : "";
  const answer = await ask("POST", "/ticket/move", { receipt }).catch(() => ({}));
  if (!answer.link) return null;
  me.watch = answer.expires_at; // until then the other device may take it at any moment
  run();
  return answer;
}

/** Offer to make the link, and show it; `page` is what `openParts` makes. */
export function showMove(host, page, t) {
  const button = element("button", { type: "button", className: "quiet" }, t.make);
  const problem = element("p", { role: "alert" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    const found = await offer(page);
    button.disabled = false;
    if (found) host.replaceChildren(...offered(found, page, t));
    else problem.textContent = t.failed;
  });
  host.replaceChildren(element("p", {}, t.text), element("p", {}, button), problem);
}

function offered({ link, qr, expires_at: until }, page, t) {
  const picture = element("img", { src: `data:image/svg+xml,${encodeURIComponent(qr)}`, alt: t.picture, className: "qr" });
  const field = element("input", { type: "text", readOnly: true, value: link, "aria-label": t.link });
  const copied = element("span", { role: "status" });
  const copy = element("button", { type: "button", className: "quiet" }, t.copy);
  field.addEventListener("focus", () => field.select());
  copy.addEventListener("click", async () => {
    field.select();
    try { await navigator.clipboard.writeText(link); } catch { document.execCommand("copy"); }
    copied.textContent = t.copied;
  });
  return [
    element("p", {}, t.scan),
    picture,
    element("p", { className: "copy" }, field, copy, copied),
    element("p", {}, t.until.replace("{time}", page.time(until))),
  ];
}
