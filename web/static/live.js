// Makes the page move: takes over the sections that the server sends when something changed, and lets running
// durations and bars grow in between. The page works without this file.

const root = document.querySelector("[data-stream]");
const seen = new Map();
let skew = 0;

const sections = (scope) => scope.querySelectorAll("[data-live]");

function adopt(html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  for (const fresh of sections(next.content)) {
    const text = fresh.outerHTML;
    if (seen.get(fresh.id) === text) continue;
    seen.set(fresh.id, text);
    const old = document.getElementById(fresh.id);
    if (old) replace(old, fresh);
    if (fresh.dataset.title) document.title = fresh.dataset.title;
  }
  addCopyButtons();
  tick();
  // New elements' animations start at the same moment as the old ones' did, so that nothing jumps.
  for (const animation of document.getAnimations()) animation.startTime = 0;
}

// Keeps what the reader did: opened parts, scrolled to, has the keyboard on.
function replace(old, fresh) {
  for (const open of old.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  const active = old.contains(document.activeElement) ? document.activeElement : null;
  const path = active ? pathTo(old, active) : null;
  const top = old.querySelector(".scroll")?.scrollTop ?? 0;
  old.replaceWith(fresh);
  const scroll = fresh.querySelector(".scroll");
  if (scroll) scroll.scrollTop = top;
  if (path) path.reduce((node, index) => node?.children[index], fresh)?.focus?.({ preventScroll: true });
}

function pathTo(ancestor, node) {
  const path = [];
  for (; node !== ancestor; node = node.parentElement) path.unshift([...node.parentElement.children].indexOf(node));
  return path;
}

function duration(seconds) {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

function tick() {
  const now = Date.now() / 1000 - skew;
  for (const time of root.querySelectorAll("[data-since]")) {
    time.textContent = duration(now - Date.parse(time.dataset.since) / 1000);
  }
  for (const timeline of root.querySelectorAll(".timeline[data-running][data-start]")) stretch(timeline, now);
}

function stretch(timeline, now) {
  const start = Number(timeline.dataset.start);
  const span = Math.max(now - start, 1);
  for (const bar of timeline.querySelectorAll("rect[data-from]")) {
    const from = Number(bar.dataset.from);
    const width = Math.min(1000, Math.max(5, (1000 * (Number(bar.dataset.to ?? now) - from)) / span));
    bar.setAttribute("x", Math.min(Math.max(0, (1000 * (from - start)) / span), 1000 - width).toFixed(1));
    bar.setAttribute("width", width.toFixed(1));
  }
}

function addCopyButtons() {
  if (!navigator.clipboard) return;
  for (const command of document.querySelectorAll(".command:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    command.append(button);
  }
}

function follow() {
  const source = new EventSource(root.dataset.stream);
  source.addEventListener("body", (event) => adopt(event.data));
  source.addEventListener("error", () => {
    // The browser connects again by itself, unless the server refused: then the session has ended.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && follow());
}

const served = document.querySelector("meta[name=served]");
if (served) skew = Date.now() / 1000 - Number(served.content);
addCopyButtons();
if (root) {
  for (const section of sections(root)) seen.set(section.id, section.outerHTML);
  follow();
  setInterval(tick, 1000);
}
