"use strict";
// The replay. All that it changes is on the page already: it moves the people, and shows other
// cases and other times. Without it the page shows one case at one time.
const KINDS = ["found", "too-low", "not-heard", "no-app", "wrong", "left-out"];
const WORDS = ["found", "missed: estimated too low", "missed: not heard", "missed: no app", "listed wrongly", "rightly not listed"];
const LINKED = [3, 4, 2, 1, 0];
const ABSENT = -32768, FIRST_ROWS = 12, NOTED = 12, STEP_MS = 40;
const SVG = "http://www.w3.org/2000/svg";

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
const clock = (s) => Math.floor(s / 60) + ":" + String(Math.floor(s % 60)).padStart(2, "0");
const shown = (value, digits) => value === null ? "–" : value.toFixed(digits);

function cell(row, text, kind, name) {
  const made = document.createElement(name || "td");
  made.textContent = text;
  if (kind) made.className = kind;
  if (name) made.scope = "row";
  row.append(made);
  return made;
}

class Replay {
  constructor(root) {
    const data = JSON.parse(root.querySelector(".data").textContent);
    Object.assign(this, { root, data, now: data.now_s, chosen: data.case, playing: false, last: null });
    this.xy = new Int16Array(bytes(data.frames));
    this.frames = data.people ? this.xy.length / data.people / 2 : 0;
    const log = data.log;
    this.time = new Uint16Array(bytes(log.time));
    this.token = new Uint32Array(bytes(log.token));
    this.rssi = new Int8Array(bytes(log.rssi));
    this.people = [...root.querySelectorAll(".people > circle")];
    this.radius = this.people.length ? Math.min(...this.people.map((dot) => dot.r.baseVal.value)) : 0;
    this.links = root.querySelector(".links");
    this.reach = this.links.querySelector(".near");
    for (const name of ["play", "speed", "seek", "chosen", "clock"]) this[name + "Box"] = root.querySelector("." + name);
    const wish = new URLSearchParams(location.hash.slice(1));
    if (wish.has("t")) this.now = Math.max(0, Math.min(Number(wish.get("t")) || 0, data.duration_s));
    if (wish.has("case") && data.lists[wish.get("case")]) this.chosen = Number(wish.get("case"));
    if (this.chosen !== null) this.chosenBox.value = this.chosen;
    else this.chosenBox.parentElement.hidden = true;
    this.playBox.onclick = () => this.toggle();
    this.seekBox.oninput = () => { this.now = Number(this.seekBox.value); this.draw(); };
    this.chosenBox.onchange = () => { this.chosen = Number(this.chosenBox.value); this.choose(); this.draw(); };
    root.querySelector(".controls").onsubmit = (event) => event.preventDefault();
    for (const part of root.querySelectorAll("[hidden].on-screen")) part.hidden = false;
    if (this.chosen !== null && (wish.has("case") || wish.has("t"))) this.choose();
    else if (this.chosen !== null) this.link();
    this.draw();
    if (wish.has("play")) this.toggle();
  }

  name(person) {
    if (person === null) return "unknown";
    return this.data.groups.length ? person + " (" + this.data.groups[person] + ")" : String(person);
  }

  // Returns [x, y] in the drawing and whether the person is there. Who has left is where they were
  // last, who has not come yet is where they come in; null for one who is never there.
  where(person, anyway) {
    const { people, every_s, unit_m, plan } = this.data;
    const f = Math.min(this.now / every_s, this.frames - 1), k = Math.floor(f);
    const at = (frame) => {
      const place = 2 * (frame * people + person);
      return this.xy[place] === ABSENT ? null : [this.xy[place] * unit_m, this.xy[place + 1] * unit_m];
    };
    let a = at(k), here = a !== null;
    if (!here && anyway) {
      for (let frame = k - 1; frame >= 0 && !a; frame--) a = at(frame);
      for (let frame = k + 1; frame < this.frames && !a; frame++) a = at(frame);
    }
    if (!a) return null;
    const b = here && k + 1 < this.frames ? at(k + 1) || a : a;
    const x = a[0] + (b[0] - a[0]) * (f - k), y = a[1] + (b[1] - a[1]) * (f - k);
    return [(x - plan.left_m) * plan.per_m, (plan.top_m - y) * plan.per_m, here];
  }

  link() {
    const rows = this.data.lists[this.chosen] || [];
    this.ties = [];
    this.links.querySelectorAll("line").forEach((tie) => tie.remove());
    for (const outcome of LINKED) for (const row of rows) {
      if (row[1] !== outcome || row[0] === null) continue;
      const tie = document.createElementNS(SVG, "line");
      tie.setAttribute("class", "tie " + KINDS[outcome]);
      this.links.append(tie);
      this.ties.push([row[0], tie]);
    }
    this.linked = new Set([this.chosen, ...this.ties.map(([person]) => person)]);
    this.counts = KINDS.map((_, outcome) => rows.filter((row) => row[1] === outcome && row[0] !== null).length);
  }

  choose() {
    this.link();
    const rows = this.data.lists[this.chosen] || [];
    const fill = (body, lines) => {
      body.replaceChildren();
      for (const [person, outcome, chance, low, middle, high, near, minutes, nearest] of lines) {
        const row = body.insertRow();
        cell(row, this.name(person), "", "th");
        const verdict = document.createElement("span");
        verdict.className = "verdict " + KINDS[outcome];
        verdict.textContent = WORDS[outcome];
        row.insertCell().append(verdict);
        cell(row, chance === null ? "–" : (100 * chance).toFixed(0) + " %", "n");
        cell(row, middle === null ? "–" : middle.toFixed(0) + " (" + low.toFixed(0) + " to " + high.toFixed(0) + ")", "n");
        cell(row, shown(near, 1), "n");
        cell(row, shown(minutes, 0), "n");
        cell(row, shown(nearest, 1), "n");
      }
    };
    fill(this.root.querySelector(".first"), rows.slice(0, FIRST_ROWS));
    fill(this.root.querySelector(".more"), rows.slice(FIRST_ROWS));
    this.root.querySelector(".lines-shown").textContent = Math.min(rows.length, FIRST_ROWS) + " of " + rows.length;
    const rest = this.root.querySelector(".rest");
    rest.hidden = rows.length <= FIRST_ROWS;
    rest.querySelector("summary span").textContent = rows.length - FIRST_ROWS;
  }

  draw() {
    for (let person = 0; person < this.people.length; person++) {
      const dot = this.people[person], linked = this.linked && this.linked.has(person);
      const at = this.where(person, linked);
      dot.classList.toggle("case", person === this.chosen);
      dot.classList.toggle("absent", at === null);
      dot.classList.toggle("left", at !== null && !at[2]);
      dot.setAttribute("r", person === this.chosen ? 1.3 * this.radius : this.radius);
      if (at) { dot.setAttribute("cx", at[0].toFixed(1)); dot.setAttribute("cy", at[1].toFixed(1)); }
    }
    if (this.chosen !== null) this.drawCase();
    this.clockBox.textContent = clock(this.now);
    this.seekBox.value = this.now;
  }

  drawCase() {
    const own = this.where(this.chosen, true);
    if (this.reach && own) { this.reach.setAttribute("cx", own[0]); this.reach.setAttribute("cy", own[1]); }
    for (const [person, tie] of this.ties) {
      const there = this.where(person, true);
      if (!own || !there) continue;
      tie.setAttribute("x1", own[0]); tie.setAttribute("y1", own[1]);
      tie.setAttribute("x2", there[0]); tie.setAttribute("y2", there[1]);
    }
    const words = [0, 1, 2, 3, 4].filter((k) => this.counts[k]).map((k) => WORDS[k] + " " + this.counts[k]);
    this.say("who", this.name(this.chosen) + (own && !own[2] ? " (has left, or is not there yet)" : ""));
    this.say("when", Math.round(this.now / 60) + " min");
    this.say("what", (words.join("; ") || "no contact, nobody listed") + ".");
    this.drawNoted();
  }

  say(name, words) {
    const box = this.root.querySelector(".verdict-line ." + name);
    if (box.textContent !== words) box.textContent = words;
  }

  drawNoted() {
    const bounds = this.data.log.bounds[this.chosen], words = this.root.querySelector(".noted-words");
    const table = this.root.querySelector(".noted table"), unit = this.data.log.unit_s;
    table.hidden = !bounds;
    if (!bounds) {
      words.textContent = "Its log is not in this page, which would be too large: it is in contact-logs.csv of the run.";
      return;
    }
    let end = bounds[0];
    while (end < bounds[1] && this.time[end] * unit <= this.now) end++;
    if (this.noted === this.chosen + "/" + end) return;
    this.noted = this.chosen + "/" + end;
    const heard = new Map();
    for (let record = bounds[0]; record < end; record++) {
      const peer = this.data.log.tokens[this.token[record]][1];
      heard.set(peer, [record, (heard.get(peer) || [0, 0])[1] + 1]);
    }
    const newest = [...heard].sort((a, b) => b[1][0] - a[1][0]);
    const body = table.tBodies[0];
    body.replaceChildren();
    for (const [peer, [record, count]] of newest.slice(0, NOTED)) {
      const row = body.insertRow(), token = this.data.log.tokens[this.token[record]];
      cell(row, clock(this.time[record] * unit));
      cell(row, peer < 0 ? "does not open" : this.name(peer));
      cell(row, token[0] + "…");
      cell(row, this.rssi[record], "n");
      cell(row, count, "n");
    }
    const people = newest.length === 1 ? "1 person" : newest.length + " people";
    words.textContent = (end - bounds[0]).toLocaleString("en") + " records of " + people +
      (newest.length > NOTED ? "; the " + NOTED + " heard last:" : "");
  }

  toggle() {
    if (!this.playing && this.now >= this.data.duration_s) this.now = 0;
    this.playing = !this.playing;
    this.last = null;
    this.playBox.textContent = this.playing ? "Pause" : "Play";
  }

  step() {
    if (!this.playing) return;
    const stamp = performance.now();
    if (this.last !== null) {
      const on = (stamp - this.last) / 1000 * Number(this.speedBox.value);
      this.now = Math.min(this.now + on, this.data.duration_s);
    }
    this.last = stamp;
    if (this.now >= this.data.duration_s) this.toggle();
    this.draw();
  }
}

const replays = [...document.querySelectorAll("[data-run]")].map((root) => new Replay(root));
setInterval(() => replays.forEach((replay) => replay.step()), STEP_MS);
