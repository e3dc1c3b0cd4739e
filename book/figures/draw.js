// What figures are drawn with: elements, lists, and an old picture that becomes a new one.

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

const wantsNoMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the reader wants nothing to move. */
export function isStill() {
  return wantsNoMotion.matches;
}

/** Makes an element what the new one is, and keeps of it what is the same: nothing that stays is built again. */
export function become(old, next) {
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const keyed = new Map([...old.children].filter(({ dataset }) => dataset.key).map((child) => [child.dataset.key, child]));
  let place = old.firstChild;
  for (const child of [...next.childNodes]) {
    const same = keyed.get(child.dataset?.key) ?? (place?.dataset?.key ? null : place);
    if (!same || same.nodeName !== child.nodeName) {
      old.insertBefore(child, place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    if (same instanceof Element) become(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

/** Sets what has changed, and nothing else. */
export function text(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export function style(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
}
