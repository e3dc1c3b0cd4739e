// What mdBook's pages lack for those who use a keyboard or a screen reader.

// A label can be neither reached by keyboard nor named: a button presses it.
const label = document.getElementById("mdbook-sidebar-toggle");
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

document.getElementById("mdbook-menu-bar").setAttribute("role", "banner");

/** What is wider than its box must be reached to be scrolled. */
function reach() {
  for (const box of document.querySelectorAll("pre > code, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

addEventListener("load", reach);
addEventListener("resize", reach);
