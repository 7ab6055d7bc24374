// Keeps what is marked data-live up to date while its page is looked at, and copies commands. Pages do without.
"use strict";
const EVERY_MS = 3000;

async function renew() {
  if (document.hidden || !document.querySelector("[data-live]")) return;
  let text;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    text = await answer.text();
  } catch {
    return; // the server is away: the page stays as it is
  }
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    const selected = !getSelection().isCollapsed && getSelection().containsNode(old, true);
    if (!now || selected || old.contains(document.activeElement) || old.innerHTML === now.innerHTML) continue;
    for (const element of old.querySelectorAll("details[open][id]")) {
      now.querySelector("#" + CSS.escape(element.id))?.setAttribute("open", "");
    }
    old.replaceWith(now);
  }
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

for (const form of document.querySelectorAll("form[data-follow]")) follow(form);
if (navigator.clipboard) offerCopies();
setInterval(renew, EVERY_MS);
