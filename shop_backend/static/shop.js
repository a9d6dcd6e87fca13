// Keeps the stock and the time left up to date. Every page works without this.
const POLL_MS = 3000;

function showStock(item, { free, held }) {
  const line = item.querySelector(".stock");
  if (line.dataset.free === String(free) && line.dataset.held === String(held)) return;
  Object.assign(line.dataset, { free, held });
  showChoice(item.querySelector("select"), free);
  if (free > 0) {
    const number = document.createElement("strong");
    number.textContent = free;
    line.replaceChildren(number, " left");
  } else {
    line.textContent = held > 0 ? "None free, but some in other baskets may come back" : "Sold out";
  }
}

function showChoice(select, free) {
  if (Number(select.value) > free) select.value = free;
  for (const option of select.options) option.disabled = Number(option.value) > free;
  select.disabled = free === 0 || select.options.length === 1;
}

async function pollStock(form) {
  try {
    const answer = await fetch(form.dataset.stock, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { products } = await answer.json();
    for (const product of products) {
      showStock(form.querySelector(`[data-product="${product.id}"]`), product);
    }
  } catch {
    // Away for a moment; the next poll tells.
  }
}

function countDown(until, left) {
  const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
  left.textContent = `, ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} from now`;
  if (seconds > 0) setTimeout(countDown, 1000, until, left);
  else location.reload();
}

const form = document.querySelector("[data-stock]");
if (form) setInterval(() => document.hidden || pollStock(form), POLL_MS);

const until = Number(document.querySelector("[data-until]")?.dataset.until);
if (until > Date.now()) countDown(until, document.querySelector("[data-left]"));
