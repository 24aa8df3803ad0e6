// The run itself: what was done and how long it took, what was warned of, what a pass does not say.
function renderRun() {
  const env = record.environment;
  const parts = list(record.times.parts).slice(0, 30);
  const longest = Math.max(1, ...parts.map((part) => part.ms));
  fill(byId('run-body'), h('div', { class: 'stack' },
    list(env.notes).length > 0 && h('div', {}, h('h3', {}, 'What this environment does not model'), h('ul', {}, env.notes.map((note) => h('li', {}, note)))),
    record.warnings.length > 0 && h('div', {}, h('h3', {}, 'Warnings'), h('ul', {}, record.warnings.map((warning) => h('li', { class: 'warn' }, printable(warning))))),
    record.left_out.length > 0 && h('div', {}, h('h3', {}, 'Phases left out'), h('ul', {}, record.left_out.map((one) => h('li', {}, h('b', {}, one.phase), `: ${one.why}`)))),
    record.steps.length > 0 && h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Steps' }, h('table', {}, h('caption', {}, 'Steps'),
      h('thead', {}, h('tr', {}, ['At', 'Step', 'Phase', 'Took', 'Came to'].map((name) => h('th', { scope: 'col', class: name === 'Took' || name === 'At' ? 'num' : null }, name)))),
      h('tbody', {}, record.steps.map((step) => h('tr', {}, h('td', { class: 'num' }, moment(step.started_ms)),
        h('th', { scope: 'row', class: step.ok ? null : 'bad' }, step.ok ? '' : '✕ ', step.name, list(step.output).length > 0 && lazy({ class: 'more' }, count(step.output.length, 'line'), () => text(step.output.join('\n'), step.name))),
        h('td', {}, step.phase), h('td', { class: 'num' }, time(step.duration_ms)), h('td', {}, printable(step.detail || ''))))))),
    parts.length > 0 && lazy({ class: 'more' }, 'Where the time went', () => h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Where the time went' }, h('table', {},
      h('caption', {}, 'Parts overlap each other, so they do not add up to the whole'),
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'What'), h('th', { scope: 'col', class: 'num' }, 'Took'), h('th', { scope: 'col' }, 'Whose'), h('td', { class: 'bar-cell' }))),
      h('tbody', {}, parts.map((part) => h('tr', {}, h('th', { scope: 'row' }, part.what), h('td', { class: 'num' }, time(part.ms)), h('td', { class: 'muted' }, part.protocol ? 'protocols' : 'fabric'),
        h('td', { class: 'bar-cell' }, h('div', { class: 'wait', 'aria-hidden': 'true' }, h('span', { style: { width: `${(part.ms / longest) * 100}%` } }))))))))),
    lazy({ class: 'more' }, 'Everything that took part, with its version', () => h('div', {}, h('table', {}, h('tbody', {}, Object.entries(env.versions || {}).map(([name, version]) =>
      h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, version)))))))));
  fill(byId('foot'), `Run ${record.run_id}, fabric ${record.tool_version}. This page was made from record.json alone and needs no network. `,
    h('button', { type: 'button', class: 'link', click: saveRecord }, 'Save the record'), '.');
}

function saveRecord() {
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(record, null, 2)}\n`], { type: 'application/json' }));
  const link = h('a', { href: url, download: 'record.json' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
