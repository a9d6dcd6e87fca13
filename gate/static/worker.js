// Does the work that a room asks for before a join: ALTCHA's proof of work, protocol v2, with PBKDF2. A classic worker.

const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

onmessage = async ({ data: { base, entropy } }) => {
  try {
    postMessage({ work: await work(base, unhex(entropy)) });
  } catch (error) {
    postMessage({ trouble: String(error) });
  }
};

/** ALTCHA's payload, or nothing: on plain http a browser has no WebCrypto, and a refusal is better heard by the join. */
async function work(base, entropy) {
  if (!crypto.subtle) return undefined;
  const answer = await fetch(`${base}/challenge?for=${hex(await crypto.subtle.digest("SHA-256", entropy))}`);
  if (answer.status >= 500) throw new Error(`challenge: ${answer.status}`);
  if (!answer.ok) return undefined;
  const challenge = await answer.json();
  return btoa(JSON.stringify({ challenge, solution: await solve(challenge.parameters) }));
}

/** The counter from which a key with this prefix is derived. */
async function solve({ nonce, salt, cost, keyLength, keyPrefix }) {
  const password = new Uint8Array([...unhex(nonce), 0, 0, 0, 0]);
  const counterAtEnd = new DataView(password.buffer, password.length - 4);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt: unhex(salt), iterations: cost };
  for (let counter = 0; ; counter++) {
    counterAtEnd.setUint32(0, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const derivedKey = hex(await crypto.subtle.deriveBits(derivation, key, 8 * keyLength));
    if (derivedKey.startsWith(keyPrefix)) return { counter, derivedKey };
  }
}
