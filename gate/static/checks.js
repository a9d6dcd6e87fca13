// What a shopper's browser can check of the draw by itself, from the public documents and its own receipt. Pure.

import { keepsCommitment, leaf, rootOf, seedOf } from "./draw.js";
import { hex, sha256, shuffle, unhex } from "./shuffle.js";

const GENESIS_S = 1_692_803_367;
const PERIOD_S = 3;
export const QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const NOTICE_MS = 60_000;
const NO_BEACON = "0".repeat(64);
const PARTS = ["v", "room", "mode", "rounds", "commitment", "commit", "commit_sha256", "chain", "round", "round_at"];
const DRAWN = ["size", "root", "secret", "signature", "beacon", "seed"];
const ON_PATH = ["room", "number", "leaf", "path", "size", "root", "place"];

const isHash = (text, digits = 64) => typeof text === "string" && text.length === digits && /^[0-9a-f]*$/.test(text);
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const sha = (text) => hex(sha256(new TextEncoder().encode(text)));
const sorted = (value) => JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));

/** Whether a document says what the page's own state said before; the state may be a little older, and know less. */
const agrees = (name, draw, state) => state.draw[name] === null || draw[name] === state.draw[name];

/** When a round of drand's quicknet comes into being, in epoch ms. */
const timeOf = (round) => (GENESIS_S + (round - 1) * PERIOD_S) * 1000;

/** One document, and which of its values turned out wrong. */
function reader(document, value) {
  const wrong = [];
  return { value, wrong, document, must: (name, holds) => { if (!holds) wrong.push(name); return holds; } };
}

function named(doc, names) {
  for (const name of new Set([...Object.keys(doc.value), ...names])) doc.must(name, names.includes(name) && name in doc.value);
}

/** A check as the page shows it: what it is about, whether it holds, and what is wrong in which document. */
function step(name, values, docs) {
  const wrong = docs.filter((doc) => doc.wrong.length).map((doc) => ({ document: doc.document, names: [...new Set(doc.wrong.splice(0))] }));
  return { name, values, wrong, verdict: wrong.length ? "bad" : "good" };
}

/** The commit document's terms, or {} if it is not in its frozen format. */
function termsOf(commit) {
  try {
    const terms = JSON.parse(commit);
    return sorted(terms) === commit ? terms : {};
  } catch { return {}; }
}

function checkCommit(draw, receipt, state) {
  const { value: d, must } = draw;
  const terms = termsOf(d.commit);
  const drand = terms.mode === "drand";
  named(draw, [...PARTS, ...DRAWN]);
  must("commit", isHash(terms.commitment) && (drand || terms.mode === "local") && (!drand || terms.chain === QUICKNET));
  for (const name of ["v", "room", "mode", "rounds", "commitment"]) must(name, same(d[name], terms[name]));
  for (const name of ["chain", "round"]) must(name, same(d[name], terms[name] ?? null));
  must("v", d.v === 1);
  must("rounds", d.rounds === 90);
  must("room", d.room === state.room);
  must("commit_sha256", d.commit_sha256 === sha(String(d.commit)));
  must("round_at", d.round_at === (drand ? timeOf(d.round) : null));
  must("round", !drand || timeOf(d.round) >= terms.presale_closes_at + NOTICE_MS);
  for (const name of ["commitment", "commit_sha256"]) must(name, agrees(name, d, state));
  if (receipt.value.commit_sha256) receipt.must("commit_sha256", receipt.value.commit_sha256 === d.commit_sha256);
  const open = d.secret !== null && d.secret !== undefined;
  if (open) must("secret", isHash(d.secret) && keepsCommitment(d.commitment, d.secret));
  const found = step("commit", { fingerprint: d.commitment, rules: d.commit_sha256, secret: d.secret }, [draw, receipt]);
  return { ...found, verdict: found.verdict === "good" && !open ? "later" : found.verdict };
}

function checkEntry(receipt, path) {
  const { entropy, ticket, leaf: kept, number } = receipt.value;
  const mine = Boolean(entropy);
  if (mine) receipt.must("leaf", isHash(entropy) && leaf(ticket, entropy) === kept);
  if (path) {
    named(path, ON_PATH);
    path.must("number", path.value.number === number);
    path.must("leaf", isHash(path.value.leaf) && (!mine || path.value.leaf === kept));
  }
  const found = step("entry", { receipt: String(number), ticket, entropy, leaf: kept ?? path?.value.leaf }, [receipt, ...(path ? [path] : [])]);
  return { ...found, verdict: found.verdict === "good" && !mine ? "open" : found.verdict };
}

const seedFrom = (d) => seedOf(d.commit, d.secret, d.root, d.size, d.beacon);
const isSettled = (d) => d.seed !== null && d.seed === seedFrom(d);

/** Whether the audit path leads from its leaf to the root that stands beside it; which document is wrong follows from that. */
const isWhole = ({ leaf: start, number, size, path, root }) => Array.isArray(path) && path.every((each) => isHash(each)) && isHash(root) && rootOf(start, number, size, path) === root;

function checkList(draw, path, state) {
  const { value: p, must } = path;
  draw.must("root", isHash(draw.value.root) && agrees("root", draw.value, state));
  draw.must("size", agrees("size", draw.value, state));
  must("room", p.room === state.room);
  const whole = must("path", isWhole(p));
  for (const name of ["size", "root"]) (whole && !isSettled(draw.value) ? draw : path).must(name, p[name] === draw.value[name]);
  return step("list", { root: p.root, path: Array.isArray(p.path) ? p.path.join(" ") : "" }, [draw, path]);
}

function checkBeacon(draw) {
  const { value: d, must } = draw;
  if (d.mode !== "drand") {
    must("signature", d.signature === null);
    must("beacon", d.beacon === NO_BEACON);
    const found = step("local", {}, [draw]);
    return { ...found, verdict: found.wrong.length ? "bad" : "open" };
  }
  must("signature", isHash(d.signature, 96));
  must("beacon", isHash(d.beacon) && hex(sha256(unhex(String(d.signature)))) === d.beacon);
  const found = step("beacon", { signature: d.signature, value: d.beacon }, [draw]);
  return { ...found, verdict: found.wrong.length ? "bad" : "open" };
}

function checkSeed(draw, state) {
  const d = draw.value;
  draw.must("seed", isSettled(d) && agrees("seed", d, state));
  return step("seed", { seed: d.seed }, [draw]);
}

function checkPlace(draw, path) {
  const { number, size, place } = path.value;
  const seeds = [draw.value.seed, seedFrom(draw.value)]; // if they differ, it was said above
  const among = isSettled(draw.value) ? draw.value.size : size;
  path.must("place", seeds.some((seed) => isHash(seed) && shuffle(number, among, seed) === place));
  return { ...step("place", {}, [path]), place };
}

// `draw` and `path` are the documents `draw` and `draw/<number>` (null before the list is public, and for a number that was
// not in the draw), `state` the public state, `receipt` {number, ticket, entropy?, leaf?, commit_sha256?}. A step is {name,
// verdict, values, wrong}; its verdict is good, bad, later (not public yet) or open (not checked here).

/** All checks that can be made so far, in the order in which a draw happens. */
export function checkDraw(documents) {
  const { state } = documents;
  const draw = reader("draw", documents.draw);
  const receipt = reader("receipt", documents.receipt);
  const path = documents.path && reader(`draw/${documents.receipt.number}`, documents.path);
  const later = (name) => ({ name, verdict: "later", values: {}, wrong: [] });
  const steps = [];
  const check = (name, ready, work) => {
    try {
      steps.push(ready ? work() : later(name));
    } catch { // a value of another kind than any check expects; mostly a step before has named it
      const known = steps.some((each) => each.wrong.length);
      steps.push({ name, verdict: "bad", values: {}, wrong: known ? [] : [{ document: draw.document, names: [name] }] });
    }
  };
  const listed = Boolean(path && documents.draw.root);
  const drawn = Boolean(documents.draw.seed);
  check("entry", true, () => checkEntry(receipt, path));
  check("commit", true, () => checkCommit(draw, receipt, state));
  if (documents.receipt.number >= (documents.draw.size ?? Infinity)) return steps;
  check("list", listed, () => checkList(draw, path, state));
  check(documents.draw.mode === "drand" ? "beacon" : "local", drawn, () => checkBeacon(draw));
  check("seed", drawn, () => checkSeed(draw, state));
  check("place", listed && drawn, () => checkPlace(draw, path));
  return steps;
}
