"use strict";
// Search, the filter by severity, and the picture's highlights. Without it all is shown.
// The address may hold a search: report.html?search=libssl
for (const root of document.querySelectorAll(".report")) {
  const search = root.querySelector("input[type=search]");
  const buttons = [...root.querySelectorAll("button[data-severity]")];
  const groups = [...root.querySelectorAll(".findings > details")];
  const others = [...root.querySelectorAll("tbody tr, .parts > details")];
  const graph = root.querySelector(".graph");
  const nodes = graph ? [...graph.querySelectorAll(".node")] : [];
  const arrows = graph ? [...graph.querySelectorAll("path")] : [];
  const unfolded = new Map(groups.map((group) => [group, group.open]));

  const holds = (element, words) => {
    const text = element.textContent.toLowerCase();
    return words.every((word) => text.includes(word));
  };

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = buttons.filter((b) => b.getAttribute("aria-pressed") === "false");
    for (const group of groups) {
      const name = group.querySelector("summary");
      let found = 0;
      for (const finding of group.querySelectorAll("article")) {
        const match = holds(finding, words) || holds(name, words);
        finding.classList.toggle("hidden", !match);
        found += match;
      }
      const wanted = !off.some((b) => group.classList.contains(b.dataset.severity));
      group.classList.toggle("hidden", !wanted || found === 0);
      group.open = words.length > 0 || unfolded.get(group);
    }
    for (const element of others) element.classList.toggle("hidden", !holds(element, words));
    highlight(words.length ? nodes.filter((node) => holds(node, words)) : []);
  }

  const highlight = (chosen) => {
    if (!graph) return;
    const near = new Set(chosen.map((node) => node.dataset.node));
    const close = new Set(near);
    for (const arrow of arrows) {
      const on = near.has(arrow.dataset.from) || near.has(arrow.dataset.to);
      arrow.classList.toggle("on", on);
      if (on) close.add(arrow.dataset.from).add(arrow.dataset.to);
    }
    for (const node of nodes) node.classList.toggle("on", close.has(node.dataset.node));
    graph.classList.toggle("busy", chosen.length > 0);
  }

  search.addEventListener("input", show);
  search.value = new URLSearchParams(location.search).get("search") || "";
  show();
  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") === "false"));
      show();
    });
  }
  for (const node of nodes) {
    for (const event of ["mouseenter", "focus"]) node.addEventListener(event, () => highlight([node]));
    for (const event of ["mouseleave", "blur"]) node.addEventListener(event, show);
  }
}
