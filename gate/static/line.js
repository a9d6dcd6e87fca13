// What a browser works out for itself from the public state: its place, who is ahead, the wait, when to look again.

import { shuffle } from "./shuffle.js";

const [LONGEST_S, Z, DRIFT, BUNCH_S, MEMORY_MIN] = [86_400, 1.2816, 0.07, 2, 2 / Math.LN2];
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

/** How the line moves, as waitroom/forecast.py has it. */
function flowOf({ called_per_minute: calling, entering_per_minute: entering, rate, sustained_per_minute: sustained, show_rate, entries }) {
  const share = entering && calling ? Math.min(1, entering / calling) : show_rate;
  const fast = Math.min(entering || rate, rate);
  const measured = Math.min(entries, entering * MEMORY_MIN);
  const unsure = (dispersion, count) => dispersion * (1 / (count + 1) + 1 / (measured + 1)) + DRIFT ** 2;
  return { share, fast, slow: Math.min(fast, sustained), unsure };
}

/** The wait in seconds as {low, high}, which hold it in 80 % of cases, or null if nobody can tell. */
export function waitFor(ahead, state) {
  const { share, fast, slow, unsure } = flowOf(state);
  if (slow * LONGEST_S < 60) return null; // not one entry until then
  const entries = ahead * share;
  const middle = entries / Math.sqrt(fast * slow) * 60;
  const between = Math.log(fast / slow) / (2 * Z);
  const factor = Math.exp(Z * Math.sqrt(unsure(1 - share + 1 - fast / state.rate, entries) + between ** 2));
  const low = Math.max(0, Math.floor(middle / factor - Z * BUNCH_S));
  const high = Math.ceil(middle * factor + Z * BUNCH_S);
  return high <= LONGEST_S ? { low, high } : null;
}

/** How likely it is, from 0 to 1, that a unit is left when this place is called; null if the units are not known. */
export function chanceFor(ahead, state) {
  const { units_left: left, units_taken: taken, visits, entries: entered } = state;
  if (left === null) return null;
  const { share, unsure } = flowOf(state);
  const inside = Math.min(visits, entered);
  const pending = inside * (1 + inside / Math.max(1, entered)) / 2;
  const demand = (taken + 1) / (entered - pending + 1) * (pending + ahead * share);
  if (demand <= 0) return left ? 1 : 0;
  const spread = (1 / demand + 1 / (taken + 1) + unsure(1 - share, ahead * share)) / 9;
  const z = (Math.cbrt(Math.max(0, left - 0.5) / demand) - 1 + spread) / Math.sqrt(spread);
  const bounded = Math.max(-9, Math.min(9, z));
  return 1 / (1 + Math.exp(-1.5976 * bounded - 0.070566 * bounded ** 3));
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
