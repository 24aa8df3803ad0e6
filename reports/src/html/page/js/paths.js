// The ways that packets took, hop by hop; the drawing shows the one that is chosen.
function hops(path) {
  return h('ol', { class: 'hops', 'aria-label': `Hops from ${short(path.from)} to ${short(path.to)}` },
    h('li', {}, h('span', { class: 'hop' }, short(path.from), h('small', {}, 'asks'))),
    list(path.hops).map((hop) => h('li', {}, hop.address || hop.node
      ? h('span', { class: 'hop' }, short(hop.node || hop.address), h('small', {}, [hop.node && hop.address, Number.isFinite(hop.rtt_ms) && `${hop.rtt_ms.toFixed(2)} ms`].filter(Boolean).join(', ')))
      : h('span', { class: 'hop silent' }, 'silent', h('small', {}, `hop ${hop.ttl}`)))));
}

const drawn = (check) => drawing.found && list(words.ways[check.name]).some(Boolean);

function renderPaths() {
  const all = record.checks.flatMap((check) => list(check.paths).map((path) => ({ check, path })));
  if (!all.length) return;
  byId('paths').hidden = false;
  const seen = new Set();
  const ways = all.filter(({ check, path }) => {
    const key = `${check.phase}\n${path.from}\n${path.to}\n${list(path.hops).map((hop) => hop.node || hop.address || '*').join(' ')}`;
    return !seen.has(key) && seen.add(key);
  });
  const cards = ways.slice(0, 40).map(({ check, path }) => h('article', { class: 'card way', 'aria-label': `${path.from} to ${path.to}` },
    h('header', {}, h('h3', {}, `${short(path.from)} → ${short(path.to)}`),
      h('span', { class: 'muted' }, checkLink(check.name), drawn(check) && ' ', drawn(check) && h('button', { type: 'button', 'aria-pressed': 'false', 'data-way': check.name,
        'aria-label': `Draw the way from ${short(path.from)} to ${short(path.to)}`, click: () => showWay(check) }, 'Draw'))), hops(path)));
  fill(byId('paths-body'), cards, ways.length > 40 && h('p', { class: 'muted' }, `And ${ways.length - 40} more, in the checks.`));
}

function showWay(check) {
  if (drawing.way === check) return drawing.showWay(null);
  player.seek(check.started_ms + check.duration_ms);
  drawing.showWay(check);
  byId('drawing').scrollIntoView({ block: 'center' });
  say(`The way is drawn: ${list(check.paths).map((path) => `${short(path.from)} to ${short(path.to)}`).join(', ')}`);
  return undefined;
}
