// The head of the page: how it ended, where it ran, its phases; and the sections' names in the bar.
function fact(name, ...what) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, what));
}

function renderHead() {
  const sums = verdicts(record.checks);
  const judged = record.checks.length - sums.skipped;
  const env = record.environment;
  const names = { twin: 'the twin', lab: 'a lab of its own', attach: 'a fabric that ran already' };
  byId('head-eyebrow').textContent = record.lab.description || record.lab.dir;
  const started = new Date(record.started);
  fill(byId('head'),
    h('p', { class: 'tally' },
      h('span', {}, h('b', {}, `${sums.passed} of ${count(judged, 'check')}`), ' passed'),
      sums.failed > 0 && h('span', { class: 'bad' }, h('b', {}, sums.failed), ' failed'),
      sums['not-run'] > 0 && h('span', {}, h('b', {}, sums['not-run']), ' not run'),
      sums.skipped > 0 && h('span', { class: 'muted' }, `${sums.skipped} skipped`),
      h('span', {}, h('b', {}, time(record.duration_ms)), h('span', { class: 'muted' },
        `: ${time(record.times.protocol_ms)} of the protocols' timers, ${time(record.times.own_ms)} of fabric's own work`))),
    record.error && h('div', { class: 'error' }, h('h2', {}, `It ended in: ${record.error.phase}`), text(record.error.text, 'What went wrong')),
    h('ol', { class: 'phases', 'aria-label': 'Phases' }, record.phases.map((phase) => {
      const of = verdicts(record.checks.filter((check) => check.phase === phase.name));
      const sum = !phase.reached ? 'not reached' : of.failed ? `${of.failed} of ${of.failed + of.passed} failed` : `${of.passed} passed`;
      return h('li', { class: !phase.reached ? 'unreached' : of.failed ? 'failed' : '' },
        h('button', { type: 'button', click: () => { setFilter({ phase: phase.name }); go('checks'); } },
          h('span', { class: 'name' }, phase.name), h('span', { class: 'sum' }, `${sum} · `, h('span', { class: 'nowrap' }, time(phase.duration_ms)))));
    })),
    h('dl', { class: 'facts' },
      fact('Lab', record.lab.name, h('br'), h('span', { class: 'muted' }, record.lab.dir)),
      fact('Environment', names[env.env] || env.env, h('br'), h('span', { class: 'muted' },
        `nodes in ${env.runtime}, cluster: ${env.cluster}${env.rootless ? ', without privilege' : ''}`)),
      fact('Started', h('time', { datetime: record.started }, started.toLocaleString()), h('br'), h('span', { class: 'muted' }, record.started)),
      Object.keys(env.versions || {}).length > 0 && fact('Versions', Object.entries(env.versions)
        .filter(([name]) => /cilium|frr|gobgp|bird|kube/i.test(name)).map(([name, version]) => `${name} ${version}`).join(', ')),
      fact('Machine', env.distro, h('br'), h('span', { class: 'muted' }, `Linux ${env.kernel}, ${count(env.cpus, 'CPU')}`)),
      record.bundle && fact('Bundle', h('a', { href: encodeURI(record.bundle), download: true }, record.bundle), h('br'),
        h('span', { class: 'muted' }, 'logs, tables, captures'))));
}

function renderNav() {
  const titles = { causes: 'Why', fabric: 'Fabric', paths: 'Paths', convergence: 'Convergence', checks: 'Checks', run: 'Run' };
  fill(byId('nav'), Object.entries(titles).filter(([id]) => !byId(id).hidden)
    .map(([id, title]) => h('a', { href: `#${id}`, click: (event) => { event.preventDefault(); go(id); } }, title)));
}

// Scrolls to a section and puts the reader there.
function go(id) {
  const title = byId(`${id}-title`);
  title.setAttribute('tabindex', '-1');
  byId(id).scrollIntoView();
  title.focus({ preventScroll: true });
}
