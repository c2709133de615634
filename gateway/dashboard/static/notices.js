// Notices: what staff should look at. Word, shape and colour say how soon; nothing flashes and nothing sounds.

import { keep, make, mark, say, speak } from "./dom.js";

const PRIORITIES = { medium: ["▲", "Medium"], low: ["◆", "Low"] };
const LISTED = 4; // in a strip: more would push the beds off the page

export const priority = (notice) => PRIORITIES[notice.priority] ?? PRIORITIES.low;

function makeNotice() {
  return make("li", { className: "notice" },
    make("p", { className: "priority" }, make("span", { ariaHidden: "true" }), " ", make("span")),
    make("p", {}, make("b"), " ", make("span", { className: "advice" })));
}

function updateNotice(item, notice) {
  const [shape, word] = priority(notice);
  mark(item, `notice ${notice.priority === "medium" ? "medium" : "low"}`);
  const [tag, words] = item.children;
  say(tag.children[0], shape);
  say(tag.children[1], word);
  say(words.children[0], `${notice.text}.`);
  say(words.children[1], notice.advice);
}

let known = null;

// Fills a section that holds a list and a line for what did not fit.
export function showNotices(section, notices, most = LISTED) {
  section.hidden = notices.length === 0;
  keep(section.querySelector("ul"), notices.slice(0, most), makeNotice, updateNotice);
  const left = notices.length - most;
  const more = section.querySelector(".more");
  more.hidden = left <= 0;
  say(more, left > 0 ? `And ${left} more on the Devices page.` : "");
  const ids = new Set(notices.map((notice) => notice.id));
  const fresh = known && notices.find((notice) => !known.has(notice.id));
  if (fresh) speak(`Notice, ${priority(fresh)[1].toLowerCase()} priority: ${fresh.text}`, { notice: true });
  known = ids;
}

// One line for a tile: the notice itself if there is one, their number if there are more.
export function inOneLine(notices) {
  if (!notices.length) return ["", ""];
  const [shape, word] = priority(notices[0]);
  return [shape, notices.length === 1 ? `${word}: ${notices[0].text}` : `${notices.length} notices`];
}
