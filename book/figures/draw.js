// What figures are drawn with: elements, lists, timers, and a new picture in the place of an old one.

import { duration } from "./words.js";

const MOVE = { duration: 450, easing: "ease-out" };

/**
 * A new element, such as `h("li.lab-card", { title }, text)`: its name and classes, then its attributes, if any, and its
 * children: elements, texts, numbers and lists of them. What is undefined, false or "" is left out.
 */
export function h(selector, ...children) {
  const [name, ...classes] = selector.split(".");
  const element = document.createElement(name);
  element.classList.add(...classes);
  for (const child of children.flat(Infinity)) {
    if (child instanceof Node) element.append(child);
    else if (child instanceof Object) Object.entries(child).forEach(([name, value]) => set(element, name, value));
    else if (child || child === 0) element.append(child);
  }
  return element;
}

function set(element, name, value) {
  if (typeof value === "function") element[name] = value;
  else element.setAttribute(name, value);
}

export function button(text, onclick) {
  return h("button", { type: "button", onclick }, text);
}

/** The first few, then how many more there are. */
export function some(things, most, draw) {
  const more = things.length - most;
  const drawn = things.slice(0, most).map(draw);
  return more > 0 ? [...drawn, h("li.lab-more", `+ ${more} more`)] : drawn;
}

/** A list with its title, or the word for an empty one. */
export function column(title, items, none, kind = "lab-cards") {
  return h(
    "section.lab-column",
    h("p.lab-head", title),
    items.length ? h(`ul.${kind}`, { "aria-label": title }, items) : h("p.lab-none", none),
  );
}

/** A name and some words about it; words that are not so are false or 0. */
export function title(name, words) {
  return h("p.lab-title", h("b", name), " ", h("span", words.filter(Boolean).join(", ")));
}

/** What runs down until a time of the local cloud's clock, and the word for its end. */
export function timer(until, total, over, now) {
  const element = h("span.lab-timer", { "data-until": until, "data-total": total, "data-over": over });
  tick(element, now);
  return element;
}

export function tickTimers(stage, now) {
  for (const element of stage.querySelectorAll("[data-until]")) tick(element, now);
}

function tick(element, now) {
  const { until, total, over } = element.dataset;
  const left = until - now;
  const text = left > 0 ? duration(Math.ceil(left / 1000) * 1000) : over;
  if (element.textContent !== text) element.textContent = text;
  element.style.setProperty("--left", Math.min(1, Math.max(0, left / total)).toFixed(3));
}

/** Puts a new picture in the place of the old one. What has the same `data-key` in both moves from there to here. */
export function replace(stage, picture) {
  const moves = !matchMedia("(prefers-reduced-motion: reduce)").matches && stage.hasChildNodes();
  const keyed = () => (moves ? [...stage.querySelectorAll("[data-key]")] : []);
  const before = new Map(keyed().map((element) => [element.dataset.key, element.getBoundingClientRect()]));
  stage.replaceChildren(picture);
  for (const element of keyed()) {
    const from = before.get(element.dataset.key);
    const to = element.getBoundingClientRect();
    const [x, y] = from ? [from.left - to.left, from.top - to.top] : [];
    if (!from) element.animate({ transform: ["scale(0.4)", "none"], opacity: [0, 1] }, MOVE);
    else if (x || y) element.animate({ transform: [`translate(${x}px, ${y}px)`, "none"] }, MOVE);
  }
}
