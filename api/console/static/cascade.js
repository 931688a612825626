// One cascade, told by the server while it grows.

import { Chart } from "./chart.js";
import { Tree } from "./tree.js";
import { ago, count, money, number, showAges } from "./words.js";

const AGAIN_MS = 2000;
const NEWEST = 25;
const element = (id) => document.getElementById(id);
const state = element("state");
const numbers = element("numbers");
const shareId = numbers.dataset.share;
const shares = new Map();
const chart = new Chart(element("chart"), JSON.parse(element("timeline").textContent));
const tree = new Tree(element("tree"), (way) => {
  element("chosen").textContent = way.map(name).join(" ← ") + about(way[0]);
});
let lastId = "";

const FORMATS = { recentShares: number, structuralVirality: number };
const name = (share) => share.userId ?? "not named";
const about = (share) =>
  ` · ${share.channel ? `by ${share.channel}, ` : ""}${share.occurredAt ? `${ago(share.occurredAt)}, ` : ""}` +
  `${count(share.opens)} opens, ${count((share.subtreeSize ?? 1) - 1)} shares below`;

const say = (text, isAway) => {
  state.textContent = text;
  state.classList.toggle("away", isAway);
};

const showNumbers = (told) => {
  for (const place of numbers.querySelectorAll("[data-number]")) {
    const key = place.dataset.number;
    if (key === "forecast") showForecast(place, told);
    else place.textContent = key === "revenue" ? money(told) : (FORMATS[key] ?? count)(told[key]);
  }
  element("unusual").replaceChildren(
    ...(told.unusual ?? []).map((code) => Object.assign(document.createElement("span"), { className: "badge", textContent: code })),
  );
};

const showForecast = (place, told) => {
  place.textContent = count(told.forecastSize);
  if (told.forecastLow === null || told.forecastLow === undefined) return;
  const range = document.createElement("small");
  range.textContent = `${count(told.forecastLow)} to ${count(told.forecastHigh)}`;
  place.append(range);
};

const showNewest = () => {
  const newest = [...shares.values()].sort((one, other) => (other.occurredAt ?? "").localeCompare(one.occurredAt ?? ""));
  element("newest").replaceChildren(...newest.slice(0, NEWEST).map(row));
  showAges(element("newest"));
};

const row = (share) => {
  const parent = shares.get(share.parentShareId);
  const made = document.createElement("tr");
  const cell = (tag, content, kind = "") => {
    const one = made.appendChild(document.createElement(tag));
    one.className = kind;
    one.append(content);
    return one;
  };
  const when = document.createElement("time");
  when.dateTime = share.occurredAt ?? "";
  when.textContent = share.occurredAt ? `${share.occurredAt.slice(0, 10)} ${share.occurredAt.slice(11, 16)} UTC` : "–";
  cell("th", name(share)).scope = "row";
  cell("td", share.parentShareId ? name(parent ?? {}) : "–");
  cell("td", when);
  cell("td", share.channel ?? "–");
  cell("td", String(share.depth), "n");
  cell("td", count(share.opens), "n");
  cell("td", count((share.subtreeSize ?? 1) - 1), "n");
  return made;
};

const show = (told, isFirst) => {
  showNumbers(told);
  tree.draw(shares, isFirst);
  element("tree-size").textContent = told.truncated
    ? `The ${count(shares.size)} shares nearest to it of ${count(told.cascadeSize)} are drawn.`
    : `${count(shares.size)} shares.`;
  chart.take(told);
  showNewest();
};

const listen = () => {
  const address = new URL(`/v1/cascades/${encodeURIComponent(shareId)}/stream`, location.href);
  if (lastId) address.searchParams.set("lastEventId", lastId);
  const source = new EventSource(address);
  const on = (kind, take) =>
    source.addEventListener(kind, (event) => {
      take(JSON.parse(event.data));
      lastId = event.lastEventId;
    });
  on("cascade", (told) => {
    const isFirst = !shares.size;
    shares.clear();
    for (const share of told.shares) shares.set(share.shareId, share);
    show(told, isFirst);
  });
  on("change", (told) => {
    for (const share of told.shares) shares.set(share.shareId, share);
    for (const id of told.gone) shares.delete(id);
    show(told, false);
  });
  on("gone", () => {
    source.close();
    say("This cascade is no longer there", true);
  });
  source.onopen = () => say("Live", false);
  source.onerror = () => {
    if (state.textContent.startsWith("This cascade")) return;
    say("Kith does not answer; trying again", true);
    if (source.readyState !== EventSource.CLOSED) return; // the browser comes again by itself
    setTimeout(listen, AGAIN_MS);
  };
};

showAges();
setInterval(() => showAges(), 10_000);
listen();
