// The console of one room: reads its figures every two seconds, sends changes through the operator's API.

const POLL_MS = 2000;
const ANSWER_MS = 10_000;
const AUDIT_ROWS = 10;
const PACE = ["rate", "capacity", "burst", "visit_seconds", "visit_longest_seconds", "more_time_seconds", "more_times"];

const PHASES = {
  scheduled: ["Scheduled", "No tickets are issued yet."],
  presale: ["Presale", "Tickets are issued; the draw will give them places."],
  drawing: ["Drawing", "The presale is over; places are being drawn."],
  open: ["Open", "Places are called and let in."],
  paused: ["Paused", "The door stands still and keeps its order."],
  sold_out: ["Sold out", "Everyone who waits has been told; visits run to their end."],
  closed: ["Closed", "The sale is over."],
};

const HOLDS = {
  pause: {
    title: "Pause the door?", act: "Pause",
    text: "Nobody is called or enters until you resume. Tickets are still issued, and visits go on.",
    hint: "Shoppers read it on the waiting page, as you write it.",
  },
  resume: {
    title: "Resume?", act: "Resume",
    text: "Calls and entries go on where they stopped.", hint: "Optional, and public: it stands in the sale's record.",
  },
  trust: {
    title: "Go on when the shop is in trouble?", act: "Go on regardless",
    text: "The gate goes on calling and letting in although the shop looks slow or failing to it, and extends no visits. A pause that is on now ends within five seconds.",
    hint: "Optional, and public: it stands in the sale's record.",
  },
  watch: {
    title: "Pause when the shop is in trouble?", act: "Watch the shop",
    text: "When the shop is slow or failing, calls and entries stop by themselves until it has recovered, and visits are extended.",
    hint: "Optional, and public: it stands in the sale's record.",
  },
  sold_out: {
    title: "Mark the room sold out?", act: "Mark sold out",
    text: "No more tickets are issued and nobody else enters. Everyone who waits is told at once. A restock takes it back.",
    hint: "Optional; shoppers read it on the waiting page, as you write it, and it stands in the sale's record.",
  },
  restock: {
    title: "Restock?", act: "Restock",
    text: "The sale goes on: tickets are issued again, and those who still wait are called.",
    hint: "Optional, and public: it stands in the sale's record.",
  },
  close: {
    title: "Close the room?", act: "Close the room", danger: true,
    text: "The sale ends now for everyone who waits, and they are told so. Many will leave for good, though you can reopen the room.",
    hint: "Needed; shoppers read it on the waiting page, as you write it, and it stands in the sale's record.",
  },
  reopen: {
    title: "Reopen the room?", act: "Reopen", danger: true,
    text: "The sale goes on where it was closed: everyone who is still there has the same place.",
    hint: "Needed, and public: it stands in the sale's record.",
  },
};

const byId = (id) => document.getElementById(id);
const main = document.querySelector("main");
const form = byId("pace");
const dialog = byId("confirm");
const address = `/api/rooms/${main.dataset.room}`;

let seen; // the room as last read
let seenAt = 0; // and when, by performance.now()
let base = JSON.parse(main.dataset.pace); // the pace that the form's values are based on
const audit = { after: "0", rows: [] };

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** Ask the API; a refusal becomes an error whose message is the problem's own words. */
async function ask(path, method = "GET", body) {
  const options = { method, headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(8000) };
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The gate does not answer. Nothing is known to have changed; look again in a moment.");
  }
  if (response.status === 401) {
    location.reload();
  }
  const answer = await response.json().catch(() => ({ title: "The answer makes no sense", detail: `status ${response.status}` }));
  if (!response.ok) {
    throw Object.assign(new Error(`${answer.title}: ${answer.detail}.`), { status: response.status });
  }
  return answer;
}

// ---- Showing

function show(room) {
  seen = room;
  seenAt = performance.now();
  const { line, pace } = room;
  const known = (value) => (value === null ? "–" : whole.format(value));
  figure("waiting", whole.format(line.waiting), `${whole.format(line.called)} of ${whole.format(line.issued)} called`);
  figure("at_door", whole.format(line.at_door), `${whole.format(line.coming)} on their way`);
  figure("visits", whole.format(line.visits), pace.capacity === null ? "no limit" : `of ${whole.format(pace.capacity)}`);
  meter("visits", line.visits, pace.capacity);
  figure("entering_per_minute", tenth.format(line.entering_per_minute), `lately; ${tenth.format(pace.rate)} is the rate, ${whole.format(line.entries)} in all`);
  meter("entering_per_minute", line.entering_per_minute, pace.rate);
  figure("show_rate", percent.format(line.show_rate));
  figure("units_left", known(line.units_left), line.units_left === null ? "the shop has not said" : `${known(line.units_held)} in baskets`);

  byId("phase").dataset.phase = room.phase;
  byId("phase").textContent = PHASES[room.phase][0];
  const early = line.paused_at !== null && room.phase !== "paused" && room.holds.includes("resume");
  const paused = early ? "The room is paused: it will not let anyone in when it opens." : "Paused.";
  say("paused", line.paused_at !== null && room.holds.includes("resume") ? `${paused} ${line.reason && `Reason: ${line.reason}`}` : "");
  const asked = line.trusted ? " You have asked to go on regardless." : "";
  say("shop-trouble", line.trouble_since === null ? "" : `The shop is slow or failing since ${clock.format(line.trouble_since)}. Nobody is called or enters until it has recovered, and visits are extended.${asked}`);
  say("trouble", room.store_away ? "The store does not answer. These are the last figures; nobody joins or enters until it is back." : "");
  for (const item of document.querySelectorAll("[data-hold]")) {
    item.hidden = !room.holds.includes(item.dataset.hold);
  }
  byId("no-holds").hidden = room.holds.length > 0;
  followPace(pace);
  outlook();
}

function figure(name, value, note) {
  document.querySelector(`[data-figure="${name}"]`).textContent = value;
  if (note !== undefined) {
    document.querySelector(`[data-note="${name}"]`).textContent = note;
  }
}

function meter(name, value, most) {
  const element = document.querySelector(`[data-meter="${name}"]`);
  element.hidden = most === null;
  element.max = most ?? 1;
  element.value = value;
}

function say(id, text) {
  const element = byId(id);
  element.hidden = !text;
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function outlook() {
  if (!seen) {
    return;
  }
  const left = seen.schedule.opens_at - seen.now - (performance.now() - seenAt);
  const before = ["scheduled", "presale", "drawing"].includes(seen.phase);
  const opens = before && left > 0 ? ` The sale opens in ${duration(left)}, at ${day.format(seen.schedule.opens_at)}.` : "";
  say("outlook", PHASES[seen.phase][1] + opens);
}

function duration(ms) {
  const s = Math.ceil(ms / 1000);
  const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  return first < 0 ? "0 s" : parts.slice(first, first + 2).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

// ---- The pace

function fill(pace) {
  base = pace;
  for (const name of PACE) {
    form.elements[name].value = pace[name] ?? "";
  }
  moved(false);
}

function typed(name) {
  const text = form.elements[name].value;
  return text === "" ? null : Number(text);
}

function changes() {
  const names = PACE.filter((name) => typed(name) !== base[name]);
  if (names.some((name) => name.startsWith("visit"))) {
    names.push("visit_seconds", "visit_longest_seconds"); // they mean something together
  }
  return Object.fromEntries(names.map((name) => [name, typed(name)]));
}

// Where visits do not slide, both of their lengths are one, until somebody says otherwise.
form.elements.visit_seconds.addEventListener("input", (event) => {
  if (base.visit_seconds === base.visit_longest_seconds) {
    form.elements.visit_longest_seconds.value = event.target.value;
  }
});

function followPace(pace) {
  if (pace.version !== base.version) {
    if (Object.keys(changes()).length) {
      moved(true);
    } else {
      fill(pace);
    }
  }
}

function moved(is) {
  byId("pace-reset").hidden = !is;
  say("pace-moved", is ? "Somebody changed the pace while you were typing. Look at the current one before you change it again." : "");
}

const fading = {};

/** Say what came of an order: what went well for a while, a refusal until the next order. */
function answer(id, text, bad = false) {
  clearTimeout(fading[id]);
  byId(id).textContent = text;
  if (text && !bad) {
    fading[id] = setTimeout(answer, ANSWER_MS, id, "");
  }
  byId(id).classList.toggle("bad", bad);
  if (text) {
    byId(id).scrollIntoView({ block: "nearest" });
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = changes();
  if (!Object.keys(wanted).length) {
    answer("pace-answer", "This is the pace as it stands; nothing to change.");
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const room = await ask(`${address}/pace`, "PATCH", { ...wanted, version: base.version, reason: form.elements.reason.value });
    fill(room.pace);
    form.elements.reason.value = "";
    show(room);
    answer("pace-answer", "The pace is changed.");
    await readAudit();
  } catch (error) {
    answer("pace-answer", error.message, true);
    if (error.status === 409) {
      moved(true);
    }
  }
  button.disabled = false;
});

byId("pace-reset").addEventListener("click", () => {
  fill(seen.pace);
  answer("pace-answer", "");
});

// ---- The door

for (const item of document.querySelectorAll("[data-hold]")) {
  item.querySelector("button").addEventListener("click", () => {
    const words = HOLDS[item.dataset.hold];
    dialog.dataset.action = item.dataset.hold;
    byId("confirm-title").textContent = words.title;
    byId("confirm-text").textContent = words.text;
    byId("hold-reason-hint").textContent = words.hint;
    byId("hold-reason").value = "";
    byId("hold-reason").required = Boolean(words.danger);
    byId("confirm-do").textContent = words.act;
    byId("confirm-do").classList.toggle("danger", Boolean(words.danger));
    dialog.returnValue = "";
    dialog.showModal();
  });
}

dialog.addEventListener("close", async () => {
  if (dialog.returnValue !== "do") {
    return;
  }
  answer("hold-answer", "");
  try {
    const room = await ask(`${address}/hold`, "POST", { action: dialog.dataset.action, reason: byId("hold-reason").value });
    show(room);
    answer("hold-answer", `Done. The room is ${PHASES[room.phase][0].toLowerCase()}.`);
    await readAudit();
  } catch (error) {
    answer("hold-answer", error.message, true);
  }
});

// ---- Who changed what

async function readAudit() {
  for (let more = true; more; ) {
    const page = await ask(`${address}/audit?after=${audit.after}`);
    audit.rows = [...audit.rows, ...page.entries].slice(-AUDIT_ROWS);
    audit.after = page.entries.at(-1)?.id ?? audit.after;
    more = page.next !== null;
  }
  if (audit.rows.length) {
    byId("audit").replaceChildren(...audit.rows.map(row).reverse());
  }
}

function row(entry) {
  const line = document.createElement("tr");
  const at = new Date(entry.at);
  const today = at.toDateString() === new Date().toDateString();
  const words = (text) => text.replaceAll("_", " ");
  const value = (text) => (text === "" ? "no limit" : Number.isNaN(Number(text)) ? words(text) : tenth.format(text));
  for (const text of [(today ? clock : day).format(at), words(entry.what), value(entry.from), value(entry.to), entry.by, entry.why]) {
    line.insertCell().textContent = text;
  }
  return line;
}

// ---- All the time

async function poll() {
  try {
    const room = (await ask("/api/rooms")).rooms.find((each) => each.room === main.dataset.room);
    const known = seen;
    show(room);
    const same = known && known.pace.version === room.pace.version && known.phase === room.phase && known.line.paused_at === room.line.paused_at;
    if (!same) {
      await readAudit();
    }
  } catch {
    const since = seenAt ? ` These figures are from ${duration(performance.now() - seenAt)} ago.` : "";
    say("trouble", `The gate does not answer.${since}`);
  }
  setTimeout(poll, POLL_MS);
}

poll();
setInterval(outlook, 1000);
