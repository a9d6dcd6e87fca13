// The draw, checked by the shopper's own browser. Same rules and vectors as waitroom/draw.py; digests travel as hex.

import { hex, sha256, unhex } from "./shuffle.js";

const digest = (...parts) => sha256(Uint8Array.from(parts.flatMap((part) => [...part])));
const be64 = (n) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(n));
  return new Uint8Array(view.buffer);
};

/** What joining puts on the roll: SHA256(0x00 ‖ ticket ‖ entropy). */
export const leaf = (ticketHex, entropyHex) => hex(digest([0], unhex(ticketHex), unhex(entropyHex)));

/** The Merkle root (RFC 6962) that an audit path leads to from a leaf, or null if the path does not fit. */
export function rootOf(leafHex, number, size, path) {
  let node = unhex(leafHex);
  let left = number, last = size - 1;
  if (!(left >= 0 && left <= last)) return null;
  for (const step of path) {
    if (last === 0) return null;
    if (left % 2 || left === last) {
      node = digest([1], unhex(step), node);
      while (left && left % 2 === 0) [left, last] = [left / 2, Math.floor(last / 2)];
    } else {
      node = digest([1], node, unhex(step));
    }
    [left, last] = [Math.floor(left / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hex(node) : null;
}

/** The seed: SHA256("draw/v1" ‖ 0x00 ‖ SHA256(commit) ‖ secret ‖ root ‖ BE64(size) ‖ beacon); commit is the document's text. */
export function seedOf(commit, secretHex, rootHex, size, beaconHex) {
  const text = new TextEncoder();
  const [secret, root, beacon] = [secretHex, rootHex, beaconHex].map(unhex);
  return hex(digest(text.encode("draw/v1\0"), sha256(text.encode(commit)), secret, root, be64(size), beacon));
}

/** Whether the secret is the one that the room had bound itself to before anyone joined. */
export const keepsCommitment = (commitmentHex, secretHex) => hex(sha256(unhex(secretHex))) === commitmentHex;
