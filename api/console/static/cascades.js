// The list of cascades, asked for again every two seconds while somebody looks.

import { showAges } from "./words.js";

const EVERY_MS = 2000;
const rows = document.getElementById("rows");
const state = document.getElementById("state");
let shown = rows.innerHTML;

const say = (text, isAway) => {
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("away", isAway);
};

const replace = (text) => {
  if (text === shown) return;
  const focused = rows.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  rows.innerHTML = shown = text;
  if (focused) rows.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
};

const ask = async () => {
  if (!document.hidden) {
    try {
      const answer = await fetch(`/console/cascades/rows${location.search}`, { redirect: "error" });
      if (answer.ok) {
        replace(await answer.text());
        say("Live", false);
      } else {
        say("Kith does not answer; trying again", true);
      }
    } catch {
      say("Kith does not answer, or you are logged out; trying again", true);
    }
    showAges(rows);
  }
  setTimeout(ask, EVERY_MS);
};

showAges();
ask();
