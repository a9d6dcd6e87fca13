// The public record in the browser: its seals, and what it tells of one place. docs/draw.md has the format. Pure, but for `readLog`.

import { hex, sha256, unhex } from "./shuffle.js";

const text = new TextEncoder();
const HOLDS = ["pause", "resume", "trouble", "recovered", "sold_out", "restock", "close", "reopen"]; // what makes people wait, or ends it

/** All entries of the record, page by page; `progress` hears how many there are so far, and answers false to stop. */
export async function readLog(get, progress) {
  const entries = [];
  for (let after = "0"; after !== null;) {
    const page = await get(`/log?after=${after}`);
    entries.push(...page.entries);
    after = page.next;
    if (!progress(entries.length)) break;
  }
  return entries;
}

function framed(value) {
  const bytes = text.encode(value);
  const whole = new Uint8Array(4 + bytes.length);
  new DataView(whole.buffer).setUint32(0, bytes.length);
  whole.set(bytes, 4);
  return whole;
}

/** An entry as it is hashed: id, number of values, then name and value of each, in order of name. */
function bytesOf({ id, ...values }) {
  const names = Object.keys(values).sort();
  const count = new Uint8Array(4);
  new DataView(count.buffer).setUint32(0, names.length);
  return [framed(id), count, ...names.flatMap((name) => [framed(name), framed(values[name])])];
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const order = (id) => id.split("-").map(BigInt);
const rises = ([a, b], [c, d]) => a < c || (a === c && b < d);
const wellFormed = (entry) => ["id", "kind", "at"].every((name) => name in entry) && Object.values(entry).every((value) => typeof value === "string")
  && /^\d+-\d+$/.test(entry.id) && (entry.kind !== "seal" || /^[0-9a-f]{64}$/.test(entry.seal));

/** The ids of the seals, or of the entries, at which the record is not what was sealed; and how many entries are sealed. */
export function checkSeals(room, entries) {
  const wrong = entries.filter((entry) => !wellFormed(entry)).map((entry) => String(entry.id));
  if (wrong.length) return { wrong, seals: 0, sealed: 0 };
  const index = new Map(entries.map((entry, at) => [entry.id, at]));
  let last = sha256(join([text.encode("log/v1\0"), text.encode(room)]));
  let [start, seals] = [0, 0];
  entries.forEach((entry, at) => {
    if (at && !rises(order(entries[at - 1].id), order(entry.id))) wrong.push(entry.id);
    if (entry.kind !== "seal") return;
    const end = index.get(entry.to) ?? -1;
    const fits = start <= end && end < at && hex(sha256(join([last, ...entries.slice(start, end + 1).flatMap(bytesOf)]))) === entry.seal;
    if (!fits) wrong.push(entry.id);
    last = unhex(entry.seal); // going on from what is written names each edited stretch alone
    start = Math.max(start, end + 1);
    seals++;
  });
  return { wrong, seals, sealed: start };
}

/** The entries that contradict the draw's document, or each other: {id, name}. */
export function checkStory(draw, entries) {
  const wrong = [];
  const must = (entry, name, holds) => { if (!holds) wrong.push({ id: entry.id, name }); };
  const facts = { found: ["commit"], freeze: ["size"], roll: ["size", "root", "secret"], draw: ["seed", "signature"] };
  let called = 0;
  if (entries.length) must(entries[0], "kind", entries[0].kind === "found");
  for (const entry of entries) {
    for (const name of (draw && facts[entry.kind]) ?? []) must(entry, name, entry[name] === String(draw[name] ?? ""));
    if (entry.kind === "call") {
      must(entry, "from", Number(entry.from) === called);
      called = Math.max(called, Number(entry.to) + 1);
    } else if (entry.kind === "enter") must(entry, "place", Number(entry.place) < called);
    else if (entry.kind === "heal") called = Math.max(called, Number(entry.called));
  }
  return wrong;
}

/** What the record tells of a ticket, in epoch ms: joined between two seals, drawn, called, entered; null where it tells nothing. */
export function explain(number, place, entries) {
  const first = (kind, holds = () => true) => entries.find((entry) => entry.kind === kind && holds(entry));
  const seals = entries.filter((entry) => entry.kind === "seal");
  const at = (entry, name = "at") => (entry ? Number(entry[name]) : null);
  return {
    after: at(seals.findLast((seal) => Number(seal.issued) <= number) ?? entries[0]),
    before: at(seals.find((seal) => Number(seal.issued) > number)),
    drawn: at(first("draw")),
    called: place === null ? null : at(first("call", ({ from, to }) => Number(from) <= place && place <= Number(to))),
    entered: place === null ? null : at(first("enter", (entry) => Number(entry.place) === place), "enter_at"),
    holds: entries.filter(({ kind }) => HOLDS.includes(kind)).map(({ kind, at: when, reason }) => ({ kind, at: Number(when), reason })),
  };
}
