// Keeps the stock and the time left up to date. Every page works without this.
import { endVisit } from "./visit.js";

const POLL_MS = 3000;
const RELOAD_MS = 5000;

function showStock(item, { free, held }) {
  const line = item.querySelector(".stock");
  if (line.dataset.free === String(free) && line.dataset.held === String(held)) return;
  Object.assign(line.dataset, { free, held });
  showChoice(item.querySelector("select"), free);
  const { some, back, none } = item.closest("form").dataset;
  line.textContent = free > 0 ? some.replace("{n}", free) : held > 0 ? back : none;
}

function showChoice(select, free) {
  if (Number(select.value) > free) select.value = free;
  for (const option of select.options) option.disabled = Number(option.value) > free;
  select.disabled = free === 0 || select.options.length === 1;
}

async function pollStock(form) {
  try {
    const answer = await fetch(form.dataset.stock, { headers: { Accept: "application/json" } });
    const { products = [], waiting_room } = await answer.json();
    if (waiting_room) {
      clearInterval(polling);
      endVisit();
    }
    for (const product of products) {
      showStock(form.querySelector(`[data-product="${product.id}"]`), product);
    }
  } catch {
    // Away for a moment; the next poll tells.
  }
}

// The buyer's clock may be wrong: the page says what time it was here, and how long is left counts from then on.
function countDown(end, left) {
  const seconds = Math.max(0, Math.round((end - performance.now()) / 1000));
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  left.textContent = left.dataset.left.replace("{time}", time);
  if (seconds > 0) setTimeout(countDown, 1000, end, left);
  else location.reload();
}

const form = document.querySelector("[data-stock]");
const polling = form && setInterval(() => document.hidden || pollStock(form), POLL_MS);

const left = document.querySelector("[data-until]");
if (left) countDown(performance.now() + Number(left.dataset.until) - Number(left.dataset.now), left);

// Not while somebody reads what they opened.
if (document.querySelector("[data-reload]")) {
  setInterval(() => document.querySelector("main details[open]") || location.reload(), RELOAD_MS);
}
