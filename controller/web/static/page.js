// Puts in what changed since the page was served, and counts seconds down; all is there without it.
// Nothing of a text is ever run: what is fetched becomes a document without scripts.
"use strict";
const lost = document.getElementById("lost");
const served = new Map();
const parts = (page) => [...page.querySelectorAll("[data-live]")];
const names = (page) => parts(page).map((part) => part.id).join();
let ahead = 0; // of our clock, in milliseconds

function tell() {
  for (const time of document.querySelectorAll("time:not([title])")) {
    time.title = time.textContent;
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  for (const count of document.querySelectorAll("[data-until]"))
    count.textContent = Math.max(0, Math.round((Date.parse(count.dataset.until) - Date.now() - ahead) / 1000));
}
function take(page) {
  ahead = Date.parse(page.body.dataset.now) - Date.now();
  document.body.dataset.every = page.body.dataset.every;
  for (const part of parts(page)) {
    const text = part.outerHTML;
    const old = document.getElementById(part.id);
    if (old !== part && served.get(part.id) !== text) old.replaceWith(part);
    served.set(part.id, text);
  }
  tell();
}
async function renew() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (names(page) !== names(document)) return location.reload();
  document.title = page.title;
  take(page);
}
async function live() {
  if (!document.hidden) await renew().then(() => (lost.hidden = true), () => (lost.hidden = false));
  setTimeout(live, 1000 * document.body.dataset.every);
}
take(document);
setInterval(tell, 500);
setTimeout(live, 1000 * document.body.dataset.every);
