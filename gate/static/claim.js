// Takes over the place that another device hands on: asks first where it would cost a place, and says why it cannot be had.

/** What became of it: `ticket` with `number`; or `signin`; or what to say, `told`, with buttons for `yes` and `no`. */
export async function takePlace(ask, { move, claim, sure }, t) {
  const held = await ask("GET", "/ticket");
  if (held.ticket && held.ticket === move.split(".")[2]) return held; // it is here already
  if (held.ticket && !sure) return { told: t.instead, yes: t.take, no: t.keep };
  const answer = await ask("POST", "/ticket/claim", { move, entropy: claim });
  if (answer.ticket) return answer;
  const [slug] = /[^/]*$/.exec(answer.type);
  if (slug === "sign-in-needed") return { signin: true };
  return { told: t[slug === "spent" ? "place-spent" : slug] ?? t.expired, no: held.ticket ? t.back : t.join };
}
