// The visit, on pages that a pass opened: how long it lasts, more time for it, and a kind word when it is over.
const SOON_MS = 120_000;
const bar = document.querySelector("[data-visit]");
const part = (name) => bar.querySelector(name);
const opened = performance.now();
let endsAt = Number(bar?.dataset.ends);
let isOver = false;
let isSoon = false;

// The buyer's clock may be wrong: the page says what time it was when it was made.
const leftMs = () => endsAt - Number(bar.dataset.now) - (performance.now() - opened);

export function endVisit() {
  if (!bar) return;
  isOver = true;
  part("[data-running]").hidden = true;
  part("[data-over]").hidden = false;
}

async function ask(method, address) {
  try {
    const answer = await fetch(address, { method, headers: { Accept: "application/json" } });
    if (!answer.ok) return false;
    const { expires_at, more_time } = await answer.json();
    endsAt = expires_at;
    part("form").hidden = more_time.left === 0;
    return true;
  } catch {
    return false; // away for a moment, or no gate in front: then it lasts as long as the page says
  }
}

function say(word) {
  const said = part("[data-said]");
  said.textContent = said.dataset[word];
}

function showTime() {
  const seconds = Math.max(0, Math.round(leftMs() / 1000));
  part("[data-left]").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// A timer is not read aloud as it runs; that the end is near is, once.
async function tick() {
  if (leftMs() <= 0) await ask("GET", bar.dataset.visit); // the shop's trouble may have made it longer
  if (isOver) return;
  if (leftMs() <= 0) {
    endVisit();
    return;
  }
  if (leftMs() < SOON_MS && !isSoon) say("soon");
  isSoon = leftMs() < SOON_MS;
  showTime();
  setTimeout(tick, 1000);
}

async function makeLonger(event) {
  event.preventDefault();
  const before = endsAt;
  const isGood = await ask("POST", event.target.action);
  say(isGood && endsAt > before ? "longer" : "full");
  showTime();
}

if (bar) {
  part("form").addEventListener("submit", makeLonger);
  ask("GET", bar.dataset.visit);
  tick();
}
