// The waiting page's life: look at the public state, join, wait, knock when called, go in. One round at a time.

import { JOINABLE, aheadOf, nextLook, placeOf, soonest } from "./line.js";
import { describe, paint } from "./face.js";
import { hex } from "./draw.js";
import { followChoice } from "./language.js";

const base = location.pathname;
const next = onThisSite(new URLSearchParams(location.search).get("next"));
const me = { state: null, ticket: null, place: null, door: null, entry: null, hurdle: null, away: false, readAt: 0 };
let offset = -Infinity; // server time minus this page's monotonic clock: a wrong clock on the device changes nothing
let failures = 0;
let notBefore = 0; // a Retry-After holds until then, on the page's own clock
let rejoined = false;
let ahead = false;
const headStart = 15_000 + 60_000 * Math.random(); // so long before the line opens, each page another time, work begins

/** A path on this site, or undefined; the gate checks it again. */
function onThisSite(path) {
  try {
    return path?.startsWith("/") && new URL(path, location.origin).origin === location.origin ? path : undefined;
  } catch { return undefined; }
}

const now = () => performance.now() + offset;

// The receipt {entropy, number?, ticket?, leaf?} outlives this page: a join whose answer was lost is repeated
// with the same entropy, and so gets the same ticket.
let receipt = read() ?? {};

function read() {
  try { return JSON.parse(localStorage.getItem(base)); } catch { return null; }
}

function keep(value) {
  receipt = value;
  try { localStorage.setItem(base, JSON.stringify(value)); } catch { /* storage is off: the cookie still holds the place */ }
}

/** Ask the gate; a 5xx or a broken connection throws, so that the round ends and is tried again. */
async function ask(method, address, body) {
  me.crowded = false;
  const answer = await fetch(base + address, {
    method,
    headers: body && { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  });
  me.crowded = answer.status === 429;
  if (answer.status >= 500 || me.crowded) {
    notBefore = performance.now() + 1000 * (Number(answer.headers.get("Retry-After")) || 0);
    throw new Error(`${method} ${address}: ${answer.status}`);
  }
  const text = await answer.text();
  return { ...(text && JSON.parse(text)), status: answer.status };
}

async function look() {
  const state = await ask("GET", "/state");
  const measured = state.now - performance.now();
  offset = measured < offset - 5000 ? measured : Math.max(offset, measured); // a cached state is up to a second old
  Object.assign(me, { state, readAt: now() });
}

function entropy() {
  if (!receipt.entropy) keep({ entropy: hex(crypto.getRandomValues(new Uint8Array(32))) });
  return receipt.entropy;
}

/** What the room asks for before a join, if it asks for anything: see work.js. */
const doWork = () => globalThis.work?.(base, entropy());

/** Find the ticket this browser holds, or take one. */
async function join() {
  if (receipt.number !== undefined) {
    const held = await ask("GET", "/ticket");
    if (held.ticket) return hold(held);
    receipt = {};
  }
  const answer = await ask("POST", "/ticket", { entropy: entropy(), work: await doWork() });
  if (answer.ticket) {
    keep({ entropy: receipt.entropy, number: answer.number, ticket: answer.ticket, leaf: answer.leaf });
    return hold(answer);
  }
  if (answer.status === 401) me.hurdle = "signin";
  else if (answer.reason === "missing") me.hurdle = "unable"; // the work, which this browser cannot do
  else if (answer.status !== 409) keep({});
  else if (/one-visit-only/.test(answer.type)) me.hurdle = "once";
}

function hold({ number, ticket }) {
  Object.assign(me, { ticket: { number, ticket }, place: null, drawn: undefined });
}

/** Give the ticket up on this side. */
function drop(hurdle) {
  keep({});
  Object.assign(me, { ticket: null, place: null, door: null, hurdle });
}

function find() {
  const seed = me.state.draw?.seed;
  if (me.place === null || seed !== me.drawn) me.place = placeOf(me.ticket.number, me.state);
  me.drawn = seed;
}

const called = () => me.state.phase === "open" && me.ticket && me.place !== null && me.place < me.state.called;

async function knock() {
  const answer = await ask("POST", "/pass", next ? { next } : {});
  me.door = answer.status === 202 ? answer : null;
  if (answer.status === 201) enter(answer);
  else if (answer.status === 401) lose();
  else if (answer.status === 409 && /spent/.test(answer.type)) drop("spent");
}

/** The gate does not know our ticket (cookies cleared): take a new one, once; then leave it to the shopper. */
function lose() {
  drop(rejoined ? "spent" : null);
  rejoined = true;
}

function enter(entry) {
  me.entry = entry;
  setTimeout(() => location.replace(onThisSite(entry.location) ?? "/"), Math.max(0, entry.enter_at - now()));
}

/** One round; what it throws is the network's or the store's trouble, and the next round tries again. */
async function round() {
  try {
    await look();
    if (!me.ticket && !me.hurdle && JOINABLE.includes(me.state.phase)) await join();
    if (me.state.phase === "scheduled" && !ahead && untilLine() < headStart) {
      ahead = true;
      await doWork();
    }
    if (me.ticket) find();
    if (called() && !(me.door?.knock_again_at > now())) await knock();
    failures = 0;
    me.away = Boolean(me.state.store_away);
  } catch {
    failures++;
    me.away = true;
  }
}

const untilLine = () => (me.state.presale_opens_at ?? me.state.opens_at) - now();

/** Seconds until this shopper's turn at the earliest. */
function distance() {
  if (me.place === null) return me.state.phase === "drawing" ? 0 : Infinity;
  return soonest(aheadOf(me.place, me.state), me.state);
}

/** Milliseconds until the next round. */
function delay() {
  const poll = me.state?.poll ?? { near_s: 2, far_s: 20 };
  if (failures) {
    const seconds = Math.min(poll.far_s, poll.near_s * 2 ** (failures - 1)) * (0.75 + 0.5 * Math.random());
    return Math.max(1000 * seconds, notBefore - performance.now());
  }
  const usual = 1000 * nextLook(me.state, now(), distance(), document.hidden);
  return me.door ? Math.max(100, Math.min(usual, me.door.knock_again_at - now())) : usual;
}

let timer;
let running = false;

async function run() {
  if (running || me.entry) return;
  running = true;
  clearTimeout(timer);
  await round();
  running = false;
  draw();
  if (!me.entry) timer = setTimeout(run, delay());
}

const draw = () => paint(describe(me, now()));

function tick() {
  if (me.state && !document.hidden) draw();
  setTimeout(tick, 1000 - (now() % 1000 || 0));
}

function again() {
  drop(null);
  draw();
  run();
}

async function leave() {
  try {
    await ask("DELETE", "/ticket");
    drop("left");
    document.getElementById("leave").open = false;
  } catch { me.away = true; }
  draw();
}

for (const [id, act] of [["go", run], ["again", again], ["give-up", leave]]) document.getElementById(id).addEventListener("click", act);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (me.hurdle === "signin") me.hurdle = null; // signed in meanwhile, in another tab?
  run();
});
addEventListener("online", run);
addEventListener("pageshow", (event) => { if (event.persisted) { me.entry = null; run(); } });

if (!followChoice()) {
  run();
  tick();
}
