// "How was my place drawn?": each step of the draw with its values and whether this browser checked it, and what the record tells.

import { QUICKNET, checkDraw } from "./checks.js";
import { leaf } from "./draw.js";
import { element, saving } from "./element.js";
import { checkSeals, checkStory, explain, readLog } from "./record.js";

const RECEIPT = ["entropy", "number", "ticket", "leaf", "room", "commit_sha256"];

/** A receipt as `waitroom verify --receipt` takes it; null if this browser made no entropy for the place. */
function receiptFile(receipt, room) {
  if (!receipt.entropy || receipt.number === undefined) return null;
  const whole = { ...receipt, room, leaf: receipt.leaf ?? leaf(receipt.ticket, receipt.entropy) };
  return Object.fromEntries(RECEIPT.filter((name) => whole[name] !== undefined && whole[name] !== null).map((name) => [name, whole[name]]));
}

/** A document that is not in its format, and so was changed on the way; unlike one that cannot be had just now. */
class Unreadable extends Error {
  constructor(document) {
    super(document);
    this.wrong = { document, names: ["JSON"] };
  }
}

/** What the panel needs: how to read documents, write numbers and times, its texts, and the receipt with the ticket's number. */
function context({ base, me, memory, number, own, time }, texts) {
  const get = async (address) => {
    const answer = await fetch(base + address, { cache: "no-cache", signal: AbortSignal.timeout(30_000) });
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    try { return await answer.json(); } catch { throw new Unreadable(address.slice(1).split("?")[0]); }
  };
  const say = (text, values = {}) => text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
  const receipt = { ...me.ticket, ...memory.receipt };
  return { base, number, own, get, say, receipt, state: me.state, t: texts, time: (at) => time(at, { second: "2-digit" }) };
}

const mark = (verdict, t) => element("span", { className: `mark ${verdict}` }, element("span", { className: "unseen" }, `${t.verdicts[verdict]} `));

function values(step, t) {
  const rows = Object.entries(step.values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!rows.length) return null;
  const list = element("dl", {}, ...rows.map(([name, value]) => element("div", {}, element("dt", {}, t.values[name]), element("dd", {}, element("code", {}, String(value))))));
  return element("details", {}, element("summary", {}, t.show), list);
}

const blame = (wrong, c) => wrong.map(({ document, names }) => c.say(c.t.wrong, { document, values: names.join(", ") })).join(" ");

function item(step, fills, c) {
  const said = c.t.steps[step.name];
  const text = c.say(said.text, fills);
  const result = step.verdict === "bad" ? blame(step.wrong, c) : said[step.verdict] ?? c.t.later;
  return element("li", { className: step.verdict, "data-step": step.name },
    element("h2", {}, mark(step.verdict, c.t), said.title),
    text.includes("{") ? null : element("p", {}, text), // it tells of what is not there yet
    element("p", { className: "result" }, c.say(result, fills)),
    step.name === "beacon" && fills.round ? element("p", {}, element("a", { href: `https://api.drand.sh/${QUICKNET}/public/${fills.round}`, rel: "noreferrer", target: "_blank" }, c.t.round)) : null,
    values(step, c.t));
}

/** The verdict over all steps: loud where anything is wrong. */
function verdict(steps, c) {
  const wrong = steps.flatMap((step) => step.wrong);
  if (wrong.length) {
    return element("div", { className: "verdict bad", role: "alert" }, element("h2", {}, c.t.broken), element("p", {}, blame(wrong, c)), element("p", {}, c.t.broken_help));
  }
  const checked = steps.filter((step) => step.verdict === "good").length;
  const done = !steps.some((step) => step.verdict === "later");
  return element("p", { className: "verdict good", role: "status" }, c.say(done ? c.t.holds : c.t.holds_so_far, { count: c.number(checked) }));
}

function fillsOf(steps, documents, c) {
  const { draw, path, receipt } = documents;
  const place = placeOf(steps, draw, receipt);
  return {
    number: String(receipt.number),
    place: place === null ? "" : c.number(place + 1),
    size: draw.size === null ? "" : c.number(draw.size),
    ...(path && { nodes: c.number(path.path?.length ?? 0) }),
    round: draw.round,
    time: draw.round_at ? c.time(draw.round_at) : "",
  };
}

async function drawSteps(c) {
  const receipt = c.receipt;
  const draw = await c.get("/draw");
  const listed = draw.root && receipt.number < draw.size;
  const path = listed ? await c.get(`/draw/${receipt.number}`) : null;
  const documents = { draw, path, receipt, state: c.state };
  const steps = checkDraw(documents);
  return { draw, steps, fills: fillsOf(steps, documents, c) };
}

const documentLinks = (c) => element("p", { className: "small" }, `${c.t.documents} `, ...["draw", `draw/${c.receipt.number}`, "roll", "log"].flatMap((name) => [element("a", { href: `${c.base}/${name}`, target: "_blank" }, name), " "]));

function foot(c) {
  const file = receiptFile(c.receipt, c.state.room);
  const name = `receipt-${c.state.room}-${c.receipt.number}.json`;
  return element("div", {},
    element("p", {}, file ? saving(c.t.save, name, file) : c.t.no_receipt),
    element("p", { className: "small" }, `${c.t.command} `, element("code", {}, ["waitroom verify", location.origin + c.base, ...(file ? ["--receipt", name] : [])].join(" "))),
    c.state.draw ? documentLinks(c) : null);
}

function story(told, c) {
  const { t } = c;
  const when = (at, otherwise) => (at === null ? otherwise : c.time(at));
  const joined = told.before === null ? c.say(t.joined_after, { after: when(told.after, "") }) : c.say(t.joined_between, { after: when(told.after, ""), before: when(told.before) });
  const rows = [
    [t.joined, joined],
    ...(c.state.draw ? [[t.drawn, when(told.drawn, t.not_yet)]] : []),
    [t.called, when(told.called, t.not_yet)],
    [t.entered, when(told.entered, t.not_yet)],
    ...told.holds.map(({ kind, at, reason }) => [t.holds_by_kind[kind], [c.time(at), c.own(reason)].filter(Boolean).join(": ")]),
  ];
  return element("dl", {}, ...rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/** The record as a step of its own, read and checked while the panel stands open. */
async function readRecord(c, draw, place, progress) { // without `draw` the record is not compared with it
  const entries = await readLog(c.get, progress);
  const { wrong, seals, sealed } = checkSeals(c.state.room, entries);
  const names = [...wrong, ...(wrong.length ? [] : checkStory(draw, entries)).map((each) => `${each.id} (${each.name})`)];
  const step = { name: "record", verdict: names.length ? "bad" : seals ? "good" : "open", values: {}, wrong: names.length ? [{ document: "log", names }] : [] };
  const shown = item(step, { entries: c.number(sealed), seals: c.number(seals) }, c);
  shown.append(story(explain(c.receipt.number, place, entries), c));
  return { step, shown };
}

/** What is said where documents cannot be had, or read. */
function failed(error, c) {
  if (error instanceof Unreadable) return verdict([{ wrong: [error.wrong] }], c);
  return element("p", { role: "alert" }, c.t.unreadable);
}

const isGood = (steps) => !steps.some((step) => step.wrong.length);

function placeOf(steps, draw, { number }) {
  if (!draw || number >= (draw.size ?? Infinity)) return number;
  return steps.find((step) => step.name === "place")?.place ?? null;
}

/** Show the whole proof in an element; `page` is what `openParts` makes. */
export async function showProof(host, page, texts) {
  const c = context(page, texts);
  host.replaceChildren(element("p", {}, c.t.reading));
  try {
    const { draw, steps, fills } = c.state.draw ? await drawSteps(c) : { draw: null, steps: [], fills: {} };
    const reading = element("li", {}, c.t.reading_record);
    const list = element("ol", { className: "steps" }, ...steps.map((step) => item(step, fills, c)), reading);
    const top = element("div", {}, steps.length ? verdict(steps, c) : "");
    host.replaceChildren(element("p", {}, c.say(introOf(draw, c), fills)), top, list, foot(c));
    try {
      const { step, shown } = await readRecord(c, isGood(steps) ? draw : null, placeOf(steps, draw, c.receipt), (count) => {
        reading.textContent = `${c.t.reading_record} ${c.number(count)}`;
        return reading.isConnected;
      });
      reading.replaceWith(shown);
      top.replaceChildren(verdict([...steps, step], c));
    } catch (error) {
      reading.replaceChildren(failed(error, c));
    }
  } catch (error) {
    host.replaceChildren(failed(error, c), foot(c));
  }
}

function introOf(draw, c) {
  if (!draw) return c.t.intro_no_draw;
  return draw.size !== null && c.receipt.number >= draw.size ? c.t.intro_later : c.t.intro;
}
