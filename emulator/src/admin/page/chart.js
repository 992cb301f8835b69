// Instances and backlog over time.
function drawn(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
// Each point holds until the next. `x` and `y` give places of a time and a number.
function steps(points, number, end, x, y) {
  return points.map((point, n) => `${n ? "H" : "M"}${x(point.time)}${n ? "V" : " "}${y(point[number])}`).join("") + `H${x(end)}`;
}
function chart(svg, { now, points }, from, number, wanted) {
  const width = svg.clientWidth, right = width - 34, top = 6, bottom = CHART_HEIGHT - 2;
  const most = Math.max(1, ...points.map((point) => Math.max(point[number], wanted ? point[wanted] : 0)));
  const x = (time) => Math.max(0, right * (time - from) / (now - from)).toFixed(1);
  const y = (count) => (bottom - (bottom - top) * count / most).toFixed(1);
  const line = steps(points, number, now, x, y);
  const parts = [top, bottom].map((at) => drawn("line", { class: "limit", x1: 0, x2: right, y1: at, y2: at }));
  parts.push(drawn("path", { class: "area", d: `${line}V${bottom}H${x(points[0].time)}Z` }), drawn("path", { class: "line", d: line }));
  if (wanted) parts.push(drawn("path", { class: "wanted", d: steps(points, wanted, now, x, y) }));
  parts.push(drawn("text", { x: width, y: top + 5 }, most.toLocaleString("en")), drawn("text", { x: width, y: bottom + 2 }, "0"));
  svg.setAttribute("viewBox", `0 0 ${width} ${CHART_HEIGHT}`);
  svg.replaceChildren(...parts);
  return x;
}
function showHistory(history) {
  const { now, scaling } = history, latest = history.points.at(-1);
  by("course").hidden = !latest;
  if (!latest) return;
  const from = Math.min(now - SHORTEST, Math.max(now - LONGEST, history.points[0].time));
  // The last point before the first moment shown holds there.
  const points = history.points.filter((point, n) => !(history.points[n + 1]?.time <= from));
  const shownHistory = { now, points };
  by("instances").textContent = latest.instances === latest.desiredInstances ? latest.instances : `${latest.instances} of ${latest.desiredInstances}`;
  by("backlog").textContent = latest.backlog.toLocaleString("en");
  const x = chart(by("instances-chart"), shownHistory, from, "instances", "desiredInstances");
  chart(by("backlog-chart"), shownHistory, from, "backlog");
  for (const activity of scaling?.activities.filter((activity) => activity.time >= from) ?? []) {
    const at = Number(x(activity.time)), mark = drawn("path", { class: "mark", d: `M${at - 4} 0H${at + 4}L${at} 6Z` });
    mark.append(drawn("title", {}, `${clock(activity.time)} set to ${activity.capacity}: ${activity.cause}`));
    by("instances-chart").append(mark);
  }
  const seconds = Math.round((now - from) / 1e3);
  by("since").textContent = seconds < 100 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
  by("scaling").textContent = scaling ? `scaled from ${scaling.minCapacity} to ${scaling.maxCapacity}` : "";
}
