// The reader: follows /api/events, keeps the list, shows one message. Everything that a message
// brings is put on the page as text; its HTML is shown in a frame in which nothing can run.
"use strict";

const PAGE = 50;
const VIEWS = ["text", "html", "headers", "raw"];
const NAMES = { text: "Text", html: "HTML", headers: "Headers", raw: "Raw source" };
const KINDS = { mime: "as MIME", json: "as JSON", draft: "as a draft", report: "by Exchange itself" };

const $ = (id) => document.getElementById(id);
const mails = new Map(); // number -> summary
const fresh = new Set(); // numbers that arrived while the page was open and were not read
let last = 0;
let total = 0;
let started = false;
let shown = null; // the message on the right
let view = null; // which of VIEWS was chosen by hand

// --- Small things ----------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

const json = async (path) => (await get(path)).json();
const name = (person) => person.name || person.address;
const count = (number, one, many) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

function size(octets) {
  if (octets < 1000) return `${octets} B`;
  if (octets < 1e6) return `${(octets / 1e3).toFixed(octets < 1e4 ? 1 : 0)} kB`;
  return `${(octets / 1e6).toFixed(octets < 1e7 ? 1 : 0)} MB`;
}

function time(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  return today
    ? at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : at.toLocaleDateString([], { day: "numeric", month: "short" });
}

function clip() {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["class", "clip"], ["role", "img"], ["aria-label", "with attachments"]]) {
    drawing.setAttribute(key, value);
  }
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", "M5 8.5V4.2a3 3 0 0 1 6 0v7.1a2 2 0 0 1-4 0V5.5");
  drawing.append(line);
  return drawing;
}

// --- The list --------------------------------------------------------------------------------

function row(mail) {
  const to = mail.recipients.map(name);
  const others = to.length > 2 ? ` and ${to.length - 2} more` : "";
  return element("li", {},
    element("a", {
      class: `row${fresh.has(mail.number) ? " new" : ""}`,
      href: `#${mail.number}`,
      "data-number": mail.number,
      "aria-current": String(shown?.number === mail.number),
    },
    element("span", { class: "from", dir: "auto" }, mail.from.map(name).join(", ") || "(no sender)"),
    element("time", { class: "time", datetime: mail.received_at, title: new Date(mail.received_at).toLocaleString() }, time(mail.received_at)),
    element("span", { class: "subject", dir: "auto" }, mail.subject || "(no subject)"),
    element("span", { class: `to${mail.bounced ? " bounce" : ""}` },
      mail.bounced ? `Not delivered to ${mail.bounced} of ${to.length}` : `To ${to.slice(0, 2).join(", ") || "nobody"}${others}`),
    element("span", { class: "size" }, mail.has_attachments ? clip() : null, size(mail.size))));
}

function matches(mail, words) {
  const people = [...mail.from, ...mail.recipients].flatMap((person) => [person.name, person.address]);
  const text = [mail.subject, mail.message_id, ...people].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function visible() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  return [...mails.values()].filter((mail) => matches(mail, words)).sort((a, b) => b.number - a.number);
}

function drawList() {
  const focused = document.activeElement?.dataset?.number;
  $("messages").replaceChildren(...visible().map(row));
  if (focused) rowOf(focused)?.focus({ preventScroll: true });
  $("older").hidden = mails.size >= total;
  const empty = total === 0;
  document.querySelector("main").classList.toggle("bare", empty);
  document.querySelector("main").classList.toggle("reading", Boolean(shown));
  $("empty").hidden = !empty;
  $("filter").hidden = $("clear").hidden = empty;
  $("choose").hidden = empty || Boolean(shown);
  $("message").hidden = !shown;
  $("state-text").textContent = empty ? "waiting for mail" : count(total, "message", "messages");
  const unread = fresh.size ? `(${fresh.size}) ` : "";
  document.title = `${unread}Sandbox mailbox`;
}

const rowOf = (number) => document.querySelector(`.row[data-number="${number}"]`);

async function update(state) {
  if (state.total === 0 || state.last < last) {
    mails.clear();
    fresh.clear();
    if (shown) close();
  }
  const newest = await json(`/api/messages?limit=${PAGE}`);
  const isNew = started;
  for (const mail of newest.messages) {
    if (isNew && !mails.has(mail.number) && mail.number > last) fresh.add(mail.number);
    mails.set(mail.number, mail);
  }
  // More than one page arrived between two events: what lies between is on the older pages.
  if (isNew && newest.messages.length === PAGE && newest.messages.at(-1).number > last + 1) {
    for (const number of mails.keys()) if (number <= last) mails.delete(number);
  }
  started = true;
  last = newest.last;
  total = newest.total;
  drawList();
}

async function older() {
  const before = Math.min(...mails.keys());
  const page = await json(`/api/messages?limit=${PAGE}&before=${before}`);
  for (const mail of page.messages) mails.set(mail.number, mail);
  total = page.total;
  drawList();
}

// --- One message -----------------------------------------------------------------------------

async function open(number) {
  let mail;
  try {
    mail = await json(`/api/messages/${number}`);
  } catch {
    return close();
  }
  if (location.hash.slice(1).split("/")[0] !== String(number)) return undefined; // another one since
  shown = mail;
  fresh.delete(mail.number);
  $("message").replaceChildren(backButton(), head(mail), ...files(mail), tabs(mail), panel());
  choose(startView(mail));
  $("message").scrollTop = 0;
  drawList();
  return rowOf(number)?.scrollIntoView({ block: "nearest" });
}

function close() {
  shown = null;
  $("message").replaceChildren();
  if (location.hash) history.replaceState(null, "", location.pathname);
  drawList();
}

const backButton = () => element("button", { class: "back", type: "button", onclick: close }, "← All messages");

function head(mail) {
  const facts = element("dl", { class: "facts" });
  const fact = (title, ...values) => facts.append(element("dt", {}, title), element("dd", {}, ...values));
  const people = (title, list, note) => {
    if (list.length) fact(title, ...list.map(person), note ? element("span", { class: "aside" }, ` ${note}`) : null);
  };
  people("From", mail.from);
  people("Reply-To", mail.reply_to);
  people("To", mail.to);
  people("Cc", mail.cc);
  people("Bcc", mail.bcc, "– taken out before delivery");
  if (mail.date) fact("Date", mail.date);
  const tags = mail.received.map((address) => element("span", { class: "tag" }, address));
  const bounced = mail.bounced.map((one) => element("span", { class: "tag bad", title: one.diagnostic }, `${one.address}: ${one.status}`));
  fact("Received by", ...(tags.length ? tags : [element("span", { class: "aside" }, "nobody")]));
  if (bounced.length) fact("Not delivered", ...bounced);
  const kept = mail.saved_to_sent ? "a copy is in Sent Items" : "no copy in Sent Items";
  const how = mail.via === "report" ? "Written by Exchange itself" : `Submitted ${KINDS[mail.via]}; ${kept}`;
  fact("Mailbox", mail.mailbox, element("span", { class: "aside" }, ` – ${how}, ${new Date(mail.received_at).toLocaleString()}, ${size(mail.size)}`));
  return element("div", { class: "head" }, element("h2", { dir: "auto" }, mail.subject || "(no subject)"), facts);
}

const person = (one) => element("span", { class: "person" },
  element("bdi", {}, one.name || one.address),
  one.name ? element("span", { class: "address" }, ` <${one.address}>`) : null);

function files(mail) {
  const offered = mail.attachments.filter((one) => !one.inline);
  if (!offered.length) return [];
  return [element("div", { class: "files", role: "group", "aria-label": "Attachments" }, ...offered.map((one) =>
    element("a", { class: "file", href: `/api/messages/${mail.number}/attachments/${one.number}`, download: one.name, title: `${one.name} (${one.type})` },
      element("b", {}, one.name), element("span", {}, size(one.size)))))];
}

// --- The views of a message ------------------------------------------------------------------

const possible = (mail, one) => (one === "html" ? mail.has_html : one === "text" ? Boolean(mail.text) || !mail.has_html : true);

function startView(mail) {
  const wanted = location.hash.split("/")[1] || view;
  if (VIEWS.includes(wanted) && possible(mail, wanted)) return wanted;
  return mail.has_html ? "html" : "text";
}

function tabs(mail) {
  return element("div", { class: "tabs", role: "tablist", "aria-label": "Views of the message" }, ...VIEWS.map((one) =>
    element("button", {
      type: "button", role: "tab", id: `tab-${one}`, "aria-controls": "panel", "data-view": one,
      disabled: !possible(mail, one), onclick: () => { view = one; choose(one); },
    }, NAMES[one])));
}

const panel = () => element("div", { class: "panel", role: "tabpanel", id: "panel", tabindex: "0" });

function choose(one) {
  for (const tab of document.querySelectorAll(".tabs button")) {
    const selected = tab.dataset.view === one;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
  }
  const place = $("panel");
  place.setAttribute("aria-labelledby", `tab-${one}`);
  place.replaceChildren();
  if (!shown.kept && (one === "text" || one === "html")) {
    place.append(element("p", { class: "aside" }, "The sandbox was told to keep no bodies: header, size and checksum are all there is."));
    return;
  }
  ({ text: drawText, html: drawHtml, headers: drawHeaders, raw: drawRaw })[one](place);
}

function drawText(place) {
  place.append(shown.text ? element("pre", { dir: "auto" }, shown.text) : element("p", { class: "aside" }, "This message has no text."));
}

function drawHtml(place) {
  if (shown.remote) place.append(element("p", { class: "notice" }, "Images and styles from the internet are not loaded here."));
  place.append(element("iframe", {
    title: "The message as HTML", sandbox: "allow-popups allow-popups-to-escape-sandbox",
    referrerpolicy: "no-referrer", src: `/api/messages/${shown.number}/html`,
  }));
}

function drawHeaders(place) {
  const rows = shown.headers.map(([title, value]) => element("tr", {},
    element("th", { scope: "row" }, title), element("td", { dir: "auto" }, value)));
  place.append(element("table", { class: "headers" }, element("tbody", {}, ...rows)));
}

async function drawRaw(place, of = "submitted") {
  const { number } = shown;
  const path = `/api/messages/${number}/raw${of === "delivered" ? "?of=delivered" : ""}`;
  if (!shown.kept) {
    place.append(element("p", { class: "aside" }, `${size(shown.size)}, SHA-256 ${shown.sha256}`));
    return;
  }
  const octets = await (await get(path)).arrayBuffer();
  if (shown?.number !== number || $("panel") !== place) return;
  const button = (which, title) => element("button", {
    type: "button", "aria-pressed": String(of === which), onclick: () => drawRaw(place, which),
  }, title);
  const bar = element("div", { class: "switch" },
    shown.changed ? button("submitted", "As submitted") : null,
    shown.changed ? button("delivered", "As delivered") : null,
    element("a", { class: "file", href: path, download: `message-${number}.eml` }, element("b", {}, `message-${number}.eml`)));
  const limit = 500_000;
  const text = new TextDecoder("utf-8").decode(octets.slice(0, limit));
  const cut = octets.byteLength > limit ? `\n… and ${size(octets.byteLength - limit)} more: download it to see all.` : "";
  place.replaceChildren(bar, element("pre", { class: "raw" }, text + cut));
}

// --- Keys ------------------------------------------------------------------------------------

function move(step) {
  const list = visible();
  if (!list.length) return;
  const at = list.findIndex((mail) => mail.number === shown?.number);
  const next = list[Math.min(Math.max(at < 0 ? 0 : at + step, 0), list.length - 1)];
  location.hash = `#${next.number}`;
  rowOf(next.number)?.focus();
}

function turn(step) {
  const open = [...document.querySelectorAll(".tabs button:not(:disabled)")];
  if (!open.length) return;
  const at = open.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  const next = open[(at + step + open.length) % open.length];
  next.click();
  if (document.activeElement?.closest(".tabs")) next.focus();
}

const KEYS = {
  ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
  ArrowRight: () => turn(1), ArrowLeft: () => turn(-1),
  "/": () => $("filter").focus(), Escape: () => close(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("confirm").open) return;
  if (event.target.id === "filter") {
    if (event.key === "Escape") { event.target.value = ""; event.target.blur(); drawList(); }
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); move(1); }
    return;
  }
  if (event.target.id === "panel" && event.key.startsWith("Arrow") && !/Left|Right/.test(event.key)) return;
  const action = KEYS[event.key];
  if (action) { event.preventDefault(); action(); }
});

// --- Light and dark, faults, deleting --------------------------------------------------------

function paint() {
  const chosen = localStorage.getItem("theme");
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark", dark);
}

$("theme").addEventListener("click", () => {
  localStorage.setItem("theme", document.documentElement.classList.contains("dark") ? "light" : "dark");
  paint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

async function drawFaults() {
  const { faults } = await json("/api/faults");
  $("faults").hidden = !faults.length;
  $("faults").firstElementChild.textContent = `The cloud misbehaves on purpose: ${faults.map((one) => one.kind).join(", ")}.`;
}

$("faults").querySelector("button").addEventListener("click", async () => {
  await fetch("/api/faults", { method: "PUT", headers: { "Content-Type": "application/json" }, body: '{"faults": []}' });
  await drawFaults();
});

$("clear").addEventListener("click", () => $("confirm").showModal());
$("confirm").addEventListener("close", async () => {
  if ($("confirm").returnValue === "yes") await fetch("/api/messages", { method: "DELETE" });
  $("confirm").returnValue = "";
});
$("older").addEventListener("click", older);
$("filter").addEventListener("input", drawList);

// --- Following -------------------------------------------------------------------------------

function follow() {
  const number = Number.parseInt(location.hash.slice(1), 10);
  if (Number.isFinite(number)) open(number);
  else if (shown) close();
}

let queue = Promise.resolve();

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("message", (event) => {
    $("state").className = "state live";
    queue = queue.then(() => update(JSON.parse(event.data))).then(drawFaults).catch(() => {});
  });
  events.addEventListener("error", () => {
    $("state").className = "state lost";
    $("state-text").textContent = "the sandbox does not answer; trying again";
    // The browser gives up after some errors; a new stream does not.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

async function drawNote() {
  const { note } = await json("/api/about");
  $("note").textContent = note;
  $("note").hidden = !note;
}

paint();
drawNote().catch(() => {});
window.addEventListener("hashchange", follow);
listen();
follow();
setInterval(() => drawFaults().catch(() => {}), 5000);
