// Keeps what is marked data-live up to date while its page is looked at; shows at once what a form chooses; copies commands;
// plays frames. Pages do without.
"use strict";
const REST = 120; // so many times as long as a renewal took nothing is asked: a page costs about a hundredth of a processor
const LONGEST_REST_MS = 4000;
const SENT_MS = 5000; // so long one form is on its way; another one is sent when its answer is there, or later
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function renew() {
  if (!document.querySelector("[data-live]")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Live": "1" } }).catch(() => null);
  if (!answer?.ok) return; // the server is away: the page stays as it is
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.body.dataset.mark = fresh.body.dataset.mark;
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    const selected = !getSelection().isCollapsed && getSelection().containsNode(old, true);
    if (!now || selected || old.contains(document.activeElement) || old.innerHTML === now.innerHTML) continue;
    for (const element of old.querySelectorAll("details[open][id]")) {
      now.querySelector("#" + CSS.escape(element.id))?.setAttribute("open", "");
    }
    const inside = old.querySelector(".scroll, pre")?.scrollTop;
    old.replaceWith(now);
    const scrolled = now.querySelector(".scroll, pre");
    if (scrolled && inside) scrolled.scrollTop = inside;
  }
}

// One page at a time is renewed; what is told meanwhile is one more time. A hidden page waits until it is looked at.
let renewing = false;
let isOld = false;
async function toldOfChange() {
  isOld = true;
  while (isOld && !renewing && !document.hidden) {
    renewing = true;
    isOld = false;
    const began = performance.now();
    await renew();
    await pause(Math.min(LONGEST_REST_MS, REST * (performance.now() - began)));
    renewing = false;
  }
}

// A browser has six connections to a server: of the pages that are looked at and want the same events one has the stream,
// and tells the others. A page that is hidden gives its stream up. "changed MARK" is news for all; "here MARK" only says what
// there is, for a page that was made before somebody listened: it is out of date if its own mark is another one.
function listen(address) {
  const channel = new BroadcastChannel(address);
  let heard = null; // the mark that our stream told last, if it is ours
  let stop = () => {};
  function hear(event) {
    const [kind, mark] = event.split(" ");
    if (kind === "changed" || mark !== document.body.dataset.mark) toldOfChange();
  }
  channel.addEventListener("message", (event) => {
    if (event.data !== "which") hear(event.data);
    else if (heard) channel.postMessage("here " + heard);
  });
  function hold() {
    return new Promise((resolve) => {
      const source = new EventSource(address);
      source.addEventListener("message", (event) => {
        heard = event.data.split(" ")[1];
        channel.postMessage(event.data);
        hear(event.data);
      });
      stop = () => {
        source.close();
        heard = null;
        resolve();
      };
    });
  }
  function begin() {
    channel.postMessage("which");
    if (!navigator.locks) {
      hold();
      return;
    }
    const given = new AbortController();
    stop = () => given.abort();
    navigator.locks.request(address, { signal: given.signal }, hold).catch(() => {});
  }
  document.addEventListener("visibilitychange", () => {
    stop();
    if (document.hidden) return;
    begin();
    toldOfChange();
  });
  addEventListener("pagehide", () => stop());
  addEventListener("pageshow", (event) => event.persisted && begin());
  if (!document.hidden) begin();
}

function offerCopies() {
  for (const block of document.querySelectorAll(".copied")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("pre").textContent);
      button.textContent = "Copied";
    });
    block.append(button);
  }
}

// A form whose choice is shown at once: its address is asked for, and the part of the page that it names is replaced.
function follow(form) {
  let asked = 0;
  async function choose() {
    const url = new URL(form.action);
    url.search = new URLSearchParams(new FormData(form));
    const number = ++asked;
    const answer = await fetch(url, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || number !== asked) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = fresh.getElementById(form.dataset.follow);
    if (number !== asked || !now) return;
    document.getElementById(form.dataset.follow).replaceWith(now);
    history.replaceState(null, "", url);
  }
  form.addEventListener("input", choose);
}

// The player: a slider in place of the list, and buttons and arrow keys that step and play.
function play(section) {
  const list = section.querySelector("select");
  const picture = section.querySelector("img");
  const slider = Object.assign(document.createElement("input"), {
    type: "range", min: 0, max: list.length - 1, value: list.selectedIndex,
  });
  slider.setAttribute("aria-label", "Frame");
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Play" });
  const count = document.createElement("span");
  let playing = false;
  function step(to) {
    list.selectedIndex = slider.value = (to + list.length) % list.length;
    const chosen = list.options[list.selectedIndex];
    picture.src = picture.src.replace(/\d+(?=\/thumbnail)/, chosen.value);
    picture.alt = "Frame " + chosen.text;
    count.textContent = chosen.text;
  }
  const next = () => playing && setTimeout(() => playing && step(list.selectedIndex + 1), 120);
  function toggle() {
    playing = !playing;
    button.textContent = playing ? "Pause" : "Play";
    next();
  }
  picture.addEventListener("load", next);
  picture.addEventListener("error", next);
  slider.addEventListener("input", () => step(Number(slider.value)));
  list.addEventListener("change", () => step(list.selectedIndex));
  button.addEventListener("click", toggle);
  section.querySelectorAll(".step, form button").forEach((element) => element.remove());
  section.querySelector("form").append(button, slider, count);
  section.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  count.textContent = list.options[list.selectedIndex].text;
}

// What a double click or an impatient one sends again is sent once: else a job would be killed twice, which it does not allow.
function sendOnce() {
  let sentAt = -SENT_MS;
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (performance.now() - sentAt < SENT_MS) event.preventDefault();
    else sentAt = performance.now();
  });
  addEventListener("pageshow", () => (sentAt = -SENT_MS));
}

sendOnce();
for (const section of document.querySelectorAll("[data-player]")) play(section);
for (const form of document.querySelectorAll("form[data-follow]")) follow(form);
if (navigator.clipboard) offerCopies();
if (document.body.dataset.events && document.querySelector("[data-live]")) listen(document.body.dataset.events);
