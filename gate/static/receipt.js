// What this browser keeps of its place, so that it outlives the page: the receipt {entropy, number, ticket, leaf, room,
// commit_sha256}, and beside it `later` (the shopper lets others by), `shop` (where they went in) and `handed` (a place to take over:
// {move, claim, proof, sure}).

import { hex } from "./shuffle.js";

const HERE = location.pathname;

/** What is kept; a join whose answer was lost is repeated with the same entropy, and so gets the same ticket. */
export const memory = { receipt: load(HERE) ?? {} };

export function keep(receipt) {
  memory.receipt = receipt;
  save(HERE, receipt);
}

export function load(name) {
  try { return JSON.parse(localStorage.getItem(name)); } catch { return null; }
}

export function save(name, value) {
  try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* storage is off: the cookie still holds the place */ }
}

/** Keep what the address brings from another device: `#move=<token>&receipt=…`; the token must not stay in the address. */
export function takeOver() {
  const brought = new URLSearchParams(location.hash.slice(1));
  const move = brought.get("move");
  if (!move) return;
  history.replaceState(null, "", location.pathname + location.search);
  const [entropy, ticket, leaf, commit_sha256] = (brought.get("receipt") ?? "").split(".");
  const { handed } = memory.receipt;
  if (handed?.move === move) return; // a claim is repeated as it was, for its answer may have been lost
  const claim = hex(crypto.getRandomValues(new Uint8Array(32))); // tells this device from another one with the same link
  const proof = { ...(leaf && { entropy, ticket, leaf }), ...(commit_sha256 && { commit_sha256 }) };
  keep({ ...memory.receipt, handed: { move, claim, proof } });
}
