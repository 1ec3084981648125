"use strict";
// The sliders choose among points that were computed. Between two of them the nearer one is shown,
// and the words beside the sliders say so.
const form = document.getElementById("sliders");
const shown = document.getElementById("shown");
const points = [...document.querySelectorAll("#points > article")];
const controls = [...form.querySelectorAll("[data-key]")];

function nearest(control) {
  const values = JSON.parse(control.dataset.values);
  if (control.tagName === "SELECT") return [control.value, true];
  const wished = Number(control.value);
  const best = values.reduce((a, b) =>
    Math.abs(Number(b) - wished) < Math.abs(Number(a) - wished) ? b : a);
  return [best, Math.abs(Number(best) - wished) < 1e-9];
}

function show() {
  const wanted = {}, between = [];
  for (const control of controls) {
    const [value, exact] = nearest(control);
    wanted[control.dataset.key] = value;
    const wished = control.tagName === "SELECT" ? value : String(Number(control.value));
    const output = control.parentElement.querySelector("output");
    if (output) output.textContent = wished;
    if (!exact) between.push(control.dataset.key + " = " + wished);
  }
  let name = "";
  for (const point of points) {
    const own = JSON.parse(point.dataset.settings);
    point.hidden = !Object.keys(wanted).every((key) => own[key] === wanted[key]);
    if (!point.hidden) name = point.dataset.name;
  }
  shown.classList.toggle("between", between.length > 0);
  shown.textContent = between.length
    ? between.join(" and ") + " was not computed. This is the nearest computed point: " + name + "."
    : "Computed: " + name + ".";
}

document.getElementById("explore").hidden = false;
form.addEventListener("input", show);
show();
