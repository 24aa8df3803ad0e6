// Keys, the help that lists them, the colours.
const kept = {
  // Pages from disk may have no storage.
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, to) { try { localStorage.setItem(key, to); } catch { /* It is not kept, then. */ } },
};

const KEYS = [
  [['/'], 'search checks', () => { byId('search').focus(); byId('search').select(); }],
  [['j'], 'next check', () => nextCheck(1)],
  [['k'], 'previous check', () => nextCheck(-1)],
  [['n'], 'next failed check', () => nextCheck(1, 'failed')],
  [['p'], 'previous failed check', () => nextCheck(-1, 'failed')],
  [['.', 'l'], 'next event', () => player.step(1)],
  [[',', 'h'], 'previous event', () => player.step(-1)],
  [['t'], 'light, dark, as the system', () => nextTheme()],
  [['?'], 'this help', () => openHelp()],
];

const THEMES = { '': ['◐', 'as the system'], light: ['☀', 'light'], dark: ['☾', 'dark'] };

function setTheme(theme) {
  const [sign, word] = THEMES[theme] || THEMES[''];
  if (theme && THEMES[theme]) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  byId('theme').textContent = sign;
  byId('theme').setAttribute('aria-label', `Colours: ${word}`);
  byId('theme').title = `Colours: ${word}`;
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const now = document.documentElement.dataset.theme || '';
  const next = names[(names.indexOf(now) + 1) % names.length];
  setTheme(next);
  kept.set('fabric-theme', next);
  say(`Colours: ${THEMES[next][1]}`);
}

function openHelp() {
  const dialog = byId('help-dialog');
  if (dialog.open) return dialog.close();
  const single = h('input', { type: 'checkbox', change: (event) => kept.set('fabric-keys', (keys.on = event.target.checked) ? '' : 'off') });
  single.checked = keys.on;
  fill(dialog, h('h2', { id: 'help-title' }, 'Keys'),
    h('dl', { class: 'keys' }, KEYS.map(([names, what]) => [h('dt', {}, names.map((name, at) => [at > 0 && ' ', h('kbd', {}, name)])), h('dd', {}, what)]),
      h('dt', {}, h('kbd', {}, 'Enter')), h('dd', {}, 'open or close the check'), h('dt', {}, h('kbd', {}, 'Esc')), h('dd', {}, 'clear the search')),
    h('p', {}, h('label', {}, single, ' Keys without Ctrl or Alt do something')),
    h('p', { class: 'muted' }, 'The address keeps what you look at: a check, a moment, a router, the filter. Send it along.'),
    h('p', {}, h('button', { type: 'button', click: () => dialog.close() }, 'Close')));
  dialog.showModal();
  return undefined;
}

const keys = { on: kept.get('fabric-keys') !== 'off' };

function listenToKeys() {
  setTheme(kept.get('fabric-theme') || '');
  byId('theme').addEventListener('click', nextTheme);
  byId('help').addEventListener('click', openHelp);
  let typing = 0;
  byId('search').addEventListener('input', (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => setFilter({ q: event.target.value.trim() }), 120);
  });
  byId('search').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { setFilter({ q: '' }); event.target.blur(); }
    if (event.key === 'Enter') { clearTimeout(typing); setFilter({ q: event.target.value.trim() }); go('checks'); nextCheck(1); }
  });
  document.addEventListener('keydown', (event) => {
    if (!keys.on || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest('input:not([type="range"]):not([type="checkbox"]), select, textarea')) return;
    if (byId('help-dialog').open && event.key !== '?') return;
    const found = KEYS.find(([names]) => names.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found[2]();
  });
}
