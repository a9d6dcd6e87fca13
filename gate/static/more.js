// What the page fetches only when a shopper asks for it; the gate adds `texts` and `style`.

import { mayNotify, notify, ring, wake } from "./alarm.js";
import { takePlace } from "./claim.js";
import { showMove } from "./move.js";
import { showProof } from "./proof.js";
import { work } from "./work.js";

const sheet = new CSSStyleSheet();

/** Bring the style of what is shown on demand. */
function dress() {
  sheet.replaceSync(style);
  if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets.push(sheet);
}

/** Fill the part that proves the draw. */
function proof(host, page) {
  dress();
  return showProof(host, page, texts.proof);
}

/** Fill the part that hands the place over. */
function move(host, page) {
  dress();
  showMove(host, page, texts.move);
}

/** Take over the place that another device hands on. */
const claim = (ask, handed) => takePlace(ask, handed, texts.claim);

export { claim, mayNotify, move, notify, proof, ring, wake, work };
