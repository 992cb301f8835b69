"use strict";
// Everything that a caller controls is set as text, never as markup.
const SHOWN = 200, EVERY = 1000, CHART_HEIGHT = 48, LONGEST = 15 * 60e3, SHORTEST = 30e3;
const NAMES = { Queued: "queued", InProgress: "in flight", Completed: "done", Failed: "failed", Expired: "expired" };
const COUNTS = [["queued", "Queued"], ["inProgress", "InProgress"], ["completed", "Completed"], ["failed", "Failed"], ["expired", "Expired"]];
const by = (id) => document.getElementById(id);
const rows = new Map(), cards = new Map();
let chosen = decodeURIComponent(location.hash.slice(1)), shown = "", polling = false;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
async function ask(path, options) {
  const answer = await fetch("/_emulator/" + path, options);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message || answer.statusText);
  return answer;
}
const own = (path) => `endpoints/${encodeURIComponent(chosen)}/${path}`;

function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour12: false }) + "." + String(time % 1000).padStart(3, "0");
}
function span(from, to) {
  if (from === null || to === null) return "–";
  const ms = Math.max(0, to - from);
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60000)} min ${Math.round(ms % 60000 / 1000)} s`;
}
function size(bytes) {
  return bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function card(endpoint) {
  const made = element("button", "endpoint"), top = element("div", "top"), counts = element("div", "counts");
  const parts = { name: element("span", "name"), state: element("span", "state"), image: element("span", "image"), what: element("span", "what"), why: element("span", "why"), fill: element("span") };
  const bar = element("div", "bar");
  bar.append(parts.fill);
  top.append(parts.name, parts.state);
  for (const [field, kind] of COUNTS) {
    const count = element("span", "count");
    parts[field] = element("b", kind, "0");
    count.append(parts[field], element("small", "", NAMES[kind]));
    counts.append(count);
  }
  made.append(top, parts.image, parts.what, parts.why, bar, counts);
  made.onclick = () => choose(endpoint.endpointName);
  by("endpoints").append(made);
  return { made, parts };
}
// Where the cards are one line.
function bringIntoView(made) {
  const line = by("endpoints");
  line.scrollLeft = made.offsetLeft - line.offsetLeft - (line.clientWidth - made.clientWidth) / 2;
}
function showEndpoints(endpoints) {
  const names = new Set(endpoints.map((endpoint) => endpoint.endpointName));
  for (const [name, { made }] of cards) if (!names.has(name)) { made.remove(); cards.delete(name); }
  for (const endpoint of endpoints) {
    const name = endpoint.endpointName;
    if (!cards.has(name)) cards.set(name, card(endpoint));
    const { made, parts } = cards.get(name);
    if (name === chosen && made.getAttribute("aria-pressed") !== "true") bringIntoView(made);
    made.setAttribute("aria-pressed", String(name === chosen));
    parts.name.textContent = parts.name.title = name;
    parts.state.textContent = endpoint.status;
    const instances = endpoint.instances === endpoint.desiredInstances ? endpoint.instances : `${endpoint.instances} of ${endpoint.desiredInstances}`;
    parts.image.textContent = parts.image.title = endpoint.image;
    parts.what.textContent = `${instances} instance${instances === 1 ? "" : "s"} · ${endpoint.capacity} at once`;
    parts.why.textContent = parts.why.title = endpoint.failureReason ?? "";
    parts.why.hidden = !endpoint.failureReason;
    parts.fill.style.width = `${endpoint.capacity ? Math.min(100, 100 * endpoint.inProgress / endpoint.capacity) : 0}%`;
    for (const [field, kind] of COUNTS) {
      parts[field].textContent = endpoint[field].toLocaleString("en");
      parts[field].className = endpoint[field] ? kind : "zero";
    }
  }
  // The one that was used last, of unused ones the first.
  const latest = endpoints.reduce((best, other) => ((other.lastReceivedTime ?? 0) > (best?.lastReceivedTime ?? 0) ? other : best), endpoints[0]);
  if (!names.has(chosen) && latest) choose(latest.endpointName);
  by("invocations").hidden = !endpoints.length;
  by("nothing").hidden = endpoints.length > 0;
}

function cell(className, label, text) {
  const made = element("td", className, text);
  made.dataset.label = label;
  return made;
}
function place(location) {
  const made = element("span", "at");
  made.title = location;
  made.append(element("bdi", "", location));
  return made;
}
function row(invocation) {
  const made = element("tr"), status = cell("status " + invocation.status, "Status", NAMES[invocation.status]);
  if (invocation.faults.length) status.append(element("small", "Expired", invocation.faults.join(", ")));
  const isInline = invocation.inputLocation === null, output = cell("place", "Output");
  const input = isInline ? cell("few", "Input", `inline, ${size(invocation.inputBytes)}`) : cell("place input", "Input");
  if (!isInline) input.append(place(invocation.inputLocation));
  const stored = invocation.status === "Failed" ? invocation.failureLocation : invocation.outputLocation;
  if (stored) output.append(place(stored));
  if (invocation.failureReason) {
    const why = element("span", "why", invocation.failureReason);
    why.title = invocation.failureReason;
    output.append(why);
  }
  const acts = cell("acts", "");
  const see = element("button", "act see", "Output"), retry = element("button", "act retry", "Retry");
  see.disabled = !invocation.hasOutput;
  retry.disabled = !invocation.canRetry;
  see.onclick = () => look(invocation);
  retry.onclick = () => again(invocation, retry);
  acts.append(see, retry);
  made.append(status, cell("id", "Id", invocation.inferenceId), cell("time", "Received", clock(invocation.receivedTime)),
    cell("span", "Waited", span(invocation.receivedTime, invocation.startedTime)), cell("span", "Ran", span(invocation.startedTime, invocation.endedTime)),
    input, output, acts);
  return made;
}
function showInvocations(invocations) {
  const numbers = new Set(invocations.map((invocation) => invocation.number));
  for (const [number, { made }] of rows) if (!numbers.has(number)) { made.remove(); rows.delete(number); }
  let before = null;
  for (const invocation of invocations) {
    const text = JSON.stringify(invocation), old = rows.get(invocation.number);
    let made = old?.made;
    if (!old || old.text !== text) {
      made = row(invocation);
      if (old) old.made.replaceWith(made);
      rows.set(invocation.number, { made, text });
    }
    if (before ? before.nextSibling !== made : by("rows").firstChild !== made) before ? before.after(made) : by("rows").prepend(made);
    before = made;
  }
  by("none").hidden = invocations.length > 0;
}

function showFaults(plan) {
  const named = (rules) => Object.entries(rules).filter(([, number]) => number > 0).map(([name, number]) => `${name} ${number}`).join(", ");
  const parts = [["all endpoints", named(plan.all)], ...Object.entries(plan.endpoints).map(([name, rules]) => [name, named(rules)])];
  const text = parts.filter(([, rules]) => rules).map(([name, rules]) => `${name}: ${rules}`).join("; ");
  by("faults").textContent = `Faults on demand (seed ${plan.seed}): ${text}`;
  by("faults").hidden = !text;
}

function choose(name) {
  chosen = name;
  history.replaceState(null, "", "#" + encodeURIComponent(name));
  by("chosen").textContent = `Invocations of ${name}`;
  poll();
}
async function look(invocation) {
  by("location").textContent = invocation.status === "Failed" ? invocation.failureLocation : invocation.outputLocation ?? "";
  by("text").textContent = "…";
  by("output").showModal();
  try {
    by("text").textContent = await (await ask(own(`invocations/${invocation.number}/output`))).text();
  } catch (error) {
    by("text").textContent = error.message;
  }
}
async function again(invocation, button) {
  button.disabled = true;
  try {
    await ask(own(`invocations/${invocation.number}/retry`), { method: "POST", headers: { "Content-Type": "application/json" } });
    await poll();
  } catch (error) {
    alert(error.message);
  }
}

async function poll() {
  if (polling) return;
  polling = true;
  try {
    const list = await (await ask("endpoints")).json();
    showEndpoints(list.endpoints);
    showFaults(await (await ask("faults")).json());
    if (chosen && list.endpoints.length) {
      const query = new URLSearchParams({ limit: SHOWN });
      if (by("status").value) query.set("status", by("status").value);
      if (by("search").value) query.set("inferenceId", by("search").value);
      const asked = chosen + "?" + query;
      const { invocations } = await (await ask(own("invocations?" + query))).json();
      const history = await (await ask(own("history"))).json();
      if (asked !== shown) { by("rows").replaceChildren(); rows.clear(); shown = asked; }
      showInvocations(invocations);
      showHistory(history);
    }
    by("live").className = "";
    by("live").textContent = "live";
  } catch (error) {
    by("live").className = "lost";
    by("live").textContent = `no answer: ${error.message}`;
  } finally {
    polling = false;
  }
}
by("close").onclick = () => by("output").close();
by("status").onchange = by("search").oninput = poll;
by("chosen").textContent = chosen ? `Invocations of ${chosen}` : "";
setInterval(() => { if (!document.hidden) poll(); }, EVERY);
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
poll();
