// A mark behind each claim that the ledger has, which opens its evidence. Without a script there are no marks, and the
// ledger, claims.txt, is a text to read.

const KINDS = {
  assert: "A program asserts it",
  shows: "A program that the tests run does it",
  session: "A session that the tests compare shows it",
  test: "A test holds it",
  recorded: "AWS answered so when it was recorded",
  quota: "From the table of quotas and prices",
  page: "AWS’s documentation",
  follows: "It follows from",
};

/** The claims of a page: `{ text, evidence }`, as the ledger has them. */
export function claimsOf(ledger, page) {
  const claims = [];
  let current = "";
  for (const line of ledger.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    else if (line.startsWith("    ")) claims.at(-1)?.evidence.push(line.trim());
    else if (line.startsWith("  ")) claims.push({ page: current, text: line.trim(), evidence: [] });
    else current = line;
  }
  const isClaim = ({ evidence }) => !evidence.some((row) => row.startsWith("no claim"));
  return claims.filter((claim) => claim.page === page && isClaim(claim));
}

/** What finds a claim in a page: quotas are filled in there, and quotation marks are curly. */
export function pattern(text) {
  const escaped = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const filled = escaped.replace(/\\\{[a-z-]+\\\}/g, ".{1,40}?");
  return new RegExp(filled.replace(/['"]/g, "['\"‘’“”]").replace(/ +/g, "\\s+"), "s");
}

/** Puts a mark behind the claim if this element has it. */
function mark(element, claim) {
  if (element.matches("tr")) {
    const row = [...element.cells].map((cell) => cell.textContent.trim()).join(" | ");
    const isRow = new RegExp(`^${pattern(claim.text).source}$`).test(row);
    if (isRow) element.cells[element.cells.length - 1].append(evidence(claim));
    return isRow;
  }
  const found = pattern(claim.text).exec(element.textContent);
  if (!found) return false;
  let rest = found.index + found[0].length;
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    if (rest <= node.length) {
      // Within a link or code the mark goes behind it.
      const inner = node.parentElement.closest("a, code");
      inner ? inner.after(evidence(claim)) : node.splitText(rest).before(evidence(claim));
      return true;
    }
    rest -= node.length;
  }
  return false;
}

function evidence(claim) {
  const button = document.createElement("button");
  const box = document.createElement("span");
  button.type = "button";
  button.className = "claim";
  button.textContent = "✓";
  button.setAttribute("aria-label", "evidence");
  button.setAttribute("aria-expanded", "false");
  box.className = "evidence";
  box.hidden = true;
  for (const row of claim.evidence) box.append(line(row));
  button.addEventListener("click", () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
  });
  const both = document.createDocumentFragment();
  both.append(button, box);
  return both;
}

function line(row) {
  const [, kind, rest] = /^(\S+) (.*)$/s.exec(row);
  const element = document.createElement("span");
  element.append(`${KINDS[kind] ?? kind}: `);
  const [address, date] = rest.split(" ");
  if (kind === "page" || kind === "quota") {
    const link = document.createElement("a");
    link.href = kind === "page" ? address : `quotas-and-prices.html#${rest}`;
    link.textContent = kind === "page" ? address.replace("https://", "") : rest;
    element.append(link, kind === "page" ? `, read ${date}` : "");
  } else {
    const code = document.createElement("code");
    code.textContent = rest;
    element.append(code);
  }
  return element;
}

async function start() {
  const page = location.pathname.split("/").at(-1).replace(/\.html$/, ".md");
  const answer = await fetch(new URL("../claims.txt", import.meta.url));
  if (!answer.ok) return;
  const claims = claimsOf(await answer.text(), page);
  const places = [...document.querySelectorAll("main p, main li, main tbody tr")].filter(
    (place) => !place.closest("details.notes") && !place.querySelector("p, li"),
  );
  for (const claim of claims) places.some((place) => mark(place, claim));
}

if (typeof document !== "undefined") start();
