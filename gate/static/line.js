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

/** The wait in seconds as {low, high}, or null while nobody enters; the same rule as waitroom/forecast.py. */
export function waitFor(ahead, { entering_per_minute: rate, show_rate: shows }) {
  if (!(rate > 0)) return null;
  const middle = ahead * shows / rate * 60;
  return { low: middle * 0.6, high: middle * 1.4 };
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
