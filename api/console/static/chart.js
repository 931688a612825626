// Shares so far and what was forecast, over time.

import { count, make } from "./words.js";

const LEFT = 46;
const RIGHT = 470;
const TOP = 10;
const BOTTOM = 270;
const MOST_POINTS = 2000;

export class Chart {
  constructor(svg, timeline) {
    this.svg = svg;
    this.sizes = timeline.map(([at, size]) => ({ at, size }));
    this.forecasts = [];
  }

  // Takes the newest numbers; draws when one of them is news.
  take(numbers) {
    const at = Date.parse(numbers.lastActivityAt ?? numbers.occurredAt);
    const last = this.sizes.at(-1);
    if (Number.isFinite(at) && numbers.cascadeSize !== null && numbers.cascadeSize !== last?.size) {
      this.sizes.push({ at: Math.max(at, last?.at ?? at), size: numbers.cascadeSize });
      if (this.sizes.length > MOST_POINTS) this.sizes = this.sizes.filter((_, place) => place % 2 === 0 || place > MOST_POINTS - 100);
    }
    if (numbers.forecasts) this.forecasts = numbers.forecasts.map((one) => ({ ...one, at: Date.parse(one.at) }));
    this.draw();
  }

  draw() {
    const now = Date.now();
    const times = [...this.sizes, ...this.forecasts].map((one) => one.at);
    if (!times.length) return;
    const first = Math.min(...times);
    const last = Math.max(...times, Math.min(now, Math.max(...times) + 3_600_000), first + 60_000);
    const most = Math.max(1, ...this.sizes.map((one) => one.size), ...this.forecasts.map((one) => one.high));
    const x = (at) => LEFT + ((at - first) / (last - first)) * (RIGHT - LEFT);
    const y = (size) => BOTTOM - (size / most) * (BOTTOM - TOP);
    const line = (points) => points.map(([at, size], place) => `${place ? "L" : "M"}${x(at)} ${y(size)}`).join("");
    const parts = [];
    if (this.forecasts.length) {
      const upper = this.forecasts.map((one) => [one.at, one.high]);
      const lower = this.forecasts.map((one) => [one.at, one.low]).reverse();
      if (this.forecasts.length > 1) parts.push(make("path", { class: "band", d: `${line([...upper, ...lower])}Z` }));
      else parts.push(make("path", { class: "forecast", d: line([...upper, ...lower]) }));
      parts.push(make("path", { class: "forecast", d: line(this.forecasts.map((one) => [one.at, one.size])) }));
    }
    const steps = this.sizes.flatMap((one, at) => (at ? [[one.at, this.sizes[at - 1].size], [one.at, one.size]] : [[one.at, one.size]]));
    steps.push([last, this.sizes.at(-1)?.size ?? 0]);
    parts.push(make("path", { class: "size", d: line(steps) }));
    for (const part of [0, 0.5, 1]) {
      const size = Math.round(most * part);
      parts.unshift(make("line", { class: "axis", x1: LEFT, x2: RIGHT, y1: y(size), y2: y(size) }));
      parts.push(this.label(count(size), LEFT - 6, y(size) + 4, "end"));
    }
    parts.push(this.label(moment(first, last - first), LEFT, BOTTOM + 20, "start"));
    parts.push(this.label(moment(last, last - first), RIGHT, BOTTOM + 20, "end"));
    this.svg.replaceChildren(...parts);
  }

  label(text, x, y, anchor) {
    const made = make("text", { x, y, "text-anchor": anchor });
    made.textContent = text;
    return made;
  }
}

const moment = (at, span) => {
  const text = new Date(at).toISOString();
  return span > 172_800_000 ? text.slice(0, 10) : text.slice(5, 16).replace("T", " ");
};
