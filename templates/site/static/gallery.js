// The front page's filters and search. The text index is a script, loaded when a search begins: pages
// that were opened from a disk may not fetch anything. The address keeps what was chosen.
"use strict";

const form = document.querySelector(".filters");
const query = document.getElementById("query");
const selects = [...form.querySelectorAll("select")];
const cards = [...document.querySelectorAll(".card")];
const sections = [...document.querySelectorAll(".family")];
const hits = document.querySelector(".hits");
const MAX_HITS = 30;
const AROUND = 90; // characters shown on either side of what was found

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
const texts = new Map(cards.map((card) => [card, plain(card.dataset.text)]));
let sought = null; // a promise of the index, once somebody searches

function index() {
  sought ??= new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = form.getAttribute("data-index"); // form.dataset is the field of that name
    script.onload = () => resolve(window.searchIndex.map((hit) => ({ ...hit, plain: plain(`${hit.heading} ${hit.text}`) })));
    script.onerror = () => resolve([]);
    document.head.append(script);
  });
  return sought;
}

const allows = (card, name, value) => !value || card.dataset[name].split(name === "dataset" ? " " : "\n").includes(value);

async function update() {
  const words = plain(query.value).split(/\s+/).filter(Boolean);
  const documents = words.length ? await index() : [];
  if (words.join(" ") !== plain(query.value).split(/\s+/).filter(Boolean).join(" ")) return; // typed on meanwhile
  const found = documents.filter((hit) => words.every((word) => hit.plain.includes(word)));
  const inText = new Set(found.map((hit) => hit.slug));
  const chosen = new Set();
  for (const card of cards) {
    const fits = selects.every((select) => allows(card, select.dataset.filter, select.value));
    const named = words.every((word) => texts.get(card).includes(word));
    card.hidden = !(fits && (named || inText.has(card.id)));
    if (!card.hidden) chosen.add(card.id);
  }
  for (const section of sections) section.hidden = !section.querySelector(".card:not([hidden])");
  show(found.filter((hit) => chosen.has(hit.slug)), words);
  const count = form.querySelector(".count");
  count.textContent = `${chosen.size} of ${cards.length} projects`;
  count.dataset.for = query.value;
}

function show(found, words) {
  const list = hits.querySelector("ol");
  list.replaceChildren(...found.slice(0, MAX_HITS).map((hit) => item(hit, words)));
  hits.hidden = found.length === 0;
  const more = found.length > MAX_HITS ? `, the first ${MAX_HITS} of ${found.length} places` : "";
  hits.querySelector("h2").textContent = `In the texts${more}`;
}

function item(hit, words) {
  const place = document.createElement("a");
  place.href = hit.url;
  place.textContent = `${hit.title}: ${hit.heading}`;
  const passage = document.createElement("p");
  passage.append(...excerpt(hit.text, words));
  const entry = document.createElement("li");
  entry.append(place, passage);
  return entry;
}

function excerpt(text, words) {
  const lower = text.toLowerCase();
  const at = Math.max(0, Math.min(...words.map((word) => lower.indexOf(word)).filter((i) => i >= 0), text.length));
  const start = at < text.length ? Math.max(0, at - AROUND) : 0;
  const part = text.slice(start, start + 2 * AROUND);
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "i");
  const pieces = part.split(new RegExp(pattern, "gi")).map((piece, i) => {
    if (i % 2 === 0) return piece;
    const mark = document.createElement("mark");
    mark.textContent = piece;
    return mark;
  });
  return [start ? "… " : "", ...pieces, start + part.length < text.length ? " …" : ""];
}

function remember() {
  const chosen = new URLSearchParams();
  for (const field of [query, ...selects]) if (field.value) chosen.set(field.id, field.value);
  const hash = chosen.size ? `#?${chosen}` : "#";
  if ((location.hash || "#") !== hash) location.replace(hash);
}

function recall() {
  if (location.hash && !location.hash.startsWith("#?")) return; // a place on the page
  const chosen = new URLSearchParams(location.hash.slice(2));
  for (const field of [query, ...selects]) field.value = chosen.get(field.id) ?? "";
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => { remember(); update(); });
form.addEventListener("reset", () => setTimeout(() => { remember(); update(); }));
query.addEventListener("focus", index, { once: true });
addEventListener("hashchange", () => { recall(); update(); });
recall();
update();
