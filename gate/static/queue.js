// The waiting page's life: look at the public state, join, wait, knock when called, go in. One round at a time.

import { JOINABLE, aheadOf, nextLook, placeOf, soonest } from "./line.js";
import { ask, base, more, onThisSite, respite } from "./gate.js";
import { describe } from "./face.js";
import { followChoice } from "./language.js";
import { hex } from "./shuffle.js";
import { keep, memory, takeOver } from "./receipt.js";
import { paint, part } from "./paint.js";
import { openParts } from "./parts.js";
import { wishes } from "./calls.js";

const next = onThisSite(new URLSearchParams(location.search).get("next"));
const me = { state: null, ticket: null, place: null, door: null, entry: null, visit: null, hurdle: null, away: false, readAt: 0, watch: 0, now };
let offset = -Infinity; // server time minus this page's monotonic clock: a wrong clock on the device changes nothing
let failures = 0;
let rejoined = false;
let going = false; // the shopper has said: in, now
let ahead = false; // the work that the room asks for was begun before the line opens
const headStart = 15_000 + 60_000 * Math.random(); // so long before the line opens, each page another time

/** The gate's time, in epoch ms. */
function now() {
  return performance.now() + offset;
}

async function look() {
  const state = await ask("GET", "/state");
  const measured = state.now - performance.now();
  offset = measured < offset - 5000 ? measured : Math.max(offset, measured); // a cached state is up to a second old
  Object.assign(me, { state, readAt: now() });
}

/** 32 random bytes of this browser's own, made once for a ticket. */
function entropy() {
  if (!memory.receipt.entropy) keep({ ...memory.receipt, entropy: hex(crypto.getRandomValues(new Uint8Array(32))) });
  return memory.receipt.entropy;
}

/** What the room asks for before a join, if it asks for anything: see work.js. */
const doWork = async () => (part("slow") ? (await more()).work(base, entropy()) : undefined);

/** Find the ticket this browser holds, or take one. */
async function join() {
  const { receipt } = memory;
  if (receipt.handed) return claim(receipt);
  if (receipt.number !== undefined) {
    const held = await ask("GET", "/ticket");
    if (held.ticket) return hold(held);
    if (isMoved(held)) return drop("moved");
    if (receipt.shop) return drop("spent"); // the shop has ended the visit
    keep({});
  }
  const answer = await ask("POST", "/ticket", { entropy: entropy(), work: await doWork() });
  if (answer.ticket) return take(answer, answer.leaf ? { entropy: entropy(), leaf: answer.leaf } : {}); // no leaf: it is an older ticket
  if (answer.status === 401) me.hurdle = "signin";
  else if (answer.reason === "missing") me.hurdle = "unable"; // the work, which this browser cannot do
  else if (answer.status !== 409) keep({});
  else if (/one-visit-only$/.test(answer.type)) me.hurdle = "once";
}

/** Take over the place that another device hands on: see claim.js. What is kept of an own place stays until then. */
async function claim({ handed, ...own }) {
  const answer = await (await more()).claim(ask, handed);
  if (answer.ticket) take(answer, answer.ticket === own.ticket ? own : handed.proof);
  else Object.assign(me, { hurdle: answer.signin ? "signin" : "claim", claim: answer });
}

/** Go on with a place that is handed on, as changed; or without it. */
function answerHanded(handed) {
  keep({ ...memory.receipt, handed });
  me.hurdle = null;
}

/** Keep a ticket with what proves it. */
function take({ number, ticket }, proof) {
  const { room, draw } = me.state;
  keep({ room, number, ticket, ...(draw && { commit_sha256: draw.commit_sha256 }), ...proof });
  hold({ number, ticket });
}

function hold({ number, ticket }) {
  Object.assign(me, { ticket: { number, ticket }, place: null, drawn: undefined });
}

/** Give the ticket up on this side. */
function drop(hurdle) {
  keep({});
  going = false;
  Object.assign(me, { ticket: null, place: null, door: null, visit: null, watch: 0, hurdle });
}

const isMoved = ({ type }) => /moved$/.test(type);

function find() {
  const seed = me.state.draw?.seed;
  if (me.place === null || seed !== me.drawn) me.place = placeOf(me.ticket.number, me.state);
  me.drawn = seed;
}

const called = () => me.state.phase === "open" && me.ticket && me.place !== null && me.place < me.state.called;
const enters = () => going || (wishes.enter && !memory.receipt.later);

async function knock() {
  const answer = await ask("POST", "/pass", next ? { next } : {});
  me.door = answer.status === 202 ? answer : null;
  if (answer.status === 201) enter(answer);
  else if (isMoved(answer)) drop("moved");
  else if (answer.status === 401) lose();
  else if (answer.status === 409 && /spent$/.test(answer.type)) drop("spent");
}

/** The gate does not know our ticket (cookies cleared): take a new one, once; then leave it to the shopper. */
function lose() {
  drop(rejoined ? "spent" : null);
  rejoined = true;
}

function enter(entry) {
  const shop = onThisSite(entry.location) ?? "/";
  keep({ ...memory.receipt, shop, later: undefined });
  me.entry = entry;
  setTimeout(() => location.replace(shop), Math.max(0, entry.enter_at - now()));
}

/** A visit that has begun, for whoever comes back to this page without being sent on. */
async function visit() {
  const held = await ask("GET", "/pass");
  if (held.status === 200 && held.expires_at > now()) me.visit = held;
  else drop("spent");
}

/** One round; what it throws is the network's or the store's trouble, and the next round tries again. */
async function round() {
  try {
    await look();
    if (memory.receipt.shop && !memory.receipt.handed && !next && !me.hurdle) await visit();
    else if (!me.ticket && !me.hurdle && JOINABLE.includes(me.state.phase)) await join();
    else if (me.watch > now() && isMoved(await ask("GET", "/ticket"))) drop("moved");
    if (me.state.phase === "scheduled" && !ahead && untilLine() < headStart) {
      ahead = true;
      await doWork();
    }
    if (me.ticket) find();
    if (called() && enters() && !(me.door?.knock_again_at > now())) await knock();
    failures = 0;
    Object.assign(me, { away: Boolean(me.state.store_away), crowded: false });
  } catch ({ crowded }) {
    failures++;
    Object.assign(me, { away: true, crowded });
  }
}

const untilLine = () => (me.state.presale_opens_at ?? me.state.opens_at) - now();

/** Seconds until this shopper's turn at the earliest. */
function distance() {
  if (me.watch > now()) return 0;
  if (me.place === null) return me.state.phase === "drawing" ? 0 : Infinity;
  return soonest(aheadOf(me.place, me.state), me.state);
}

/** Milliseconds until the next round. */
function delay() {
  const poll = me.state?.poll ?? { near_s: 2, far_s: 20 };
  if (failures) return Math.max(1000 * Math.min(poll.far_s, poll.near_s * 2 ** (failures - 1)) * (0.75 + 0.5 * Math.random()), respite());
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

let shown;

function draw() {
  const { receipt } = memory;
  const view = describe({ ...me, receipt, later: receipt.later && !going, enters: enters() }, now(), part("room").textContent);
  paint(view);
  const turn = ["called", "door", "entering"];
  if (turn.includes(view.face) && !turn.includes(shown)) call(view);
  shown = view.face;
}

/** Call the shopper as they have allowed it. */
async function call({ lead, tab }) {
  if (!wishes.sound && !wishes.notice) return;
  try {
    const { notify, ring } = await more();
    if (wishes.notice) notify(tab, lead);
    if (wishes.sound) ring();
  } catch { /* the tab's title and icon call all the same */ }
}

function tick() {
  if (!document.hidden && (me.state || me.away)) draw();
  setTimeout(tick, 1000 - (now() % 1000 || 0));
}

/** What a button does: ask the gate, then look again; if it cannot be asked, the page says so. */
async function act(work) {
  try { await work(); } catch { me.away = true; }
  draw();
  run();
}

const actions = {
  go: () => { going = true; keep({ ...memory.receipt, later: undefined }); },
  again: () => drop(null),
  yes: () => answerHanded({ ...memory.receipt.handed, sure: true }),
  no: () => answerHanded(),
  async defer() {
    const { status } = await ask("POST", "/ticket/defer", {});
    if (status !== 204) return;
    going = false;
    me.door = null;
    keep({ ...memory.receipt, later: true });
  },
  async "give-up"() {
    await ask("DELETE", "/ticket");
    drop("left");
  },
  extend: () => ask("POST", "/pass/extend", {}),
};
for (const [id, work] of Object.entries(actions)) part(id).addEventListener("click", () => act(work));
openParts(me, run);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  if (me.hurdle === "signin") me.hurdle = null; // signed in meanwhile, in another tab?
  run();
});
addEventListener("online", run);
addEventListener("hashchange", () => location.reload()); // a link that hands a place over, opened in this very tab
addEventListener("pageshow", (event) => { if (event.persisted) { me.entry = null; run(); } });

if (!followChoice()) {
  takeOver();
  run();
  tick();
}
