// The parts of the page that open, and the wishes how to be called. What they show is fetched when they are opened.

import { ask, base, more } from "./gate.js";
import { number, own, time } from "./face.js";
import { memory } from "./receipt.js";
import { part } from "./paint.js";
import { wish, wishes } from "./calls.js";

function whenOpened(id, page) {
  const details = part(id);
  const host = details.lastElementChild;
  details.addEventListener("toggle", async () => {
    host.textContent = "";
    if (!details.open) return;
    try { await (await more())[id](host, page); } catch { host.textContent = host.dataset.failed; }
  });
}

/** A checkbox for a wish; what needs the browser's leave is asked for at once. */
function ticked(name, allow) {
  const box = part(`call-${name}`);
  box.checked = wishes[name];
  box.addEventListener("change", async () => {
    if (box.checked && allow) {
      box.checked = await more().then(allow).catch(() => false);
      part("calls-failed").hidden = box.checked;
    }
    wish(name, box.checked);
  });
}

/** Make everything work that opens or is ticked; `me` is what the page knows, `run` looks again at once. */
export function openParts(me, run) {
  const page = { me, run, memory, ask, base, number, own, time: (at, details) => time(at, me.now(), details) };
  whenOpened("proof", page);
  whenOpened("move", page);
  part("stay").addEventListener("click", () => {
    part("leave").open = false;
    part("leave").firstElementChild.focus();
  });
  ticked("sound", ({ ring }) => ring());
  ticked("notice", ({ mayNotify }) => mayNotify());
  ticked("enter");
  part("call-notice").parentElement.hidden = !("Notification" in globalThis && isSecureContext);
  if (!wishes.sound && !wishes.notice) return;
  more().catch(() => {}); // so that the call needs no network
  addEventListener("pointerdown", () => more().then(({ wake }) => wishes.sound && wake()).catch(() => {}), { once: true });
}
