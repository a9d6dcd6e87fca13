// How the page calls a shopper who looks elsewhere: by the tab's icon and title, and by sound and notification where they allow it.

import { load, save } from "./receipt.js";

const NAME = "waitroom-calls";
const icon = document.querySelector("link[rel=icon]");
const drawn = icon.href;
const ICONS = { // in place of the line of dots: an arrow that leads in, two bars, a dash
  called: ["b4451a", "M2.2 4.5h4.3M4.6 2.6l2 1.9-2 1.9"],
  paused: ["6b5a1e", "M3.4 2.8v3.4M5.6 2.8v3.4"],
  over: ["5d6663", "M2.5 4.5h4"],
};
const ICON_OF = { called: "called", door: "called", entering: "called", paused: "paused", trouble: "paused", sold_out: "over", closed: "over", spent: "over", once: "over", left: "over", moved: "over" };

/** What the shopper wishes: nothing makes a noise unless they say so, and they go in by themselves unless they object. */
export const wishes = { sound: false, notice: false, enter: true, ...load(NAME) };

export function wish(name, on) {
  wishes[name] = on;
  save(NAME, wishes);
}

/** Show the state in the tab's icon. */
export function showIcon(face) {
  const [colour, path] = ICONS[ICON_OF[face]] ?? [];
  const href = path ? drawn.replace(/%23\w{6}/, `%23${colour}`).replace(/d='[^']*'/, `d='${path}' fill='none'`) : drawn;
  if (icon.href !== href) icon.href = href;
}
