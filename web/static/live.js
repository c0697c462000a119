// Keeps a page live: the server sends the parts that changed, rendered as at first paint, and each replaces the element of its id.
'use strict';
(() => {
  const body = document.body;
  const shown = document.getElementById('live');
  let after = body.dataset.after;
  let source = null;
  let polling = 0;
  let lost = null;

  function show(state) {
    lost = state === 'stale' ? lost || new Date() : null;
    shown.hidden = false;
    shown.dataset.state = state;
    shown.textContent = lost ? 'stale since ' + lost.toTimeString().slice(0, 8) : state;
  }

  // What a person has opened, typed or marked stays as it is.
  function carry(before, next) {
    for (const old of before.querySelectorAll('details[id][open]')) {
      const now = next.querySelector('#' + CSS.escape(old.id));
      if (now) now.open = true;
    }
    for (const old of before.querySelectorAll('input[id], textarea[id]')) {
      const now = next.querySelector('#' + CSS.escape(old.id));
      if (!now) continue;
      now.value = old.value;
      now.checked = old.checked;
    }
  }

  function put(target, html) {
    const template = document.createElement('template');
    template.innerHTML = html;
    const next = template.content.firstElementChild;
    if (!next) return;
    const before = document.getElementById(next.id);
    if (!before) {
      const holder = document.getElementById(target);
      if (holder && target !== next.id) holder.append(next);
      return;
    }
    const focus = before.contains(document.activeElement) ? document.activeElement : null;
    const marks = focus && 'selectionStart' in focus ? [focus.selectionStart, focus.selectionEnd] : null;
    const mark = focus && (focus.id ? '#' + CSS.escape(focus.id) : focus.tagName === 'SUMMARY' ? 'summary' : null);
    carry(before, next);
    before.replaceWith(next);
    const again = mark && next.querySelector(mark);
    if (!again) return;
    again.focus({ preventScroll: true });
    if (marks && marks[0] !== null) again.setSelectionRange(marks[0], marks[1]);
  }

  // Reads the whole page anew and takes over every part of it.
  async function resync() {
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (!answer.ok) return show('stale');
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      after = page.body.dataset.after || after;
      for (const part of page.querySelectorAll('title, #sentence, main section[id], #trouble, #empty, tr[id^="step-"], #journal-rows')) {
        put(part.id, part.outerHTML);
      }
      show(source ? 'live' : 'every 5 s');
    } catch {
      show('stale');
    }
  }

  function open() {
    if (source || !body.dataset.live) return;
    source = new EventSource(body.dataset.live + '?after=' + encodeURIComponent(after));
    source.onopen = () => {
      clearInterval(polling);
      polling = 0;
      show('live');
    };
    source.addEventListener('fragment', (event) => {
      if (event.lastEventId) after = event.lastEventId;
      const part = JSON.parse(event.data);
      put(part.target, part.html);
    });
    source.addEventListener('resync', resync);
    source.onerror = () => {
      show('stale');
      if (source.readyState !== EventSource.CLOSED) return;
      close();
      polling = polling || setInterval(resync, 5000);
    };
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  function length(ms) {
    const two = (large, unit, small, part) => large + ' ' + unit + (small ? ' ' + small + ' ' + part : '');
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return seconds + ' s';
    if (seconds < 3600) return two(Math.floor(seconds / 60), 'min', seconds % 60, 's');
    if (seconds < 86400) return two(Math.floor(seconds / 3600), 'h', Math.floor(seconds / 60) % 60, 'min');
    return two(Math.floor(seconds / 86400), 'd', Math.floor(seconds / 3600) % 24, 'h');
  }

  setInterval(() => {
    if (document.hidden || String(getSelection())) return;
    for (const time of document.querySelectorAll('time[data-rel], time[data-lasts]')) {
      const past = Date.now() - new Date(time.dateTime);
      time.textContent = 'lasts' in time.dataset ? length(past) : past < 0 ? 'in ' + length(-past) : length(past) + ' ago';
    }
  }, 1000);

  document.addEventListener('visibilitychange', () => (document.hidden ? (close(), show('paused')) : open()));
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', () => document.hidden || open());
  if (location.search.includes('said=')) history.replaceState(null, '', location.pathname);
  if (document.hidden) show('paused');
})();
