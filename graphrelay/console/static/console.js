// Additions for browsers with scripts; without them the pages work with links, forms and reload.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

// Moments in the zone of the browser, and its name.
function localize(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (time.dataset.utc || Number.isNaN(at.getTime())) continue;
    time.dataset.utc = time.title = time.textContent;
    const parts = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((n) => String(n).padStart(2, "0"));
    time.textContent = `${parts.join("-")} ${at.toTimeString().slice(0, 8)}`;
  }
  for (const hour of within.querySelectorAll("[data-hour]")) {
    const at = new Date(hour.dataset.hour);
    const text = `${at.getDate()} ${at.toLocaleString("en", { month: "short" })} ${at.toTimeString().slice(0, 5)}`;
    hour.textContent = hour.tagName === "title" ? hour.textContent.replace(/^.*? UTC/, text) : text;
    delete hour.dataset.hour;
  }
  for (const name of within.querySelectorAll("[data-zone]")) name.textContent = zone;
}

// Moments in a form: typed in the zone of the browser, sent in UTC.
function localizeForm(form) {
  const fields = [...form.querySelectorAll("input[data-moment]")];
  const shift = (text, minutes) => new Date(Date.parse(`${text}Z`) - minutes * 60000).toISOString().slice(0, 16);
  for (const field of fields) {
    if (field.value) field.value = shift(field.value, new Date(`${field.value}Z`).getTimezoneOffset());
  }
  if (fields.length) form.addEventListener("formdata", (event) => {
    for (const field of fields) {
      if (field.value) event.formData.set(field.name, shift(field.value, -new Date(field.value).getTimezoneOffset()));
    }
  });
}

// Buttons that copy the text before them.
function offerCopies(within) {
  if (!navigator.clipboard) return;
  for (const button of within.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent.trim());
      const before = button.textContent;
      button.textContent = button.dataset.copy;
      setTimeout(() => { button.textContent = before; }, 2000);
    });
  }
}

let later = 0;

const FOCUSABLE = "a[href], button, summary, [tabindex]";

// Replaces the parts of the page that are marked as live with their current content. A part in which
// somebody types or has selected text stays as it is; elsewhere the focus stays at its place.
async function renew() {
  const answer = await fetch(location.href, { headers: { "X-Renewal": "1" } });
  if (answer.status === 401 || answer.redirected) { location.reload(); return; }
  if (!answer.ok) return;
  // The answer is from before the last change, and no event may follow.
  clearTimeout(later);
  if (answer.headers.has("X-Renew-In")) later = setTimeout(hear, 1000 * answer.headers.get("X-Renew-In"));
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  const selected = getSelection();
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = now.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const busy = active?.matches("input, select") || (!selected.isCollapsed && part.contains(selected.anchorNode));
    if (!next || busy) continue;
    localize(next);
    if (next.innerHTML === part.innerHTML) continue;
    offerCopies(next);
    const place = [...part.querySelectorAll(FOCUSABLE)].indexOf(active);
    part.replaceWith(next);
    if (active) (next.querySelectorAll(FOCUSABLE)[place] ?? document.querySelector("main")).focus();
  }
  // A dialog that asks for something now, or has ended: forms outside its live part change too.
  if (Boolean(now.querySelector("form [name=answer]")) !== Boolean(document.querySelector("form [name=answer]"))) {
    location.reload();
  }
}

let source = null;
let renewing = false;
let again = false;

async function hear() {
  again = true;
  if (renewing) return;
  renewing = true;
  while (again) {
    again = false;
    try { await renew(); } catch { /* the relay restarts; the next event renews the page */ }
  }
  renewing = false;
}

// Only while the page is visible.
function listen() {
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (!source && document.querySelector("main [data-live]") && document.querySelector("nav")) {
    source = new EventSource("/events");
    source.addEventListener("message", hear);
  }
}

// A form whose answers are checked during typing: it is posted as by its first button, and what
// the answer says about each field is shown. The fields themselves stay as they are.
function checkWhileTyping(form) {
  let waiting = 0;
  let under = null;
  async function check() {
    under?.abort();
    under = new AbortController();
    const given = new FormData(form);
    // The secret itself is sent once, when the account is written.
    if (given.get("client_secret")) given.set("client_secret", "typed");
    given.set("act", "check");
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(given), signal: under.signal });
    if (!answer.ok || answer.redirected) return;
    const now = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-checks]")) {
      const next = now.querySelector(`[data-checks="${CSS.escape(part.dataset.checks)}"]`);
      if (!next || next.innerHTML === part.innerHTML) continue;
      part.replaceChildren(...next.childNodes);
      offerCopies(part);
    }
  }
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => check().catch(() => { /* the next key checks again */ }), 400);
  });
}

localize(document);
offerCopies(document);
for (const form of document.querySelectorAll("form[data-checked]")) checkWhileTyping(form);
for (const form of document.querySelectorAll("form[role=search]")) localizeForm(form);
document.getElementById("zone").hidden = false;
setInterval(() => {
  for (const left of document.querySelectorAll("[data-countdown]")) left.textContent = Math.max(0, left.textContent - 1);
}, 1000);
document.addEventListener("visibilitychange", listen);
listen();
