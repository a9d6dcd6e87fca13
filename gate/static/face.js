// Which face the page shows, and what stands on it. `faceOf` and `describe` are pure.

import { aheadOf, chanceFor, waitFor } from "./line.js";

export const T = JSON.parse(document.getElementById("texts").textContent);
const page = document.documentElement.lang;
const language = navigator.languages.find((name) => name.split("-")[0] === page.split("-")[0]) ?? page; // en-GB on an English page
const numbers = new Intl.NumberFormat(language);
const twoDigits = new Intl.NumberFormat(language, { minimumIntegerDigits: 2 });
const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const plurals = new Intl.PluralRules(language);
const LINE = ["waiting", "unknown", "held", "paused", "trouble"];
const SAFE = [...LINE, "presale", "drawing", "placed", "behind"];
const DOOR = ["called", "later", "door"];
const OVER = ["sold_out", "closed", "spent", "once", "left", "moved"];

export const number = (value) => numbers.format(value);
export const own = (text) => T.own[text] ?? text; // what the operator says, in this language where they have said it
const fill = (text, values) => text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
const unit = (name, unitDisplay = "long") => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay });

function range(format, low, high) {
  const text = low < high && format.formatRange ? format.formatRange(low, high) : format.format(high);
  return text.replace(/\s?–\s?/, "\u2060–\u2060"); // kept on one line
}

/** A clock time in the reader's own zone, with the day if it is not within the next twelve hours. */
export function time(at, now, details = {}) {
  const day = Math.abs(at - now) > 43_200_000 ? { weekday: "long", day: "numeric", month: "long" } : {};
  return new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", ...day, ...details }).format(at);
}

/** A wait in words, in steps that nobody can mistake for precision. */
function words({ low, high }, length) {
  const [name, size] = high < 7200 ? ["minute", 60] : ["hour", 3600];
  return range(unit(name, length), Math.max(1, Math.floor(low / size)), Math.ceil(high / size));
}

/** How likely something is left, said plainly at both ends and else in tenths. */
function hope(chance) {
  if (chance === null) return "";
  const tenth = new Intl.NumberFormat(language, { style: "percent" }).format(Math.min(9, Math.max(1, Math.round(chance * 10))) / 10);
  return chance < 0.05 ? T.chance_slim : chance < 0.95 ? fill(T.chance, { chance: tenth }) : T.chance_good;
}

/** Time left as 00:12, 04:12, 1:04:12, or whole days. */
function countdown(left) {
  const s = Math.max(0, Math.ceil(left / 1000));
  if (s >= 172_800) return unit("day").format(Math.floor(s / 86_400));
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, i) => (i || shown.length === 2 ? twoDigits : numbers).format(part)).join(":");
}

/** The face for what is known: the shopper's own standing goes before the room's phase at the door and in the shop. */
function faceOf({ state, ticket, place, door, entry, hurdle, visit, away, later }) {
  if (!state) return away ? "away" : "loading";
  if (entry) return "entering";
  if (visit) return "visit";
  if (state.phase === "sold_out" || state.phase === "closed") return state.phase;
  if (hurdle) return hurdle;
  if (state.phase === "scheduled") return "scheduled";
  if (!ticket) return "joining";
  if (state.shop_trouble) return "trouble";
  if (state.phase === "presale" || state.phase === "paused") return state.phase;
  if (place === null) return "drawing";
  if (state.phase === "drawing") return ticket.number < state.draw.size ? "placed" : "behind";
  if (place < state.called) return later ? "later" : door ? "door" : "called";
  if (state.units_left === 0 && state.units_held) return "held";
  return waitFor(aheadOf(place, state), state) ? "waiting" : "unknown";
}

/** Who goes in before this place: those who are not called yet, and those who stand at the door. */
const before = (place, state) => aheadOf(place, state) + (state.at_door ?? 0);

/** The one figure that matters on a face, and its label. */
function figure(face, { state, place, door, entry, visit }, now) {
  const until = (at, label) => (at > now ? [countdown(at - now), label] : []);
  const people = (count, forms) => (count ? [number(count), forms[plurals.select(count)] ?? forms.other] : ["", T.next]);
  if (face === "scheduled") return until(state.presale_opens_at ?? state.opens_at, T.until_line);
  if (face === "presale") return until(state.presale_closes_at, T.until_draw);
  if (face === "placed" || face === "behind") return [number(place + 1), T.your_place];
  if (face === "door") return people(door.before, T.before);
  if (face === "entering") return entry.enter_at - now > 1000 ? [countdown(entry.enter_at - now), T.until_entry] : [];
  if (face === "visit") return until(visit.expires_at, T.of_visit);
  if (LINE.includes(face) && place !== null && place >= state.called) return people(before(place, state), T.ahead);
  return [];
}

/** The small facts under the figure, by name; those that are not known are left out. */
function facts(face, { state, ticket, place, visit, readAt }, now) {
  const some = (faces, value) => (faces.includes(face) ? value() : null);
  return {
    // The state may be a little older than this shopper's own ticket.
    taking_part: some(["presale", "drawing"], () => number(state.draw?.size ?? Math.max(state.issued, ticket.number + 1))),
    opens: some(["presale", "drawing", "scheduled"], () => time(state.opens_at, now)),
    opens_in: some(["placed", "behind"], () => (state.opens_at > now ? countdown(state.opens_at - now) : null)),
    place: some([...LINE, "later"], () => (place === null ? null : number(place + 1))),
    units: some([...LINE, "placed", "behind", "presale", "later"], () => (state.units_left === null ? null : number(state.units_left))),
    more: some(["visit"], () => (visit.more_time ? number(visit.more_time.left) : null)),
    updated: some(SAFE, () => ago.format(-Math.max(0, Math.round((now - readAt) / 1000)), "second")),
  };
}

/** What the tab says: the call first, then how long it takes. */
function tabOf(face, title, number, short, room) {
  if (["called", "door", "entering"].includes(face)) return `${title} — ${room}`;
  return [short || (/:/.test(number) ? `${number} · ${title}` : title), room].join(" · ");
}

/** What is said above all: that nobody answers, why the sale stands still or is over, what the operator has to say. */
function noticeOf(face, { state, ticket, away, crowded }) {
  if (!state) return "";
  if (away) return (crowded && T.crowded) || (ticket ? T.away : T.away_new);
  const told = ["paused", "trouble", "sold_out", "closed"].includes(face) && state.reason;
  return told ? fill(T.reason, { reason: own(state.reason) }) : own(state.notice);
}

/** Everything the page shows: plain values, so that a test can read them. */
export function describe(me, now, room) {
  const face = faceOf(me);
  const { state, place, visit, receipt } = me;
  const ahead = face === "waiting" && aheadOf(place, state);
  const wait = ahead === false ? null : waitFor(ahead, state);
  const soon = wait && wait.high < 60;
  const at = { scheduled: state?.presale_opens_at ?? state?.opens_at, visit: visit?.expires_at }[face] ?? state?.opens_at;
  const [number, label] = figure(face, me, now);
  const next = ["waiting", "unknown"].includes(face) && !number;
  const [title, lead] = face === "claim" ? me.claim.told : face === "called" && !me.enters ? T.open_door : T.faces[face];
  const told = fill(lead, {
    wait: wait ? (soon ? T.soon : fill(T.about, { wait: words(wait) })) : "",
    time: at ? time(at, now) : "",
    place: place === null ? "" : numbers.format(place + 1),
  });
  const more = visit?.more_time;
  const held = Boolean(me.ticket) && [...SAFE, ...DOOR].includes(face);
  const shown = {
    face, number, title: next ? T.next : title, label: next ? "" : label, notice: noticeOf(face, me),
    lead: face === "away" ? (receipt.number === undefined ? T.away_new : T.away) : [told, wait && hope(chanceFor(ahead, state))].filter(Boolean).join(" "),
    facts: state ? facts(face, me, now) : {},
    go: face === "called" || face === "later", defer: face === "called" || face === "door",
    again: ["spent", "left"].includes(face), yes: face === "claim" && me.claim.yes, no: face === "claim" && me.claim.no, signin: ["signin", "scheduled"].includes(face) && state.sign_in,
    shop: face === "visit" ? receipt.shop : OVER.includes(face) && "/",
    extend: more?.left > 0 && fill(T.more_time, { time: unit("minute").format(Math.round(more.seconds / 60)) }),
    calls: SAFE.includes(face), safe: SAFE.includes(face), move: held, leave: held,
    proof: (held || receipt.number !== undefined && (face === "sold_out" || face === "closed"))
      && (!state.draw ? T.proof.record : state.draw.seed ? T.proof.drawn : T.proof.later),
  };
  return { ...shown, tab: tabOf(face, shown.title, number, wait && (soon ? T.soon : words(wait, "short")), room) };
}
