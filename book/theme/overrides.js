// What mdBook's pages lack for those who use a keyboard or a screen reader.

const label = document.getElementById("mdbook-sidebar-toggle");

/** A label can be neither reached by keyboard nor named: a button presses it. */
function addButton() {
  const checkbox = document.getElementById("mdbook-sidebar-toggle-anchor");
  const button = document.createElement("button");
  button.type = "button";
  button.className = label.className;
  button.title = label.title;
  button.setAttribute("aria-label", label.title);
  button.setAttribute("aria-controls", "mdbook-sidebar");
  button.append(...label.children);
  button.addEventListener("click", () => label.click());
  const tell = () => button.setAttribute("aria-expanded", checkbox.checked);
  checkbox.addEventListener("change", tell);
  tell();
  label.before(button);
  label.style.display = "none";
}

/** What is wider than its box must be reached to be scrolled. */
function reach() {
  for (const box of document.querySelectorAll("pre > code, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

// The window with the speaker notes has nothing of mdBook's.
if (label) {
  addButton();
  document.getElementById("mdbook-menu-bar").setAttribute("role", "banner");
  addEventListener("load", reach);
  addEventListener("resize", reach);
}
