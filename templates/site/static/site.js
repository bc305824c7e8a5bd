// What every page can do more where scripts run: copy a text, play an animation.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here: select the text";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

for (const link of document.querySelectorAll("a[data-plays]")) {
  const image = document.getElementById(link.dataset.plays);
  const still = image.getAttribute("src");
  const [play, stop] = [link.textContent, "■ Stop the animation"];
  link.setAttribute("role", "button");
  const toggle = (event) => {
    event.preventDefault();
    const plays = link.textContent === stop;
    image.src = plays ? still : link.getAttribute("href");
    link.textContent = plays ? play : stop;
  };
  link.addEventListener("click", toggle);
  link.addEventListener("keydown", (event) => { if (event.key === " ") toggle(event); });
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});

// A box that scrolls is reached by the keyboard, as long as there is something to scroll.
const boxes = document.querySelectorAll("pre, .highlight, .table, .scroll, .output_subarea, math[display=block]");
const markScrolling = () => {
  for (const box of boxes) {
    if (box.scrollWidth > box.clientWidth || box.matches(".scroll")) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  }
};
markScrolling();
addEventListener("resize", markScrolling);
addEventListener("toggle", markScrolling, true);
