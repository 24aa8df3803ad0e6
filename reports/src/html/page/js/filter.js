// The list of checks and its filter: by words, verdict, phase, kind and node.
const filter = { q: '', verdict: '', phase: '', kind: '', node: '' };
const haystacks = new Map();

function haystack(check) {
  if (!haystacks.has(check)) {
    const seen = check.seen && typeof check.seen === 'object' ? check.seen.summary || '' : check.seen;
    haystacks.set(check, [check.name, check.failure, check.reason, check.expected && JSON.stringify(check.expected), seen]
      .filter(Boolean).join('\n').toLowerCase());
  }
  return haystacks.get(check);
}

function fits(check) {
  return (!filter.verdict || check.verdict === filter.verdict) && (!filter.phase || check.phase === filter.phase)
    && (!filter.kind || check.kind === filter.kind) && (!filter.node || check.node === filter.node)
    && filter.q.toLowerCase().split(/\s+/).every((word) => haystack(check).includes(word));
}

function renderChecks() {
  const of = verdicts(record.checks);
  const choose = (key, label, options) => options.length > 1 && h('label', {}, sr(label),
    h('select', { id: `filter-${key}`, change: (event) => setFilter({ [key]: event.target.value }) },
      h('option', { value: '' }, `all ${label}`), options.map((option) => h('option', { value: option }, short(option)))));
  const every = (key) => [...new Set(record.checks.map((check) => check[key]).filter(Boolean))];
  fill(byId('checks-body'),
    h('div', { class: 'filter', role: 'group', 'aria-label': 'Which checks to show' },
      h('div', { class: 'group' },
        h('button', { type: 'button', 'data-verdict': '', 'aria-pressed': 'true', click: () => setFilter({ verdict: '' }) }, `All ${record.checks.length}`),
        Object.entries(VERDICTS).filter(([name]) => of[name] > 0).map(([name, verdict]) =>
          h('button', { type: 'button', 'data-verdict': name, 'aria-pressed': 'false', click: () => setFilter({ verdict: filter.verdict === name ? '' : name }) },
            `${verdict.word[0].toUpperCase()}${verdict.word.slice(1)} ${of[name]}`))),
      choose('phase', 'phases', phaseNames), choose('kind', 'kinds', every('kind')), choose('node', 'nodes', every('node')),
      h('button', { type: 'button', class: 'quiet', id: 'filter-clear', hidden: true, click: () => setFilter({ q: '', verdict: '', phase: '', kind: '', node: '' }) }, 'Clear'),
      h('span', { class: 'count', id: 'filter-count' })),
    record.checks.length === 0 && h('p', { class: 'muted' }, 'Nothing was checked.'),
    phaseNames.map((name) => {
      const checks = record.checks.filter((check) => check.phase === name);
      const phase = record.phases.find((other) => other.name === name);
      if (!checks.length) return null;
      return h('div', { class: 'phase-group', 'data-phase': name },
        h('h3', {}, name, h('small', {}, [phase && list(phase.actions).join(', '), phase && !phase.reached && phase.unreached_reason].filter(Boolean).join(' · '))),
        checks.map(checkRow));
    }));
}

function setFilter(changes) {
  Object.assign(filter, changes);
  let shown = 0;
  for (const check of record.checks) {
    const row = rows.get(check.name);
    const fit = fits(check);
    row.hidden = !fit;
    shown += fit;
  }
  for (const group of document.querySelectorAll('.phase-group')) group.hidden = !group.querySelector('.check:not([hidden])');
  for (const button of document.querySelectorAll('[data-verdict]')) button.setAttribute('aria-pressed', String(button.dataset.verdict === filter.verdict));
  for (const key of ['phase', 'kind', 'node']) if (byId(`filter-${key}`)) byId(`filter-${key}`).value = filter[key];
  if (byId('search').value !== filter.q) byId('search').value = filter.q;
  const all = shown === record.checks.length;
  byId('filter-clear').hidden = Object.values(filter).every((value) => !value);
  const told = all ? count(shown, 'check') : `${shown} of ${count(record.checks.length, 'check')}`;
  byId('filter-count').textContent = told;
  if (!setFilter.quiet) say(`${told} shown`);
  hash.set(filter);
}

// The check after or before the one the reader is at, among those that are shown.
function nextCheck(step, only) {
  const shown = record.checks.map((check) => [check, rows.get(check.name)])
    .filter(([check, row]) => row && !row.hidden && (!only || check.verdict === only)).map(([, row]) => row);
  // Rows are grouped by phase, which need not be the record's order.
  shown.sort((one, other) => (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  if (!shown.length) return;
  const here = document.activeElement.closest('details.check');
  const at = shown.indexOf(here);
  const next = shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : Math.min(shown.length - 1, Math.max(0, at + step))];
  next.querySelector('summary').focus();
}
