// Puts a description on the page, touching only what changed, and tells screen readers of it at a bearable pace.

import { showIcon } from "./calls.js";

const BEARABLE_MS = 60_000;

export const part = (id) => document.getElementById(id);
const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

function show(id, text) {
  part(id).hidden = !text;
  write(part(id), text || "");
}

/** Put the question over the proof; an open one is answered again when the question changes, as by the draw. */
function pose(details, question) {
  const heading = details.firstElementChild;
  if (heading.textContent === question) return;
  heading.textContent = question;
  if (details.open) details.dispatchEvent(new Event("toggle"));
}

/** Put a description on the page. */
export function paint(view) {
  const focused = document.activeElement;
  document.body.dataset.face = view.face;
  if (document.title !== view.tab) document.title = view.tab;
  showIcon(view.face);
  write(part("title"), view.title);
  for (const id of ["lead", "number", "label", "notice", "extend", "yes", "no"]) show(id, view[id]);
  for (const id of ["go", "defer", "again", "signin", "shop", "calls", "safe", "proof", "move", "leave"]) part(id).hidden = !view[id];
  pose(part("proof"), view.proof || "");
  if (view.shop) part("shop").href = view.shop;
  if (view.signin) part("signin").href = `${view.signin}?next=${encodeURIComponent(location.pathname + location.search)}`;
  for (const [name, value] of Object.entries(view.facts)) {
    part(`fact-${name}`).hidden = value === null;
    write(part(`fact-${name}`).lastElementChild, value ?? "");
  }
  if (focused?.closest("[hidden]")) part("title").focus(); // what had the focus is gone; the reader goes on at the top
  announce(view);
}

const said = { at: 0 };

/** Tell a screen reader of a new face or notice at once, and of changed figures at most once a minute. */
function announce({ face, title, lead, notice, number, label }) {
  const counts = label && !/:/.test(number) && face !== "entering";
  const sentences = (parts) => parts.filter(Boolean).map((text) => (/[.!?…]$/.test(text) ? text : `${text}.`)).join(" ");
  const figures = sentences([counts && `${number} ${label}`.trim(), lead, notice]);
  const fresh = title !== said.title || notice !== said.notice;
  if (!fresh && (figures === said.figures || performance.now() - said.at < BEARABLE_MS)) return;
  Object.assign(said, { title, notice, figures, at: performance.now() });
  write(part("live"), sentences([fresh && title, figures]));
}
