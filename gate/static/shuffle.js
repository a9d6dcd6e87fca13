// A shopper's own place, computed by their own browser: SHA-256 and swap-or-not, by the same vectors as waitroom/draw.py.
// SHA-256 is our own because WebCrypto is missing on plain http and its promises would make 180 hashes slow.

const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
const fraction = (x) => (x % 1) * 2 ** 32 | 0;
const START = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
const ROUND = primes.map((p) => fraction(Math.cbrt(p)));
const turn = (x, n) => (x >>> n) | (x << (32 - n));

/** SHA-256 (FIPS 180-4) of some bytes. */
export function sha256(message) {
  const padded = new Uint8Array((message.length + 72) & ~63);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n);
  const hash = Int32Array.from(START);
  const w = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = i < 16
        ? view.getInt32(at + 4 * i)
        : w[i - 16] + w[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
      const t = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i] + w[i] | 0;
      const u = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c)) | 0;
      [a, b, c, d, e, f, g, h] = [t + u | 0, a, b, c, d + t | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { hash[i] += word; });
  }
  hash.forEach((word, i) => view.setInt32(4 * i, word));
  return padded.slice(0, 32);
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** The place of a presale number: swap-or-not in 90 rounds, as Ethereum's compute_shuffled_index. */
export function shuffle(number, size, seedHex) {
  if (!(Number.isInteger(number) && number >= 0 && number < size)) throw new RangeError(`number ${number} is not in a draw of ${size}`);
  const block = new Uint8Array(37);
  block.set(unhex(seedHex));
  const view = new DataView(block.buffer);
  let place = number;
  for (let round = 0; round < 90; round++) {
    block[32] = round;
    const start = new DataView(sha256(block.subarray(0, 33)).buffer).getBigUint64(0, true);
    const flip = (Number(start % BigInt(size)) + size - place) % size;
    const high = Math.max(place, flip);
    view.setUint32(33, Math.floor(high / 256), true);
    if (sha256(block)[(high % 256) >> 3] >> (high % 8) & 1) place = flip;
  }
  return place;
}
