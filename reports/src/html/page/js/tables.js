// One box's tables at a moment, kind by kind.
const COLUMNS = {
  sessions: ['Neighbor', 'Peer', 'AS', 'State', 'In', 'Out'],
  rib: ['Prefix', 'Best from', 'Next hop', 'AS path', 'Origin'],
  fib: ['Prefix', 'Via', 'Dev', 'Protocol'],
};

const TITLES = { sessions: 'Sessions', rib: 'RIB', fib: 'FIB', speaker: "Cilium's speaker", node: 'Node', pod: 'Pod', links: 'Interfaces', addresses: 'Addresses' };

const CELLS = {
  sessions(neighbor, { known, reason }, node) {
    const families = Object.values(known?.families || {});
    const sum = (key) => (families.length ? families.reduce((all, family) => all + (family[key] || 0), 0) : '');
    return [neighbor, short(peers.get(`${node}\n${neighbor}`) || known?.hostname || ''), known?.remote_as ?? '',
      [stateDot(known?.state || 'not configured', standing(known?.state)), reason && h('span', { class: 'muted' }, ` ${reason}`)], sum('accepted'), sum('sent')];
  },
  rib(prefix, { known, from }) {
    const paths = list(known);
    const best = paths.find((path) => path.best) || paths[0];
    if (!best) return [prefix, short(from || ''), '', '', ''];
    const hop = list(best.next_hops).find((one) => one.used) || list(best.next_hops)[0] || {};
    const more = paths.length > 1 ? h('span', { class: 'muted' }, ` ${paths.length} paths`) : '';
    return [prefix, best.source === 'local' ? 'self' : short(best.peer?.hostname || best.peer?.neighbor || best.peer?.address || ''),
      hop.interface || (/^(0\.0\.0\.0|::)$/.test(hop.ip) ? '' : hop.ip) || '', list(best.as_path).join(' '), [best.origin || '', more]];
  },
  fib(prefix, { known, from }) {
    const routes = list(known);
    if (!routes.length) return [prefix, short(from || ''), '', ''];
    const hops = routes[0].next_hops ? list(routes[0].next_hops) : [];
    const kind = routes[0].kind && routes[0].kind !== 'unicast' ? ` ${routes[0].kind}` : '';
    return [prefix, hops.map((hop) => hop.via || 'on the link').join(', '), hops.map((hop) => hop.dev).filter(Boolean).join(', '), `${routes[0].protocol || ''}${kind}`];
  },
};

const stateDot = (state, tone) => h('span', { class: `state ${tone}` }, state);

function table(caption, columns, rows) {
  return h('table', {}, h('caption', {}, caption),
    rows.length > 0 && columns.length > 0 && h('thead', {}, h('tr', {}, columns.map((name) => h('th', { scope: 'col' }, name)))), h('tbody', {}, rows));
}

const row = ([first, ...cells], change) => h('tr', { class: change || null }, h('th', { scope: 'row' }, first, change && sr(` (${change} now)`)), cells.map((cell) => h('td', {}, cell)));

// Sessions, RIB and FIB: what a look showed, and what happened since.
function replayed(node, kind, ms, names) {
  const { entries, look } = tableAt(node, kind, ms);
  const sorted = [...entries].sort(([one], [other]) => one.localeCompare(other, undefined, { numeric: true }));
  return table([h('b', {}, TITLES[kind]), ` ${present(entries)}${entries.size || look ? '' : ': not looked at yet'}`], COLUMNS[kind], sorted.map(([key, entry]) => {
    const cells = CELLS[kind](key, entry, node);
    const name = kind !== 'sessions' && names.prefixes?.[key];
    if (name) cells[0] = [key, h('span', { class: 'muted' }, ` ${name}`)];
    return row(cells, entry.change);
  }));
}

// What is only known from looks.
const LOOKED = {
  speaker(state) {
    const notes = [...list(state.problems).map((text) => h('p', { class: 'bad' }, text)), ...list(state.silences).map((text) => h('p', { class: 'muted' }, text))];
    return [notes, list(state.speakers).map((speaker) => table(
      [h('b', {}, TITLES.speaker), ` AS ${speaker.asn ?? '?'}${speaker.running ? '' : ', not running'}; advertises ${list(speaker.advertised).join(', ') || 'nothing'}`],
      ['Peer', '', 'AS', 'State', 'Up for'],
      list(speaker.peers).map((peer) => row([peer.address, short(peer.peer || ''), peer.remote_as || 'any',
        [stateDot(peer.state, standing(peer.state)), peer.last_reset && h('span', { class: 'muted' }, ` ${peer.last_reset}`)], Number.isFinite(peer.uptime_s) ? time(peer.uptime_s * 1000) : ''])))),
    list(state.speakers).length === 0 && table([h('b', {}, TITLES.speaker), ' none'], [], [])];
  },
  node: (state) => table(h('b', {}, TITLES.node), [], [
    row(['Ready', [stateDot(state.ready ? 'yes' : 'no', state.ready ? 'up' : 'trying'), state.message && h('span', { class: 'muted' }, ` ${state.message}`)]]),
    row(['Pod CIDRs', list(state.pod_cidrs).join(', ')]), row(['Addresses', list(state.addresses).join(', ')]),
    row(['Labels', Object.entries(state.labels || {}).map(([name, to]) => `${name}=${to}`).join(', ')])]),
  pod: (state) => table(h('b', {}, TITLES.pod), [], [
    row(['Phase', [stateDot(state.phase, state.ready ? 'up' : 'trying'), state.message && h('span', { class: 'muted' }, ` ${state.message}`)]]),
    row(['Node', short(state.node || 'none')]), row(['Addresses', list(state.addresses).join(', ')])]),
  links: (state) => table(h('b', {}, TITLES.links), ['Name', 'State', 'MTU'], list(state).map((link) =>
    row([link.name, stateDot(link.up ? (link.carrier ? 'up' : 'no carrier') : 'down', link.up && link.carrier ? 'up' : 'down'), link.mtu]))),
  addresses: (state) => table(h('b', {}, TITLES.addresses), ['Address', 'Interface'], list(state).map((one) => row([one.address, one.interface]))),
};

function looked(node, kind, ms) {
  const look = lastLook(node, kind, ms);
  if (!look) return null;
  const known = LOOKED[kind];
  return known ? known(look.json) : lazy({ class: 'more' }, `${kind}, as it was at ${moment(look.ms)}`, () => json(look.json));
}
