// The state of one moment: all boxes in a line each, one box's tables, and what happened around it.
const chosen = { node: '', redraw() {} };

function renderMoment() {
  if (!actors.length && !happened.length) return;
  const overview = h('div', { class: 'card' });
  const tables = h('div', { class: 'card' });
  if (!actors.includes(chosen.node)) chosen.node = actors[0] || '';
  fill(byId('moment'), actors.length > 0 && overview, actors.length > 0 && tables);
  if (!actors.length) return;
  player.listeners.push((ms) => {
    fillOverview(overview, ms);
    fillTables(tables, ms);
  });
}

function choose(node) {
  if (!actors.includes(node)) return;
  chosen.node = node;
  hash.set({ box: node });
  player.seek(player.ms, true);
  say(`${short(node)} is shown`);
}

// A box's sessions in a few words: as itself says, or as its speakers do.
function sessionsOf(node, ms) {
  const kinds = kindsOf(node);
  if (kinds.includes('sessions')) {
    const states = [...tableAt(node, 'sessions', ms).entries.values()].map((entry) => standing(entry.known?.state)).filter((state) => state !== 'none');
    if (!states.length && !lastLook(node, 'sessions', ms)) return '';
    return inWords(states);
  }
  if (!lastLook(node, 'speaker', ms)) return '';
  return inWords(speakersAt(node, ms).map((peer) => standing(peer.state)));
}

function inWords(states) {
  if (!states.length) return stateDot('none', 'none');
  const up = states.filter((state) => state === 'up').length;
  return stateDot(`${up} of ${states.length} established`, up === states.length ? 'up' : states.includes('trying') || up ? 'trying' : 'down');
}

function overviewRow(node, ms) {
  const size = (kind) => {
    if (!kindsOf(node).includes(kind)) return '';
    const at = tableAt(node, kind, ms);
    return at.look || at.entries.size ? present(at.entries) : '';
  };
  const pod = kindsOf(node).includes('pod');
  const now = pod && podAt(node, ms);
  return h('tr', { class: node === chosen.node ? 'chosen' : '' },
    h('th', { scope: 'row' }, h('button', { type: 'button', class: 'link', 'data-choose': node, 'aria-current': node === chosen.node ? 'true' : null, click: () => choose(node) }, short(node))),
    h('td', {}, pod ? (now ? stateDot(`${now.ready ? 'ready' : 'waiting'} on ${short(now.node || 'no node')}`, now.ready ? 'up' : 'trying') : h('span', { class: 'muted' }, 'not there')) : sessionsOf(node, ms)),
    h('td', { class: 'num' }, size('rib')), h('td', { class: 'num' }, size('fib')));
}

function fillOverview(card, ms) {
  const focused = card.contains(document.activeElement) && document.activeElement.dataset.choose;
  const top = card.querySelector('.tall')?.scrollTop;
  fill(card, h('header', {}, h('h3', {}, `At ${moment(ms)}`)), h('div', { class: 'tall', tabindex: '0', role: 'region', 'aria-label': 'All boxes at this moment' },
    h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Box'), h('th', { scope: 'col' }, 'Sessions'), h('th', { scope: 'col', class: 'num' }, 'RIB'), h('th', { scope: 'col', class: 'num' }, 'FIB'))),
      h('tbody', {}, actors.map((node) => overviewRow(node, ms))))));
  if (top) card.querySelector('.tall').scrollTop = top;
  if (focused) card.querySelector(`[data-choose="${CSS.escape(chosen.node)}"]`)?.focus({ preventScroll: true });
}

function fillTables(card, ms) {
  const node = chosen.node;
  const same = card.dataset.node === node;
  const top = same && card.querySelector('.tall')?.scrollTop;
  const focused = card.contains(document.activeElement);
  const kinds = kindsOf(node);
  const names = namesAt(ms);
  card.dataset.node = node;
  fill(card, h('header', {}, h('h3', {}, short(node)), h('span', { class: 'muted' }, lookedAt(node, kinds, ms))),
    h('div', { class: 'tall stack', tabindex: '0', role: 'region', 'aria-label': `${short(node)}'s tables at this moment` },
      Object.keys(COLUMNS).filter((kind) => kinds.includes(kind)).map((kind) => replayed(node, kind, ms, names)),
      Object.keys(LOOKED).filter((kind) => kinds.includes(kind)).map((kind) => looked(node, kind, ms)),
      kinds.filter((kind) => !COLUMNS[kind] && !LOOKED[kind] && kind !== 'router').map((kind) => looked(node, kind, ms))));
  if (top) card.querySelector('.tall').scrollTop = top;
  if (focused) card.querySelector('.tall').focus({ preventScroll: true });
}

function lookedAt(node, kinds, ms) {
  const last = kinds.map((kind) => lastLook(node, kind, ms)).filter(Boolean).reduce((one, other) => (!one || other.ms > one.ms ? other : one), null);
  return last ? `looked at ${moment(last.ms)}, ${last.when}` : 'from events alone';
}
