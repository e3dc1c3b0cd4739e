// The speaker notes in a second window, which follows the book from page to page. Both windows run this script, and talk
// through a channel of the browser: nothing leaves the machine.
"use strict";
(() => {
  const HASH = "#speaker-notes";
  const channel = new BroadcastChannel("speaker-notes");
  const isSecond = location.hash === HASH;
  isSecond ? follow() : lead();

  // A window of the book tells its page, when it is asked and when it gets the focus, and goes where the second one says.
  function lead() {
    const all = document.querySelectorAll("details.notes");
    const notes = all.length === 1 ? all[0] : null;
    const link = (name) => document.querySelector(`a.nav-chapters.${name}`)?.href;
    const page = {
      from: Math.random(),
      title: document.querySelector("main h1")?.textContent,
      minutes: /This page takes (\d+) minutes/.exec(document.querySelector("main").textContent)?.[1],
      notes: notes?.querySelector("ul").outerHTML,
      previous: link("previous"),
      next: link("next"),
    };
    const tell = () => channel.postMessage({ page });
    channel.onmessage = ({ data }) => {
      if (data.ask) tell();
      if (data.go && data.to === page.from) location.href = data.go;
    };
    addEventListener("focus", tell);
    addEventListener("pageshow", tell);
    if (notes) {
      const button = document.createElement("button");
      button.textContent = "Open in a second window";
      button.onclick = () => open(`teaching.html${HASH}`, "speaker-notes", "popup,width=640,height=720");
      notes.append(button);
    }
  }

  // The second window shows what it is told.
  function follow() {
    document.title = "Speaker notes";
    document.body.innerHTML = `<main class="speaker-notes">
      <h1 aria-live="polite">Speaker notes</h1>
      <p>Open a page of the book in the other window.</p>
      <div></div>
      <nav aria-label="The book's window"></nav>
    </main>`;
    const [title, time, notes, links] = document.querySelector("main.speaker-notes").children;
    let shown = {};
    let since;
    const go = (href) => href && channel.postMessage({ go: href, to: shown.from });
    const showTime = () => {
      const minutes = Math.floor((Date.now() - since) / 60000);
      if (shown.title) time.textContent = shown.minutes ? `Minute ${minutes} of ${shown.minutes}` : `Minute ${minutes}`;
    };
    channel.onmessage = ({ data: { page } }) => {
      if (!page) return;
      if (page.title !== shown.title) {
        since = Date.now();
        title.textContent = page.title;
        notes.innerHTML = page.notes ?? "<p>This page has no notes.</p>";
        links.innerHTML = ["previous", "next"]
          .filter((way) => page[way])
          .map((way) => `<a href="${page[way]}">${way === "next" ? "Next" : "Previous"} page</a>`)
          .join(" ");
      }
      shown = page;
      showTime();
    };
    setInterval(showTime, 10000);
    addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link) return;
      event.preventDefault();
      go(link.href);
    });
    // Before mdBook takes the arrows for this window's own chapter.
    addEventListener("keydown", (event) => {
      const way = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
      if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
      event.stopImmediatePropagation();
      go(shown[way]);
    }, true);
    channel.postMessage({ ask: true });
  }
})();
