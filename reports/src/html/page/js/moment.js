// The state of one moment: all routers in a line each, one router's tables, and the events around it.
const chosen = { node: '' };

const COLUMNS = {
  sessions: ['Neighbor', 'Peer', 'AS', 'State', 'In', 'Out'],
  rib: ['Prefix', 'Best from', 'Next hop', 'AS path', 'Origin'],
  fib: ['Prefix', 'Via', 'Dev', 'Protocol'],
};

const CELLS = {
  sessions: (neighbor, { known, reason }) => {
    const families = Object.values(known?.families || {});
    const sum = (key) => families.length ? families.reduce((all, family) => all + (family[key] || 0), 0) : '';
    const state = known?.state || 'not configured';
    return [neighbor, short(known?.peer || known?.hostname || ''), known?.remote_as ?? known?.asn ?? '',
      h('span', { class: `state ${standing(known?.state)}`, title: reason || '' }, state), sum('accepted'), sum('sent')];
  },
  rib: (prefix, { known, from }) => {
    const paths = list(known);
    const best = paths.find((path) => path.best) || paths[0];
    if (!best) return [prefix, short(from || ''), '', '', ''];
    const hop = list(best.next_hops).find((one) => one.used) || list(best.next_hops)[0] || {};
    return [prefix, best.source === 'local' ? 'self' : short(best.peer?.hostname || best.peer?.neighbor || best.peer?.address || ''),
      [hop.ip, hop.interface].filter(Boolean).join(' '), list(best.as_path).join(' ') || '–',
      `${best.origin || ''}${paths.length > 1 ? `, ${paths.length} paths` : ''}`];
  },
  fib: (prefix, { known, from }) => {
    const routes = list(known);
    if (!routes.length) return [prefix, short(from || ''), '', ''];
    const hops = routes.flatMap((route) => list(route.next_hops));
    const kind = routes[0].kind && routes[0].kind !== 'unicast' ? ` ${routes[0].kind}` : '';
    return [prefix, hops.map((hop) => hop.via || 'link').join(', '), hops.map((hop) => hop.dev).filter(Boolean).join(', '), `${routes[0].protocol || ''}${kind}`];
  },
};

const TITLES = { sessions: 'Sessions', rib: 'RIB', fib: 'FIB' };

function renderMoment() {
  const overview = h('div', { class: 'card' });
  const tables = h('div', { class: 'card' });
  const events = eventsCard();
  if (!actors.length && !happened.length) return;
  if (!actors.includes(chosen.node)) chosen.node = actors[0] || '';
  fill(byId('moment'), actors.length > 0 && overview, actors.length > 0 && tables, events);
  const draw = (ms) => {
    fillOverview(overview, ms);
    fillTables(tables, ms);
  };
  if (actors.length) player.listeners.push(draw);
  chosen.redraw = () => draw(player.ms);
}

function choose(node) {
  if (!actors.includes(node)) return;
  chosen.node = node;
  hash.set({ router: node });
  chosen.redraw();
  for (const listener of player.listeners) listener(player.ms);
  say(`${short(node)} is shown`);
}

function fillOverview(card, ms) {
  const focused = card.contains(document.activeElement);
  fill(card, h('header', {}, h('h3', {}, `At ${moment(ms)}`)), h('div', { class: 'tall', tabindex: '0', role: 'region', 'aria-label': 'All routers at this moment' },
    h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Router'), h('th', { scope: 'col' }, 'Sessions'), h('th', { scope: 'col', class: 'num' }, 'RIB'), h('th', { scope: 'col', class: 'num' }, 'FIB'))),
      h('tbody', {}, actors.map((node) => {
        const { entries, look } = tableAt(node, 'sessions', ms);
        const states = [...entries.values()].map((entry) => standing(entry.known?.state)).filter((state) => state !== 'none');
        const up = states.filter((state) => state === 'up').length;
        const size = (kind) => {
          const table = tableAt(node, kind, ms);
          return table.look || table.entries.size ? present(table.entries) : '';
        };
        const tone = !states.length ? '' : up === states.length ? 'up' : states.includes('trying') ? 'trying' : 'down';
        return h('tr', { class: node === chosen.node ? 'chosen' : '' },
          h('th', { scope: 'row' }, h('button', { type: 'button', class: 'link', 'data-choose': node, 'aria-pressed': null, 'aria-current': node === chosen.node ? 'true' : null, click: () => choose(node) }, short(node))),
          h('td', {}, states.length || look ? h('span', { class: `state ${tone}` }, `${up} of ${states.length} established`) : ''),
          h('td', { class: 'num' }, size('rib')), h('td', { class: 'num' }, size('fib')));
      })))));
  if (focused) card.querySelector(`[data-choose="${CSS.escape(chosen.node)}"]`)?.focus();
}

function fillTables(card, ms) {
  const node = chosen.node;
  const top = card.querySelector('.tall')?.scrollTop;
  const kinds = kindsOf(node);
  fill(card, h('header', {}, h('h3', {}, short(node)), h('span', { class: 'muted' }, lookedAt(node, kinds, ms))),
    h('div', { class: 'tall stack', tabindex: '0', role: 'region', 'aria-label': `${short(node)}'s tables at this moment` },
      Object.keys(COLUMNS).filter((kind) => kinds.includes(kind)).map((kind) => {
        const { entries, look } = tableAt(node, kind, ms);
        const rows = [...entries].sort(([one], [other]) => one.localeCompare(other, undefined, { numeric: true }));
        return h('table', {}, h('caption', {}, h('b', {}, TITLES[kind]), ` ${present(entries)}${entries.size || look ? '' : ': not looked at yet'}`),
          rows.length > 0 && h('thead', {}, h('tr', {}, COLUMNS[kind].map((name) => h('th', { scope: 'col' }, name)))),
          h('tbody', {}, rows.map(([key, entry]) => {
            const [first, ...cells] = CELLS[kind](key, entry);
            return h('tr', { class: entry.change || null }, h('th', { scope: 'row' }, first, entry.change && sr(` (${entry.change} now)`)), cells.map((cell) => h('td', {}, cell)));
          })));
      }),
      kinds.filter((kind) => !COLUMNS[kind]).map((kind) => {
        const look = lastLook(node, kind, ms);
        return look && lazy({ class: 'more' }, `${kind}, as it was at ${moment(look.ms)}`, () => json(look.json));
      })));
  if (top) card.querySelector('.tall').scrollTop = top;
}

function lookedAt(node, kinds, ms) {
  const looks = kinds.map((kind) => lastLook(node, kind, ms)).filter(Boolean);
  if (!looks.length) return 'from events alone';
  const last = looks.reduce((one, other) => (other.ms > one.ms ? other : one));
  return `looked at ${moment(last.ms)}, ${last.when}`;
}
