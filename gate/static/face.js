// Which face the page shows, and what stands on it. `faceOf` and `describe` are pure; `paint` writes to the page.

import { aheadOf, chanceFor, waitFor } from "./line.js";

const T = JSON.parse(document.getElementById("texts").textContent);
const page = document.documentElement.lang;
const language = navigator.languages.find((name) => name.split("-")[0] === page.split("-")[0]) ?? page; // en-GB on an English page
const numbers = new Intl.NumberFormat(language);
const twoDigits = new Intl.NumberFormat(language, { minimumIntegerDigits: 2 });
const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const plurals = new Intl.PluralRules(language);
const LINE = ["waiting", "unknown", "held", "paused", "trouble"];
const SAFE = [...LINE, "presale", "drawing", "placed"];

const own = (text) => T.own[text] ?? text; // what the operator says, in this language where they have said it
const fill = (text, values) => text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
const unit = (name) => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long" });

function range(format, low, high) {
  const text = low < high && format.formatRange ? format.formatRange(low, high) : format.format(high);
  return text.replace(/\s?–\s?/, "\u2060–\u2060"); // kept on one line
}

/** A clock time in the reader's own zone, with the day if it is not within the next twelve hours. */
function time(at, now) {
  const day = at - now > 43_200_000 ? { weekday: "long", day: "numeric", month: "long" } : {};
  return new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", ...day }).format(at);
}

/** A wait in words, in steps that nobody can mistake for precision. */
function words({ low, high }) {
  if (high < 60) return T.soon;
  const [name, size] = high < 7200 ? ["minute", 60] : ["hour", 3600];
  return fill(T.about, { wait: range(unit(name), Math.max(1, Math.floor(low / size)), Math.ceil(high / size)) });
}

/** How likely something is left, said plainly at both ends and else in tenths. */
function hope(chance) {
  if (chance === null) return "";
  const tenth = new Intl.NumberFormat(language, { style: "percent" }).format(Math.min(9, Math.max(1, Math.round(chance * 10))) / 10);
  return chance < 0.05 ? T.chance_slim : chance < 0.95 ? fill(T.chance, { chance: tenth }) : T.chance_good;
}

/** Time left as 12, 04:12, 1:04:12, or whole days. */
function countdown(left) {
  const s = Math.max(0, Math.ceil(left / 1000));
  if (s >= 172_800) return unit("day").format(Math.floor(s / 86_400));
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, i) => (i || shown.length === 2 ? twoDigits : numbers).format(part)).join(":");
}

/** The face for what is known: the shopper's own standing goes before the room's phase only at the door. */
export function faceOf({ state, ticket, place, door, entry, hurdle }) {
  if (!state) return "loading";
  if (entry) return "entering";
  if (state.phase === "sold_out" || state.phase === "closed") return state.phase;
  if (hurdle) return hurdle;
  if (state.phase === "scheduled") return "scheduled";
  if (!ticket) return "joining";
  if (state.shop_trouble) return "trouble";
  if (state.phase === "presale" || state.phase === "paused") return state.phase;
  if (place === null) return "drawing";
  if (state.phase === "drawing") return "placed";
  if (place < state.called) return door ? "door" : "called";
  if (state.units_left === 0 && state.units_held) return "held";
  return waitFor(aheadOf(place, state), state) ? "waiting" : "unknown";
}

/** The one figure that matters on a face, and its label. */
function figure(face, { state, place, door, entry }, now) {
  const until = (at, label) => (at > now ? [countdown(at - now), label] : []);
  const people = (count, forms) => [numbers.format(count), forms[plurals.select(count)] ?? forms.other];
  if (face === "scheduled") return until(state.presale_opens_at ?? state.opens_at, T.until_line);
  if (face === "presale") return until(state.presale_closes_at, T.until_draw);
  if (face === "placed") return [numbers.format(place + 1), T.your_place];
  if (face === "door") return people(door.before, T.before);
  if (face === "entering") return entry.enter_at - now > 1000 ? [countdown(entry.enter_at - now), T.until_entry] : [];
  if (LINE.includes(face) && place !== null) return people(aheadOf(place, state), T.ahead);
  return [];
}

/** The small facts under the figure, by name; those that are not known are left out. */
function facts(face, { state, ticket, place, readAt }, now) {
  const some = (faces, value) => (faces.includes(face) ? value() : null);
  return {
    // The state may be a little older than this shopper's own ticket.
    taking_part: some(["presale", "drawing"], () => numbers.format(state.draw?.size ?? Math.max(state.issued, ticket.number + 1))),
    opens: some(["presale", "drawing", "scheduled"], () => time(state.opens_at, now)),
    opens_in: some(["placed"], () => countdown(state.opens_at - now)),
    place: some(LINE, () => (place === null ? null : numbers.format(place + 1))),
    units: some([...LINE, "placed", "presale"], () => (state.units_left === null ? null : numbers.format(state.units_left))),
    ticket: some(["presale", "drawing", "placed"], () => (ticket ? String(ticket.number) : null)),
    updated: some(SAFE, () => ago.format(-Math.max(0, Math.round((now - readAt) / 1000)), "second")),
  };
}

/** Everything the page shows: plain values, so that a test can read them. */
export function describe(me, now) {
  const face = faceOf(me);
  const { state, ticket, place } = me;
  const waiting = face === "waiting" && aheadOf(place, state);
  const wait = waiting === false ? "" : words(waitFor(waiting, state));
  const hopes = waiting === false ? "" : hope(chanceFor(waiting, state));
  const at = state && (face === "scheduled" ? state.presale_opens_at ?? state.opens_at : state.opens_at);
  const [title, lead] = T.faces[face];
  const [number, label] = figure(face, me, now);
  const notices = [
    me.away && (me.crowded && T.crowded || (ticket ? T.away : T.away_new)),
    face === "paused" && state.reason && fill(T.reason, { reason: own(state.reason) }),
    own(state?.notice),
  ];
  return {
    face, title, number, label, lead: [fill(lead, { wait, time: at ? time(at, now) : "" }), hopes].filter(Boolean).join(" "), notice: notices.find(Boolean),
    facts: state ? facts(face, me, now) : {},
    go: face === "called", again: ["spent", "left"].includes(face), safe: SAFE.includes(face),
    leave: [...SAFE, "called", "door"].includes(face), signin: ["signin", "scheduled"].includes(face) && state.sign_in,
  };
}

const part = (id) => document.getElementById(id);
const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

function show(id, text) {
  part(id).hidden = !text;
  write(part(id), text ?? "");
}

/** Put a description on the page, touching only what changed. */
export function paint(view) {
  document.body.dataset.face = view.face;
  document.title = [view.number, view.title, part("room").textContent].filter(Boolean).join(" · ");
  write(part("title"), view.title);
  for (const id of ["lead", "number", "label", "notice"]) show(id, view[id]);
  for (const id of ["go", "again", "signin", "safe", "leave"]) part(id).hidden = !view[id];
  if (view.signin) part("signin").href = `${view.signin}?next=${encodeURIComponent(location.pathname + location.search)}`;
  for (const [name, value] of Object.entries(view.facts)) {
    part(`fact-${name}`).hidden = value === null;
    write(part(`fact-${name}`).lastElementChild, value ?? "");
  }
  announce(view);
}

const said = { face: "loading", text: "", at: 0 };

/** Tell a screen reader of a new face at once, and of a changed figure at most twice a minute. */
function announce({ face, title, lead, notice, number, label }) {
  const counts = label && !/:/.test(number) && face !== "entering";
  const text = [title, counts ? `${number} ${label}` : "", lead, notice].filter(Boolean).join(". ");
  if (text === said.text || (face === said.face && performance.now() - said.at < 30_000)) return;
  Object.assign(said, { face, text, at: performance.now() });
  write(part("live"), text);
}
