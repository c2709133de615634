// Loaded before everything else, and not a module: whatever stops the page is said, nothing old stays on it, and it is
// loaded again when the server answers. A screen on a wall has nobody to press a key.

(() => {
  const FIRST_MS = 10_000; // then twice as long each time, so that a page that always fails asks seldom
  const LONGEST_MS = 600_000;
  const START_MS = 20_000; // until the scripts are there; slow tablets need some seconds
  const WELL_MS = 60_000; // a page that ran for so long was well
  const UPDATED_MS = 1000;
  const TRIES = "rehab-gateway tries";

  const own = document.currentScript.dataset; // its sentences, in the language of the page

  let failed = false;
  let runs = false;

  const stored = () => { try { return Number(sessionStorage.getItem(TRIES)) || 0; } catch { return 0; } };
  const store = (tries) => { try { sessionStorage.setItem(TRIES, String(tries)); } catch { /* no storage: no memory */ } };

  async function reload(wait) {
    try { // only when there is something to load: the browser's own error page would stay for ever
      const answer = await fetch(location.href, { method: "HEAD", signal: AbortSignal.timeout(8000) });
      if (answer.ok) return location.reload();
    } catch { /* not there yet */ }
    setTimeout(reload, wait, wait);
    return undefined;
  }

  function stop(text, firstWait) {
    if (failed) return;
    failed = true;
    document.documentElement.classList.add("failed"); // hides everything but header, banner and footer
    const banner = document.getElementById("banner");
    if (banner) {
      banner.hidden = false;
      banner.textContent = text;
    }
    const wait = Math.min(LONGEST_MS, firstWait * 2 ** stored());
    store(stored() + 1);
    setTimeout(reload, wait * (0.75 + Math.random() / 2), wait);
  }

  const broken = () => stop(own.broken, FIRST_MS);

  const ours = (address) => !address || address.startsWith(location.origin);
  addEventListener("error", (event) => {
    const part = event.target instanceof HTMLElement;
    if (part && event.target.tagName !== "SCRIPT") return; // a picture that did not come stops nothing
    if (!part && (!ours(event.filename) || event.message?.startsWith("ResizeObserver loop"))) return;
    broken();
  }, true);
  addEventListener("unhandledrejection", broken);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // a page from the browser's memory is of then
  setTimeout(() => { if (!runs) broken(); }, START_MS);

  window.failure = {
    get failed() { return failed; },
    broken,
    updated: () => stop(own.updated, UPDATED_MS),
    runs: () => {
      if (runs) return;
      runs = true;
      setTimeout(() => { if (!failed) store(0); }, WELL_MS);
    },
  };
})();
