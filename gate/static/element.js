// Elements for the parts of the page that come on demand.

/** An element with properties and children; what is null or empty among them is left out. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value; else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

/** A button that saves an object as a JSON file. */
export function saving(label, name, value) {
  const button = element("button", { type: "button", className: "quiet" }, label);
  button.addEventListener("click", () => {
    const href = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2) + "\n"], { type: "application/json" }));
    element("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  });
  return button;
}
