// A tree of shares as rings: the first share in the middle, each share in the part of its ring that its own shares need.

import { make } from "./words.js";

const NEW_MS = 4000;

export class Tree {
  constructor(svg, chosen) {
    this.svg = svg;
    this.rings = svg.appendChild(make("g"));
    this.links = svg.appendChild(make("g"));
    this.dots = svg.appendChild(make("g"));
    this.drawn = new Map(); // share id -> {dot, link}
    this.shares = new Map();
    this.chosen = null;
    this.dots.addEventListener("click", (event) => {
      const id = event.target.dataset.share;
      if (id) chosen(this.choose(id));
    });
  }

  // Where each share stands: its angle by leaves, its ring by depth.
  places() {
    const below = new Map([...this.shares.keys()].map((id) => [id, []]));
    const tops = [];
    for (const share of this.shares.values()) (below.get(share.parentShareId) ?? tops).push(share.shareId);
    const order = [];
    const stack = [...tops];
    while (stack.length) {
      const id = stack.pop();
      order.push(id);
      stack.push(...below.get(id));
    }
    const leaves = new Map();
    for (const id of order.toReversed()) {
      const own = below.get(id).reduce((sum, child) => sum + leaves.get(child), 0);
      leaves.set(id, Math.max(1, own));
    }
    const deepest = Math.max(1, ...[...this.shares.values()].map((share) => share.depth));
    const total = tops.reduce((sum, id) => sum + leaves.get(id), 0);
    const from = new Map();
    const places = new Map();
    const put = (ids, start) => {
      for (const id of ids) {
        from.set(id, start);
        const angle = ((start + leaves.get(id) / 2) / total) * 2 * Math.PI;
        const radius = (90 * this.shares.get(id).depth) / deepest;
        places.set(id, [radius * Math.sin(angle), -radius * Math.cos(angle)]);
        start += leaves.get(id);
      }
    };
    put(tops, 0);
    for (const id of order) put(below.get(id), from.get(id));
    return { places, deepest };
  }

  draw(shares, isFirst) {
    this.shares = shares;
    const { places, deepest } = this.places();
    this.rings.replaceChildren(
      ...Array.from({ length: Math.min(deepest, 30) }, (_, at) => make("circle", { class: "ring", r: (90 * (at + 1)) / deepest })),
    );
    const radius = Math.max(0.9, Math.min(4, 30 / Math.sqrt(shares.size + 1)));
    for (const [id, [x, y]] of places) {
      const { dot, link } = this.drawn.get(id) ?? this.add(id, isFirst, places);
      dot.style.transform = `translate(${x}px, ${y}px)`;
      dot.setAttribute("r", shares.get(id).depth === 0 ? radius * 1.6 : radius);
      dot.classList.toggle("root", shares.get(id).depth === 0);
      const parent = places.get(shares.get(id).parentShareId);
      link.setAttribute("d", parent ? `M${parent[0]} ${parent[1]}L${x} ${y}` : "");
    }
    for (const [id, { dot, link }] of this.drawn) {
      if (shares.has(id)) continue;
      dot.remove();
      link.remove();
      this.drawn.delete(id);
    }
    if (this.chosen) this.choose(this.chosen);
  }

  add(id, isFirst, places) {
    const dot = make("circle", { class: "share", "data-share": id });
    const link = make("path", { class: "link" });
    const parent = places.get(this.shares.get(id).parentShareId);
    if (parent && !isFirst) {
      dot.style.transform = `translate(${parent[0]}px, ${parent[1]}px)`;
      dot.classList.add("new");
      setTimeout(() => dot.classList.remove("new"), NEW_MS);
    }
    this.links.append(link);
    this.dots.append(dot);
    dot.getBoundingClientRect(); // so that the way from the parent's place is seen
    const made = { dot, link };
    this.drawn.set(id, made);
    return made;
  }

  // Marks the way from a share up to the first one and returns it, the share first.
  choose(id) {
    for (const { dot, link } of this.drawn.values()) {
      dot.classList.remove("way");
      link.classList.remove("way");
    }
    this.chosen = this.shares.has(id) ? id : null;
    const way = [];
    for (let at = this.shares.get(id); at; at = this.shares.get(at.parentShareId)) {
      way.push(at);
      this.drawn.get(at.shareId).dot.classList.add("way");
      this.drawn.get(at.shareId).link.classList.add("way");
    }
    return way;
  }
}
