// The player in the browser: one module for a live widget (anywidget) and for a page of its own.
// It decides nothing: rows, flights and the value of every fact after every row come from Python. What comes from a trace
// is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";
const SPEEDS = [0.125, 0.25, 0.5, 1, 2, 4, 8];
const LEAST = 0.45; // display seconds that a flight takes at least
const LONG = 75; // display seconds of a film, before many rows make it longer
const MANY = 140; // flights drawn at once; of more, a sample
const LABELS = 9; // flights labelled at once
const SLICE = 0.25; // display seconds of one bucket of flights
const SMALL = 0.62; // of the size at which cards read best; where there is less room, the stage scrolls
const CALM = 120; // ms between two updates of the lists below the stage, while playing

const KINDS = ["event", "receipt", "refusal", "gone", "call", "reply"];
const SHAPES = { // in a square from -1 to 1; a shape for each kind, so that colour is never the only cue
  event: "M-.8 0a.8 .8 0 1 0 1.6 0a.8 .8 0 1 0-1.6 0",
  again: "M0-1L1 .8H-1z",
  receipt: "M-.9 0L-.3 .65L.9-.6L.65-.85L-.3 .15L-.65-.25z",
  refusal: "M-1-.8H1L0 1z",
  gone: "M-1-.4H-.25V.4H-1zM.25-.4H1V.4H.25z",
  call: "M0-1L.95 0L0 1L-.95 0z",
  reply: "M-.9 0L.2-.9V-.4H.9V.4H.2V.9z",
  lost: "M-1-.6L-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0z",
  crash: "M.35-1L-.6 .15H-.05L-.35 1L.6-.2H.05z",
  dead: "M-.75-.75H.75V.75H-.75z",
  moment: "M-.2-1H.2V1H-.2z",
};
const TINT = { event: "event", again: "again", receipt: "receipt", refusal: "bad", gone: "bad", call: "call", reply: "call", lost: "bad",
  crash: "bad", dead: "bad", moment: "dim" };
const LEGEND = { event: "event", again: "sent again", receipt: "ack", refusal: "nack", gone: "connection lost", call: "request",
  reply: "answer", lost: "lost" };
const KEYS = [["Space", "play, pause"], ["→ ←", "one row on, back"], ["PgDn PgUp", "ten rows"], ["Home End", "before all, after all"],
  ["+ −", "faster, slower"], ["m M", "next, last moment: crash, redelivery, dead letter"],
  ["f", "follow the event of this row (or click a message)"], ["Esc", "follow nothing"], ["?", "these keys"]];

const el = (tag, className, parent, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  parent?.appendChild(node);
  return node;
};
const svg = (tag, attributes, parent) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent?.appendChild(node);
  return node;
};
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
/** How many entries of a sorted list are at or below a value. */
const upto = (list, value) => {
  let low = 0, high = list.length;
  while (low < high) { const mid = (low + high) >> 1; if (list[mid] <= value) low = mid + 1; else high = mid; }
  return low;
};
const seconds = (ns, most = 3) => (ns / 1e9).toLocaleString("en-US", { minimumFractionDigits: 3, maximumFractionDigits: most });

/** Virtual time laid out for watching: a millisecond on a wire and a second of work each get a share that can be seen. */
class Clock {
  constructor(instants) {
    this.ns = [0, ...instants.filter((ns) => ns > 0)];
    this.at = new Float64Array(this.ns.length);
    let sum = 0;
    for (let n = 1; n < this.ns.length; n++) this.at[n] = sum += 0.45 + 0.5 * Math.log10(1 + (this.ns[n] - this.ns[n - 1]) / 1e6);
    const most = LONG + this.ns.length / 100;
    if (sum > most) for (let n = 1; n < this.at.length; n++) this.at[n] *= most / sum;
    this.length = this.at[this.at.length - 1];
  }
  story(ns) { return this.between(this.ns, this.at, ns); }
  virtual(story) { return this.between(this.at, this.ns, story); }
  between(from, to, value) {
    const n = upto(from, value) - 1, last = from.length - 1;
    if (n < 0) return 0;
    if (n >= last) return to[last];
    return to[n] + ((value - from[n]) / (from[n + 1] - from[n])) * (to[n + 1] - to[n]);
  }
}

/** The flights by display time: which are in the air at an instant is one bucket away. */
class Air {
  constructor(film, clock) {
    const { left, came, mark } = film.flights, count = left.length;
    this.start = new Float64Array(count);
    this.end = new Float64Array(count);
    this.buckets = Array.from({ length: Math.ceil((clock.length + 2) / SLICE) + 1 }, () => []);
    for (let n = 0; n < count; n++) {
      this.start[n] = clock.story(left[n]);
      this.end[n] = Math.max(clock.story(came[n]), this.start[n] + LEAST) + (mark[n] & 1 ? 0.6 : 0);
      const last = Math.min(this.buckets.length - 1, Math.floor(this.end[n] / SLICE));
      for (let slice = Math.floor(this.start[n] / SLICE); slice <= last; slice++) this.buckets[slice].push(n);
    }
  }
  at(story) {
    const bucket = this.buckets[Math.min(this.buckets.length - 1, Math.floor(story / SLICE))] ?? [];
    return bucket.filter((n) => this.start[n] <= story && story < this.end[n]);
  }
}

/** A fact by its names, and its value after so many rows. */
class Facts {
  constructor(list) {
    this.all = new Map(list.map((entry) => [entry.slice(0, -2).join("\u0000"), { rows: entry.at(-2), values: entry.at(-1), name: entry.slice(0, -2) }]));
  }
  after(count, ...names) {
    const fact = this.all.get(names.join("\u0000"));
    if (!fact) return undefined;
    const n = upto(fact.rows, count - 1) - 1;
    return n < 0 ? undefined : fact.values[n];
  }
  named(word) { return [...this.all.values()].filter((fact) => fact.name[0] === word); }
}

function read(value) {
  if (typeof value === "string") return JSON.parse(value);
  if (value instanceof DataView || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return JSON.parse(new TextDecoder().decode(value));
  return value;
}

/** The words for a row: a template filled with text, each value kept to its own reading direction. */
function sentence(film, n) {
  const { rows, texts, events } = film, names = film.cases;
  const values = { place: texts[rows.place[n]], who: texts[rows.who[n]], tag: rows.tag[n], note: texts[rows.note[n]],
    event: rows.event[n] < 0 ? "a message" : events.id[rows.event[n]] };
  return film.say[names[rows.say[n]]].replace(/\{(\w+)\}/g, (_, name) => `\u2068${values[name]}\u2069`);
}

/** The rows of one event's causal story: its own, those of all it led to, and the crashes that struck who handled them. */
function storyOf(film, event) {
  const { rows, events } = film, story = new Set([event]), mine = [], crew = new Set();
  events.cause.forEach((cause, n) => { if (story.has(cause)) story.add(n); });
  rows.event.forEach((each, n) => { if (story.has(each)) { mine.push(n); crew.add(rows.who[n]); } });
  for (let n = mine[0] ?? 0; n <= (mine.at(-1) ?? -1); n++) {
    const kind = film.cases[rows.say[n]];
    if (rows.event[n] < 0 && (kind === "crash" || kind === "restart") && crew.has(rows.who[n])) mine.push(n);
  }
  return { event, events: story, rows: mine.sort((a, b) => a - b) };
}

/** Points along an edge at even distances, for flights. */
function path(points) {
  const far = [0];
  for (let n = 1; n < points.length; n++) far.push(far[n - 1] + Math.hypot(points[n][0] - points[n - 1][0], points[n][1] - points[n - 1][1]));
  return (part) => {
    const goal = part * far.at(-1), n = Math.max(1, Math.min(points.length - 1, upto(far, goal)));
    const k = (goal - far[n - 1]) / (far[n] - far[n - 1] || 1), [a, b] = [points[n - 1], points[n]];
    return [a[0] + (b[0] - a[0]) * k, a[1] + (b[1] - a[1]) * k];
  };
}

const WORDS = { up: "○ up", busy: "◐ busy", crashed: "✕ crashed" };

/** Cards and edges. `update(count, ns)` writes what the facts say after so many rows. */
class Stage {
  constructor(film, facts, parent) {
    this.film = film; this.facts = facts;
    this.root = el("div", "stage", parent);
    this.root.setAttribute("role", "img");
    this.world = el("div", "world", this.root);
    const [width, height] = film.size;
    Object.assign(this.world.style, { width: `${width}px`, height: `${height}px` });
    const lines = svg("svg", { class: "edges", width, height, "aria-hidden": "true" }, this.world);
    this.edges = film.edges.map((edge) => this.edge(edge, lines));
    this.paths = film.edges.map((edge) => path(edge.points));
    this.updates = [];
    this.cards = film.nodes.map((node) => this.card(node));
    this.breaks = svg("g", {}, svg("svg", { class: "edges", width, height, "aria-hidden": "true" }, this.world));
    this.links = [...facts.named("held"), ...facts.named("cut")].map((fact) => this.link(fact)).filter(Boolean);
    this.canvas = el("canvas", "", this.root);
    this.canvas.setAttribute("aria-hidden", "true");
    this.lit = [];
  }
  edge(edge, parent) {
    const line = svg("polyline", { class: `edge ${edge.kind}`, points: edge.points.map((p) => p.join(",")).join(" ") }, parent);
    const [[ax, ay], [bx, by]] = edge.points.slice(-2), far = Math.hypot(bx - ax, by - ay) || 1, dx = (bx - ax) / far, dy = (by - ay) / far;
    if (edge.kind !== "store") {
      const tip = [[bx, by], [bx - 8 * dx - 4 * dy, by - 8 * dy + 4 * dx], [bx - 8 * dx + 4 * dy, by - 8 * dy - 4 * dx]];
      svg("polygon", { class: "tip", points: tip.map((p) => p.join(",")).join(" ") }, parent);
    }
    return line;
  }
  card(node) {
    const [x, y, width, height] = node.box, card = el("div", `card ${node.kind}`, this.world);
    Object.assign(card.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    const head = el("div", "head", card), name = el("bdi", "name", head, node.name), what = el("span", "what", head);
    name.title = node.name;
    const alone = ["service", "server", "saga"].includes(node.kind) && node.lines.length === 0;
    if (alone) this.worker(node.name, what, card, node.box, 0);
    else what.textContent = { client: "", server: "answers" }[node.kind] ?? node.kind;
    node.lines.forEach((line, n) => {
      const row = el("div", "row", card), at = line.lastIndexOf("/"), short = at < 0 ? line : line.slice(at + 1);
      if (this.facts.all.has(`queue\u0000${line}`)) this.queue(line, short, row);
      else if (node.kind === "stream" && at >= 0) this.log(line, short, row);
      else if (node.kind === "database") this.entry(node.name, n, row);
      else if (["service", "server", "saga"].includes(node.kind) && !/^and \d+ more$/.test(line)) {
        el("bdi", "label", row, short);
        this.worker(line, el("span", "value", row), card, node.box, n + 1, node.lines.length);
      } else el("bdi", "label", row, short);
    });
    return card;
  }
  queue(place, short, row) {
    el("bdi", "label", row, short).title = place;
    const fill = el("i", "", el("span", "depth", row)), value = el("span", "value", row), pile = el("span", "pile", row);
    const most = Math.max(5, ...this.facts.all.get(`queue\u0000${place}`).values.map(([ready, out]) => ready + out));
    row.dataset.fact = JSON.stringify(["queue", place]);
    this.watch(["queue", place], ([ready, out, dead, last] = [0, 0, 0, ""]) => {
      fill.style.transform = `scaleX(${Math.min(1, (ready + out) / most)})`;
      write(value, `${ready} + ${out}`);
      write(pile, dead ? `${dead < 4 ? "■".repeat(dead) : "■■■…"} ${dead} dead` : "");
      row.title = `${place}: ${ready} ready, ${out} out and not acked, ${dead} dead${last ? `, the last ${last}` : ""}`;
      row.dataset.value = JSON.stringify([ready, out, dead, last]);
    });
  }
  log(place, short, row) {
    el("bdi", "label", row, `partition ${short}`);
    const value = el("span", "value", row);
    row.dataset.fact = JSON.stringify(["log", place]);
    this.watch(["log", place], (end = 0) => { write(value, `${end} record${end === 1 ? "" : "s"}`); row.dataset.value = JSON.stringify(end); });
  }
  entry(name, n, row) {
    const key = el("bdi", "label", row), value = el("bdi", "value", row);
    if (n === 0) row.dataset.fact = JSON.stringify(["database", name]);
    this.watch(["database", name], (found = [0, []]) => {
      const [there, what] = found[1][n] ?? ["", ""];
      write(key, there);
      write(value, n === 2 && found[0] > 3 ? `${what}  … ${found[0]} keys` : what);
      if (n === 0) row.dataset.value = JSON.stringify(found);
    });
  }
  /** An instance: crashed is a fact; busy is whether one of its handlers runs. */
  worker(name, node, card, box, n, of = 0) {
    const work = this.film.work[name] ?? [], starts = work.map((each) => each[0]), ends = work.map((each) => each[1]).sort((a, b) => a - b);
    const y = n ? box[1] + 31 + 18 * n : box[1] + box[3];
    const busy = { name, y, x: box[0], wide: box[2], count: 0, start: 0, end: 0 };
    (this.busy ??= []).push(busy);
    node.dataset.fact = JSON.stringify(["down", name]);
    let was = "";
    this.updates.push((count, ns) => {
      const down = this.facts.after(count, "down", name) === true;
      busy.count = down ? 0 : upto(starts, ns) - upto(ends, ns);
      let id = "";
      if (busy.count > 0) {
        for (let k = upto(starts, ns) - 1, left = 60; k >= 0 && left > 0; k--, left--) {
          if (work[k][1] > ns) { [busy.start, busy.end] = work[k]; id = this.film.events.id[work[k][3]] ?? ""; break; }
        }
      }
      const state = down ? "crashed" : busy.count > 0 ? "busy" : "up", text = WORDS[state] + (busy.count > 1 ? ` ×${busy.count}` : "");
      if (was !== text + id) {
        was = text + id;
        node.textContent = text;
        node.title = id ? `${name}: at work on ${id}` : name;
        node.classList.remove("up", "busy", "crashed");
        node.classList.add(state);
        node.dataset.value = JSON.stringify(down);
        if (of < 2) card.classList.toggle("down", down);
      }
    });
  }
  link(fact) {
    const [word, place] = fact.name, [start, end] = place.split(">").map((name) => this.film.nodeOf(name));
    const n = this.film.edges.findIndex((edge) => (edge.start === start && edge.end === end) || (edge.start === end && edge.end === start));
    if (n < 0) return null;
    const [x, y] = this.paths[n](0.6), text = svg("text", { x, y: y - 11, class: "broken" }, this.breaks);
    text.dataset.fact = JSON.stringify(fact.name);
    this.watch([word, place], (on = false) => {
      text.textContent = on ? (word === "held" ? "❚❚ held" : "✕ cut") : "";
      text.dataset.value = JSON.stringify(on);
    });
    return text;
  }
  watch(names, show) {
    let last = show; // a value that no fact has
    this.updates.push((count) => {
      const value = this.facts.after(count, ...names);
      if (value !== last) { last = value; show(value); }
    });
  }
  update(count, ns) {
    for (const each of this.updates) each(count, ns);
    for (const node of this.lit) node.classList.remove("now");
    const { edge, node } = this.film.rows, n = count - 1;
    this.lit = n < 0 ? [] : [this.edges[Math.abs(edge[n]) - 1], this.cards[node[n]]].filter(Boolean);
    for (const each of this.lit) each.classList.add("now");
  }
}

/** What flies, on one canvas above the cards. */
class Painter {
  constructor(stage, probe) { this.stage = stage; this.probe = probe; this.shapes = Object.fromEntries(Object.entries(SHAPES).map(([name, d]) => [name, new Path2D(d)])); this.seen = []; this.colors = {}; }
  /** Take the colours from the theme. */
  dress() {
    this.colors = {};
    for (const name of ["bg", "ink", "dim", "event", "call", "receipt", "again", "bad", "good", "focus"]) {
      this.probe.style.color = `var(--${name})`;
      this.colors[name] = getComputedStyle(this.probe).color;
    }
  }
  fit(scale) {
    const [width, height] = this.stage.film.size, ratio = window.devicePixelRatio || 1;
    this.stage.root.style.height = `${height * scale}px`;
    this.stage.world.style.transform = `scale(${scale})`;
    this.stage.canvas.width = Math.round(width * scale * ratio);
    this.stage.canvas.height = Math.round(height * scale * ratio);
    Object.assign(this.stage.canvas.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    this.scale = scale * ratio;
  }
  draw(air, story, follow, clock) {
    const { film, canvas, paths } = this.stage, { flights, events } = film, brush = canvas.getContext("2d");
    brush.setTransform(1, 0, 0, 1, 0, 0);
    brush.clearRect(0, 0, canvas.width, canvas.height);
    brush.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    for (const busy of this.stage.busy ?? []) if (busy.count === 1) this.progress(brush, busy, story, clock);
    const active = air.at(story), every = Math.ceil(active.length / MANY), crowd = new Map();
    this.seen.length = 0;
    const labelled = [];
    for (const n of active) {
      const way = flights.edge[n], k = Math.abs(way) - 1, quiet = follow && !follow.events.has(flights.event[n]);
      crowd.set(k, (crowd.get(k) ?? 0) + 1);
      if (every > 1 && n % every && !flights.mark[n] && !(follow && !quiet)) continue;
      let part = Math.min(1, (story - air.start[n]) / (air.end[n] - air.start[n] || 1));
      const lost = flights.mark[n] & 1;
      if (lost) part = Math.min(0.5, part);
      const [x, y] = paths[k](way > 0 ? part : 1 - part), [px, py] = paths[k](way > 0 ? Math.max(0, part - 0.1) : Math.min(1, 1 - part + 0.1));
      const shape = lost && part >= 0.5 ? "lost" : flights.mark[n] & 2 ? "again" : KINDS[flights.kind[n]], color = this.colors[TINT[shape]];
      const small = shape === "receipt" || shape === "refusal" || shape === "gone";
      brush.globalAlpha = quiet ? 0.18 : 1;
      if (!small && shape !== "lost") {
        brush.strokeStyle = color; brush.lineWidth = 2.5; brush.globalAlpha *= 0.45;
        brush.beginPath(); brush.moveTo(px, py); brush.lineTo(x, y); brush.stroke();
        brush.globalAlpha = quiet ? 0.18 : 1;
      }
      this.mark(brush, shape, x, y, small ? 6 : 7.5, color, shape === "reply" ? Math.atan2(py - y, px - x) : 0);
      brush.globalAlpha = 1;
      this.seen.push([x, y, flights.event[n]]);
      if (!quiet && !small && flights.event[n] >= 0) labelled.push([x, y, events.id[flights.event[n]], color]);
    }
    if (labelled.length <= LABELS || follow) this.labels(brush, labelled.slice(0, LABELS));
    for (const [k, count] of crowd) if (count > 6) this.count(brush, k, count);
  }
  mark(brush, shape, x, y, size, color, turn = 0) {
    brush.save();
    brush.translate(x, y);
    brush.rotate(turn);
    brush.scale(size, size);
    brush.fillStyle = color; brush.strokeStyle = this.colors.bg; brush.lineWidth = 0.25;
    brush.stroke(this.shapes[shape]);
    brush.fill(this.shapes[shape]);
    brush.restore();
  }
  /** How far a handler has come, along the lower side of its line. */
  progress(brush, busy, story, clock) {
    const from = clock.story(busy.start), to = clock.story(busy.end);
    if (to <= from) return;
    brush.fillStyle = this.colors.event;
    brush.fillRect(busy.x + 6, busy.y - 4, (busy.wide - 12) * Math.max(0, Math.min(1, (story - from) / (to - from))), 2.5);
  }
  /** Beside its mark, where it covers no card and no other label; else not at all. */
  labels(brush, list) {
    brush.font = "11px system-ui, sans-serif"; brush.textBaseline = "middle"; brush.direction = "ltr";
    const taken = this.stage.film.nodes.map((node) => node.box), [width, height] = this.stage.film.size;
    for (const [x, y, text, color] of list) {
      const wide = brush.measureText(text).width;
      for (const [dx, dy] of [[-wide / 2, -16], [-wide / 2, 16], [12, 0], [-wide - 12, 0], [4, -16], [-wide - 4, -16], [4, 16], [-wide - 4, 16]]) {
        const box = [x + dx - 3, y + dy - 7, wide + 6, 14];
        const free = box[0] >= 0 && box[0] + box[2] <= width && box[1] >= 0 && box[1] + 14 <= height
          && taken.every(([left, top, w, h]) => box[0] + box[2] <= left || left + w <= box[0] || box[1] + 14 <= top || top + h <= box[1]);
        if (!free) continue;
        brush.globalAlpha = 0.88; brush.fillStyle = this.colors.bg; brush.fillRect(...box);
        brush.globalAlpha = 1; brush.fillStyle = color; brush.fillText(text, x + dx, y + dy);
        taken.push(box);
        break;
      }
    }
  }
  /** How many are on one edge, where they are too many to be told apart. */
  count(brush, k, count) {
    const [x, y] = this.stage.paths[k](0.5), text = `×${count}`;
    brush.font = "bold 11px system-ui, sans-serif"; brush.textBaseline = "middle";
    const wide = brush.measureText(text).width;
    brush.fillStyle = this.colors.bg; brush.fillRect(x - wide / 2 - 3, y - 8, wide + 6, 16);
    brush.fillStyle = this.colors.ink; brush.fillText(text, x - wide / 2, y);
  }
}

/** The lists under the stage: the rows around the current one, partitions with their readers, runs of sagas. */
class Below {
  constructor(film, facts, parent, jump) {
    this.film = film; this.facts = facts;
    this.root = el("div", "below", parent);
    const rows = el("section", "", this.root);
    this.title = el("h4", "", rows, "What happens");
    const near = el("ol", "near", rows);
    this.near = Array.from({ length: 7 }, () => {
      const item = el("li", "", near);
      item.addEventListener("click", () => { if (item.dataset.row) jump(+item.dataset.row + 1); });
      return item;
    });
    const logs = film.nodes.filter((node) => node.kind === "stream").flatMap((node) => node.lines).filter((line) => line.includes("/")).slice(0, 8);
    if (logs.length) {
      const part = el("section", "", this.root);
      el("h4", "", part, "Partitions: records by key; ▲ read next, ✓ committed");
      this.logs = logs.map((place) => this.log(place, part));
    }
    this.sagas = facts.named("saga");
    if (this.sagas.length) {
      const part = el("section", "", this.root);
      el("h4", "", part, "Sagas: ✓ done, ↶ taken back, ✕ failed, ‖ stuck");
      this.runs = Array.from({ length: Math.min(6, this.sagas.length) }, () => ({ root: el("div", "run", part), said: "" }));
    }
  }
  log(place, parent) {
    const root = el("div", "log", parent), row = el("div", "cells", root);
    root.dataset.place = place;
    el("bdi", "place", row, place).title = place;
    const cells = Array.from({ length: 9 }, () => el("span", "cell", row));
    const readers = this.facts.named("group").filter((fact) => fact.name[2] === place).slice(0, 4).map((fact) => {
      const line = el("div", "reader", root);
      line.dataset.fact = JSON.stringify(fact.name);
      el("bdi", "who", line, fact.name[1]);
      return { names: fact.name, line, next: el("span", "next", line), done: el("span", "done", line) };
    });
    return { place, cells, readers };
  }
  update(count, follow) {
    const { film } = this, list = follow ? follow.rows : null, here = list ? upto(list, count - 1) - 1 : count - 1;
    write(this.title, follow ? `The story of ${film.events.id[follow.event]}` : "What happens");
    this.near.forEach((item, k) => {
      const at = here - 3 + k, n = list ? list[at] : at, there = n !== undefined && n >= 0 && n < film.count && at >= 0;
      item.dataset.row = there ? n : "";
      write(item, there ? `${seconds(film.rows.ns[n])}  ${sentence(film, n)}` : "");
      item.className = there ? (k === 3 ? "now" : k > 3 ? "later" : "") : "";
    });
    for (const log of this.logs ?? []) this.showLog(log, count);
    if (this.runs) this.showRuns(count, follow);
  }
  showLog({ place, cells, readers }, count) {
    const end = this.facts.after(count, "log", place) ?? 0, first = Math.max(0, end - cells.length + 1), { records, events, texts } = this.film;
    cells.forEach((cell, n) => {
      const offset = first + n, event = records[place]?.[offset];
      write(cell, offset < end ? `${(texts[events.key[event]] || "·").slice(0, 5)}` : "");
      cell.title = offset < end ? `offset ${offset}: ${events.id[event]}` : "";
    });
    for (const { names, line, next, done } of readers) {
      const [owner, position, committed] = this.facts.after(count, ...names) ?? ["", 0, 0];
      const at = (offset) => 86 + 33 * Math.max(0, Math.min(cells.length, offset - first)) + 4;
      next.style.left = `${at(position)}px`; done.style.left = `${at(committed) + (committed === position ? 40 : -2)}px`;
      write(next, `▲ ${position}`); write(done, `✓ ${committed}`);
      line.title = `${names[1]}: ${owner || "nobody"} reads on from offset ${position}; committed ${committed}; ${end - committed} to go`;
      line.dataset.value = JSON.stringify([owner, position, committed]);
    }
  }
  /** The runs that were touched last, in the order in which they began; of a followed event, its own. */
  showRuns(count, follow) {
    const { runs: steps, order } = this.film.steps, begun = [];
    for (let n = 0; n < this.sagas.length && this.sagas[n].rows[0] < count; n++) begun.push(n); // facts stand in order of first sight
    const mine = follow ? begun.filter((n) => follow.events.has(this.film.rows.event[this.sagas[n].rows[0]])) : [];
    const shown = (mine.length ? mine : begun).slice(-this.runs.length);
    this.runs.forEach((run, k) => {
      const n = shown[k], fact = this.sagas[n], value = fact && fact.values[upto(fact.rows, count - 1) - 1];
      const said = value ? `${n} ${JSON.stringify(value)}` : "";
      const last = {};
      for (const [row, step, outcome] of fact ? steps[n] ?? [] : []) if (row < count) last[step] = outcome;
      if (run.said === said + JSON.stringify(last)) return;
      run.said = said + JSON.stringify(last);
      run.root.replaceChildren();
      delete run.root.dataset.fact;
      if (!value) return;
      run.root.dataset.fact = JSON.stringify(fact.name);
      run.root.dataset.value = JSON.stringify(value);
      el("bdi", "name", run.root, fact.name[2]).title = fact.name.slice(1).join(": ");
      for (const step of order[fact.name[1]] ?? []) {
        const look = value[1].includes(step) ? "done" : last[step] === "done" ? "" : last[step] ?? "";
        const sign = { done: "✓ ", undone: "↶ ", failed: "✕ ", stuck: "‖ " }[look] ?? "";
        el("span", `step ${look}`, run.root, sign + step.replaceAll("_", " "));
      }
      el("b", "", run.root, value[0]);
    });
  }
}

/** Turn what Python sends into what the classes above read. */
function prepare(film) {
  film.cases = Object.keys(film.say);
  film.count = film.rows.ns.length;
  film.nodeAt = new Map(film.nodes.map((node, n) => [node.name, n]));
  film.nodeOf = (name) => film.nodeAt.get(name) ?? film.nodeAt.get(name.replace(/\.\d+$/, "")) ?? -1;
  film.marks = [];
  film.rows.say.forEach((said, n) => { if (film.cases[said] in film.moments) film.marks.push(n); });
  return film;
}

function instantsOf(film, rows) {
  const times = new Set();
  if (rows) for (const n of rows) times.add(film.rows.ns[n]);
  else for (const ns of film.rows.ns) times.add(ns);
  const { left, came, event } = film.flights;
  for (let n = 0; n < left.length; n++) {
    if (rows && !rows.events.has(event[n])) continue;
    times.add(left[n]); times.add(came[n]);
  }
  if (rows) times.add(film.rows.ns[film.count - 1]);
  return [...times].sort((a, b) => a - b);
}

class Player {
  constructor(model, root) {
    const begun = performance.now();
    this.model = model; this.root = root;
    this.film = prepare(read(model.get("film")));
    this.facts = new Facts(this.film.facts);
    this.count = 0; this.ns = 0; this.speed = 1; this.playing = false; this.follow = null; this.frames = 0; this.listed = 0;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.ends = [];
    root.classList.add("edakit-player");
    root.tabIndex = 0;
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Player: a run as a film. Space plays, the arrow keys step, question mark lists the keys.");
    root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take m, f and others for itself
    this.stage = new Stage(this.film, this.facts, root);
    this.say = el("p", "say", root);
    this.say.setAttribute("aria-live", "polite");
    this.sayTime = el("time", "", this.say);
    this.sayText = el("span", "", this.say);
    this.payload = el("p", "payload", root);
    this.controls();
    this.below = new Below(this.film, this.facts, root, (count) => this.stand(count));
    this.legend();
    this.painter = new Painter(this.stage, el("i", "", root));
    this.painter.probe.hidden = true;
    this.setClock();
    this.listen();
    this.fit();
    this.seek(Math.round((model.get("t") ?? 0) * 1e9));
    this.opened = performance.now() - begun;
    root.dataset.ready = this.opened.toFixed(0);
  }

  controls() {
    const bar = el("div", "bar", this.root);
    const button = (text, label, act, className = "") => {
      const node = el("button", className, bar, text);
      node.type = "button"; node.title = label;
      node.setAttribute("aria-label", label);
      node.addEventListener("click", act);
      return node;
    };
    button("|◂", "Before all (Home)", () => this.stand(0));
    button("◂", "One row back (left arrow)", () => this.step(-1));
    this.playButton = button("▶ Play", "Play (Space)", () => this.toggle(), "play");
    button("▸", "One row on (right arrow)", () => this.step(1));
    button("▸|", "After all (End)", () => this.stand(this.film.count));
    this.clockText = el("output", "clock", bar);
    this.countText = el("span", "count", bar);
    this.speeds = el("select", "", bar);
    this.speeds.setAttribute("aria-label", "Speed");
    for (const speed of SPEEDS) {
      const name = speed < 1 ? `1/${1 / speed}` : `${speed}`;
      el("option", "", this.speeds, `${name}×`).value = speed;
    }
    this.speeds.value = 1;
    this.speeds.addEventListener("change", () => { this.speed = +this.speeds.value; });
    const { marks, moments, cases, rows, events, texts } = this.film;
    const where = button("◂ ✦", "Last moment: crash, redelivery, dead letter … (Shift+M)", () => this.moment(-1));
    const next = button("✦ ▸", "Next moment: crash, redelivery, dead letter … (M)", () => this.moment(1));
    where.disabled = next.disabled = !marks.length;
    if (marks.length) {
      const list = el("select", "moments", bar);
      list.setAttribute("aria-label", "Jump to a moment");
      el("option", "", list, `${marks.length.toLocaleString("en-US")} moment${marks.length > 1 ? "s" : ""} …`).value = "";
      for (const n of marks.slice(0, 300)) {
        const what = rows.event[n] < 0 ? texts[rows.who[n]] || texts[rows.place[n]] : events.id[rows.event[n]];
        el("option", "", list, `${seconds(rows.ns[n])} s  ${moments[cases[rows.say[n]]]}: ${what}`).value = n;
      }
      list.addEventListener("change", () => { if (list.value !== "") this.stand(+list.value + 1); list.value = ""; });
    }
    this.followButton = button("Follow", "Follow the event of this row, or nothing (F, Escape)", () => this.followThis(), "follow");
    this.followButton.setAttribute("aria-pressed", "false");
    this.helpButton = button("?", "Keys", () => this.showHelp());
    this.helpButton.setAttribute("aria-expanded", "false");
    const track = el("div", "track", bar);
    this.ticks = el("canvas", "", track);
    this.ticks.setAttribute("aria-hidden", "true");
    this.range = el("input", "", track);
    Object.assign(this.range, { type: "range", min: 0, max: 1000, step: "any", value: 0 });
    this.range.setAttribute("aria-label", "Virtual time");
    this.range.addEventListener("input", () => this.seek(this.clock.virtual((this.range.value / 1000) * this.clock.length)));
    this.help = el("div", "help", this.root);
    this.help.hidden = true;
    for (const [keys, what] of KEYS) {
      const line = el("div", "", this.help);
      for (const key of keys.split(" ")) { el("kbd", "", line, key); line.append(" "); }
      line.append(what);
    }
  }

  legend() {
    const line = el("div", "legend", this.root), { kind, mark } = this.film.flights, there = new Set(kind.map((each) => KINDS[each]));
    if (mark.some((each) => each & 1)) there.add("lost");
    if (mark.some((each) => each & 2)) there.add("again");
    for (const name of Object.keys(LEGEND).filter((each) => there.has(each))) {
      const entry = el("span", "", line), picture = svg("svg", { viewBox: "-1.2 -1.2 2.4 2.4", "aria-hidden": "true" }, entry);
      svg("path", { d: SHAPES[name] }, picture).style.fill = `var(--${TINT[name]})`;
      entry.append(LEGEND[name]);
    }
    if (this.facts.named("queue").length) el("span", "", line, "queue: ready + out and not acked");
    el("span", "", line, "short gaps are stretched; the clock shows true virtual time");
  }

  listen() {
    const on = (target, name, act) => { target.addEventListener(name, act); this.ends.push(() => target.removeEventListener(name, act)); };
    on(this.root, "keydown", (event) => this.key(event));
    on(this.stage.root, "click", (event) => this.pick(event));
    on(this.ticks, "click", (event) => {
      const part = event.offsetX / this.ticks.clientWidth, at = this.film.marks;
      let best = null;
      for (const n of at) { const far = Math.abs(this.part(this.film.rows.ns[n]) - part); if (far < (best?.far ?? 0.02)) best = { n, far }; }
      best ? this.stand(best.n + 1) : this.seek(this.clock.virtual(part * this.clock.length));
    });
    const dress = () => requestAnimationFrame(() => { this.width = 0; this.fit(); }); // while a theme is changed, nothing has a size
    const theme = new MutationObserver(dress);
    theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
    on(window.matchMedia("(prefers-color-scheme: dark)"), "change", dress);
    const size = new ResizeObserver(() => this.fit());
    size.observe(this.root);
    const moved = () => { const ns = Math.round(this.model.get("t") * 1e9); if (!this.playing && ns !== this.told) this.seek(ns); };
    this.model.on("change:t", moved);
    this.ends.push(() => { theme.disconnect(); size.disconnect(); this.model.off("change:t", moved); cancelAnimationFrame(this.frame); });
  }

  fit() {
    const width = this.stage.root.clientWidth; // 0 while it is not on the page: JupyterLab takes cells out that are scrolled away
    const same = width === this.width;
    this.width = width;
    if (!width || same) return;
    this.painter.dress();
    this.painter.fit(Math.max(SMALL, Math.min(1.15, width / this.film.size[0])));
    this.drawTicks();
    this.draw();
  }

  /** Time for watching: of everything, or, while an event is followed, of its story alone. */
  setClock() {
    const rows = this.follow && Object.assign([...this.follow.rows], { events: this.follow.events });
    this.clock = new Clock(instantsOf(this.film, rows));
    this.air = new Air(this.film, this.clock);
  }
  part(ns) { return this.clock.length ? this.clock.story(ns) / this.clock.length : 0; }

  drawTicks() {
    const { ticks, film } = this, ratio = window.devicePixelRatio || 1, brush = ticks.getContext("2d"), width = ticks.clientWidth;
    ticks.width = width * ratio; ticks.height = 15 * ratio;
    brush.scale(ratio, ratio);
    const rank = ["moment", "refusal", "again", "lost", "dead", "crash"], seen = new Map(); // the gravest where they would overlap
    for (const n of film.marks) {
      const said = film.cases[film.rows.say[n]], x = 8 + this.part(film.rows.ns[n]) * (width - 16), spot = Math.floor(x / 11);
      const shape = { crash: "crash", dead: "dead", "deliver again": "again", "acquire again": "again", drop: "lost", fail: "refusal" }[said] ?? "moment";
      if (!seen.has(spot) || rank.indexOf(shape) > rank.indexOf(seen.get(spot).shape)) seen.set(spot, { x, shape });
    }
    for (const { x, shape } of seen.values()) {
      this.painter.mark(brush, shape, x, 8, shape === "crash" ? 6.5 : 5, this.painter.colors[TINT[shape]]);
    }
  }

  /** Stand after so many rows. */
  stand(count) {
    this.pause(false);
    this.place(Math.max(0, Math.min(this.film.count, count)), null);
    this.publish();
  }
  /** Stand at an instant, after all of its rows. */
  seek(ns) {
    this.pause(false);
    this.place(upto(this.film.rows.ns, ns), ns);
    this.publish();
  }
  place(count, ns) {
    this.count = count;
    this.ns = ns ?? (count ? this.film.rows.ns[count - 1] : 0);
    this.story = this.clock.story(this.ns);
    this.show(true);
  }

  /** One row on or back; a row on is flown to, unless motion is not wanted. */
  step(by) {
    const { rows } = this.film, list = this.follow?.rows;
    if (this.gliding) { const goal = this.gliding; this.gliding = null; this.place(goal, null); }
    let goal = this.count + by;
    if (list) {
      const done = upto(list, this.count - 1), between = done > 0 && list[done - 1] < this.count - 1;
      const at = done + by - (by < 0 && between ? 0 : 1);
      goal = at < 0 ? 0 : (list[Math.min(at, list.length - 1)] ?? this.film.count - 1) + 1;
    }
    goal = Math.max(0, Math.min(this.film.count, goal));
    this.pause(false);
    const from = this.story, to = goal ? this.clock.story(rows.ns[goal - 1]) : 0;
    if (by === 1 && to > from && !this.still.matches) this.glide(goal, from, to);
    else this.stand(goal);
  }
  glide(goal, from, to) {
    const begun = performance.now(), long = 180 + Math.min(320, (to - from) * 260);
    this.gliding = goal;
    const move = (now) => {
      if (this.gliding !== goal) return;
      const part = Math.min(1, (now - begun) / long);
      this.story = from + (to - from) * part;
      this.frames++;
      if (part < 1) { this.draw(); this.frame = requestAnimationFrame(move); } else { this.gliding = null; this.stand(goal); }
    };
    this.frame = requestAnimationFrame(move);
  }

  moment(by) {
    const { marks } = this.film, at = upto(marks, this.count - 1), here = marks[at - 1] === this.count - 1;
    const n = by > 0 ? at : at - (here ? 2 : 1);
    if (n >= 0 && n < marks.length) this.stand(marks[n] + 1);
  }

  followThis() {
    const event = this.count ? this.film.rows.event[this.count - 1] : this.film.rows.event[0];
    this.setFollow(this.follow ? null : event >= 0 ? event : null);
  }
  setFollow(event) {
    this.follow = event === null || event < 0 ? null : storyOf(this.film, event);
    this.followButton.setAttribute("aria-pressed", String(!!this.follow));
    write(this.followButton, this.follow ? "Following" : "Follow");
    this.setClock();
    this.drawTicks();
    this.story = this.clock.story(this.ns);
    this.show(true);
  }
  pick(event) {
    const box = this.stage.root.getBoundingClientRect(), scale = box.height / this.film.size[1] || 1;
    const x = (event.clientX - box.left + this.stage.root.scrollLeft) / scale, y = (event.clientY - box.top) / scale;
    let best = null;
    for (const [mx, my, n] of this.painter.seen) { const far = Math.hypot(mx - x, my - y); if (far < (best?.far ?? 18)) best = { n, far }; }
    if (best) this.setFollow(best.n);
  }

  toggle() { this.playing ? this.pause(true) : this.play(); }
  play() {
    this.gliding = null;
    if (this.count >= this.film.count && this.story >= this.clock.length) this.place(0, null);
    this.playing = true; this.told = null;
    write(this.playButton, "❚❚ Pause");
    this.playButton.setAttribute("aria-label", "Pause (Space)");
    this.say.setAttribute("aria-live", "off");
    this.last = performance.now();
    this.waited = 0;
    this.frame = requestAnimationFrame((now) => this.tick(now));
  }
  pause(tell) {
    this.gliding = null;
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.frame);
    write(this.playButton, "▶ Play");
    this.playButton.setAttribute("aria-label", "Play (Space)");
    this.say.setAttribute("aria-live", "polite");
    if (tell) { this.show(true); this.publish(); }
  }
  tick(now) {
    if (!this.playing) return;
    const gone = Math.min(250, now - this.last) / 1000 * this.speed;
    this.last = now;
    this.frames++;
    if (this.still.matches) this.hop(gone);
    else {
      this.story = Math.min(this.clock.length, this.story + gone);
      this.ns = this.clock.virtual(this.story);
      this.count = upto(this.film.rows.ns, this.ns + 1e-3);
      this.show(false);
    }
    if (this.story >= this.clock.length) { this.pause(true); return; }
    this.frame = requestAnimationFrame((next) => this.tick(next));
  }
  /** Without motion, playing goes from instant to instant. */
  hop(gone) {
    this.waited += gone;
    if (this.waited < 0.9) return;
    this.waited = 0;
    const list = this.follow?.rows, { ns } = this.film.rows;
    const n = list ? list[upto(list, this.count - 1)] : this.count;
    if (n === undefined || n >= this.film.count) { this.story = this.clock.length; this.count = this.film.count; } else {
      this.count = upto(ns, ns[n]); this.ns = ns[n]; this.story = this.clock.story(this.ns);
    }
    this.show(true);
  }

  /** Tell the kernel where the film stands: at pauses and jumps, never frame by frame. */
  publish() {
    if (this.told === this.ns) return;
    this.told = Math.round(this.ns);
    this.model.set("t", this.ns / 1e9);
    this.model.save_changes();
  }

  show(whole) {
    const { film, count } = this, now = performance.now();
    this.stage.update(count, this.ns);
    if (whole || now - this.listed > CALM) {
      this.listed = now;
      const n = count - 1, event = n < 0 ? -1 : film.rows.event[n];
      write(this.sayTime, n < 0 ? "" : `${seconds(film.rows.ns[n], 6)} s`);
      write(this.sayText, n < 0 ? "Nothing has happened yet. Space plays, → steps." : sentence(film, n));
      const text = event < 0 ? "" : film.texts[film.events.data[event]], key = event < 0 ? "" : film.texts[film.events.key[event]];
      write(this.payload, event < 0 ? "" : `${key ? `key ${key}   ` : ""}${text}`);
      write(this.countText, `row ${count.toLocaleString("en-US")}/${film.count.toLocaleString("en-US")}`);
      this.range.value = this.clock.length ? (this.story / this.clock.length) * 1000 : 0;
      this.range.setAttribute("aria-valuetext", `${seconds(Math.round(this.ns))} virtual seconds, row ${count} of ${film.count}`);
      this.below.update(count, this.follow);
      this.root.dataset.count = count;
      this.stage.root.setAttribute("aria-label", `Map of ${film.nodes.map((node) => `${node.kind} ${node.name}`).join(", ")}`);
    }
    write(this.clockText, `${seconds(this.ns)} s`);
    this.draw();
  }
  draw() { this.painter.draw(this.air, this.story, this.follow, this.clock); }

  showHelp() {
    this.help.hidden = !this.help.hidden;
    this.helpButton.setAttribute("aria-expanded", String(!this.help.hidden));
  }
  faster(by) {
    const n = Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(this.speed) + by));
    this.speed = SPEEDS[n];
    this.speeds.value = this.speed;
  }
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const tag = event.target.tagName, press = tag === "BUTTON" && (event.key === " " || event.key === "Enter");
    if (press || (tag === "SELECT" && event.key !== "Escape")) return;
    const act = { " ": () => this.toggle(), ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), PageDown: () => this.step(10),
      PageUp: () => this.step(-10), Home: () => this.stand(0), End: () => this.stand(this.film.count), "+": () => this.faster(1),
      "=": () => this.faster(1), "-": () => this.faster(-1), m: () => this.moment(1), M: () => this.moment(-1),
      f: () => this.followThis(), Escape: () => this.setFollow(null), "?": () => this.showHelp() }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }
  /** What is on the screen, read off the page: for tests. */
  shown() {
    const found = {};
    for (const node of this.root.querySelectorAll("[data-fact]")) if (node.dataset.value !== undefined) found[node.dataset.fact] = JSON.parse(node.dataset.value);
    return found;
  }
  story_rows() { return this.follow?.rows ?? null; }
  end() { for (const end of this.ends) end(); }
}

function render({ model, el: parent }) {
  const root = el("div", "", parent);
  root.player = new Player(model, root);
  return () => root.player.end();
}
export default { render };
