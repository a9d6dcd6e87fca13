// What a browser works out for itself from the public state: its place, who is ahead, the wait, when to look again.

import { shuffle } from "./draw.js";

export const JOINABLE = ["presale", "drawing", "open", "paused"];

/** The place (from 0) of a ticket's number, or null until it is drawn. Later tickets queue behind the presale. */
export function placeOf(number, { phase, draw, presale_closes_at: drawn }) {
  if (drawn === null) return number;
  if (phase === "presale" || !draw) return null;
  if (draw.size !== null && number >= draw.size) return number;
  return draw.seed && draw.size ? shuffle(number, draw.size, draw.seed) : null;
}

/** How many places are called before this one. */
export const aheadOf = (place, state) => Math.max(0, place - state.called);

/** The wait in seconds as {low, high}, or null if nobody can tell; the same rule as waitroom/forecast.py. */
export function waitFor(ahead, { entering_per_minute: measured, rate, allowed_per_minute: allowed, show_rate: shows }) {
  const seen = Math.min(measured, rate) || allowed;
  const [slow, fast] = [Math.min(seen, allowed) / 60, Math.max(seen, allowed) / 60];
  const entries = ahead * shows;
  const spread = 2 * Math.sqrt(entries * (1 - shows) + 1);
  const low = Math.floor(Math.max(0, entries - spread) / fast);
  const high = Math.ceil((entries + spread) / slow + 6);
  return high <= 86_400 ? { low, high } : null;
}

/** Seconds until a place with so many ahead of it may be called at the earliest: at the full rate, six seconds ahead of entry. */
export function soonest(ahead, { rate, show_rate: shows }) {
  const entries = ahead * shows;
  return Math.max(0, (entries - 2 * Math.sqrt(entries * (1 - shows) + 1)) / rate * 60 - 6);
}

/** Seconds until the next look at the state: a tenth of the way to the next change, between the state's two bounds. */
export function nextLook(state, now, distance, hidden) {
  const { near_s: near, far_s: far } = state.poll;
  const changes = [state.presale_opens_at, state.presale_closes_at, state.opens_at]
    .filter((at) => at > now).map((at) => (at - now) / 1000);
  const tenth = Math.min(distance, ...changes) / 10;
  const seconds = Math.min(far, Math.max(near, tenth)) * (0.85 + 0.3 * Math.random()) * (hidden ? 2 : 1);
  return Math.min(seconds, ...changes.map((left) => left + near * Math.random())); // spread over the moment after a change
}
