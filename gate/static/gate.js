// How the page speaks to the gate.

export const base = location.pathname;
let notBefore = 0; // a Retry-After holds until then, on the page's own clock

/** Ask the gate; a 5xx, a crowd of joins (429) or a broken connection throws, so that the round ends and is tried again. */
export async function ask(method, address, body) {
  const answer = await fetch(base + address, {
    method,
    headers: body && { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  });
  if (answer.status >= 500 || answer.status === 429) {
    notBefore = performance.now() + 1000 * (Number(answer.headers.get("Retry-After")) || 0);
    throw Object.assign(new Error(`${method} ${address}: ${answer.status}`), { crowded: answer.status === 429 });
  }
  const text = await answer.text();
  return { ...(text && JSON.parse(text)), status: answer.status };
}

/** Milliseconds for which the gate wants to be left alone. */
export const respite = () => Math.max(0, notBefore - performance.now());

/** A path on this site, or undefined; the gate checks it again. */
export function onThisSite(path) {
  try {
    return path?.startsWith("/") && new URL(path, location.origin).origin === location.origin ? path : undefined;
  } catch { return undefined; }
}

let loading = null;

/** The module with all that is fetched only when it is asked for. */
export function more() {
  const src = `${base}/${document.querySelector("[data-more]").dataset.more}`;
  // Our policy trusts scripts that the page's own script adds, and an import only of what was loaded in this way.
  loading ??= new Promise((done, fail) => {
    const script = Object.assign(document.createElement("script"), { type: "module", src, onload: () => done(import(src)) });
    script.onerror = () => { loading = null; fail(new Error(src)); };
    document.head.append(script);
  });
  return loading;
}
