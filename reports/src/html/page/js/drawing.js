// The topology's drawing, coloured by what was so at the moment that is shown. Where its boxes stand was decided when the page
// was written; which classes there are, `reports/src/drawing/mod.rs` says.
const drawing = {
  found: false,
  // The check and its paths that are drawn over the picture.
  way: null,

  start() {
    this.svg = byId('drawing').querySelector('svg');
    if (!this.svg) return;
    this.found = true;
    byId('drawing').hidden = false;
    for (const box of this.svg.querySelectorAll('.box[role="button"]')) {
      const name = box.dataset.node;
      // What all names of a cluster's nodes begin with would be all that there is room for.
      if (short(name) !== name) box.querySelector('.name').textContent = short(name);
      if (!actors.includes(name)) continue;
      box.addEventListener('click', () => choose(name));
      box.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose(name);
      });
    }
    fill(byId('legend'), h('span', { class: 'legend up' }, 'session established'), h('span', { class: 'legend trying' }, 'connecting'),
      h('span', { class: 'legend down' }, 'down'), h('span', { class: 'legend' }, 'link'),
      h('span', { id: 'way-legend', hidden: true }, h('span', { class: 'legend way' }, 'way of packets'), ' ', h('button', { type: 'button', class: 'link', click: () => drawing.showWay(null) }, 'take it off')));
    player.listeners.push((ms) => this.colour(ms));
  },

  colour(ms) {
    for (const line of this.svg.querySelectorAll('.session')) {
      const state = betweenAt(line.dataset.a, line.dataset.b, ms);
      for (const name of ['established', 'trying', 'down']) line.classList.toggle(name, name === state);
    }
    for (const line of this.svg.querySelectorAll('.link')) {
      const { a, aInterface, b, bInterface } = line.dataset;
      line.classList.toggle('down', isDown(a, aInterface, ms) || isDown(b, bInterface, ms));
    }
    for (const pod of this.svg.querySelectorAll('.pod')) {
      const now = podAt(pod.dataset.pod, ms);
      pod.classList.toggle('absent', !now || now.node !== pod.dataset.node);
      pod.classList.toggle('waiting', Boolean(now) && !now.ready);
    }
    const broken = brokenAt(ms);
    for (const box of this.svg.querySelectorAll('.box')) {
      const name = box.dataset.node;
      box.classList.toggle('cause', broken.causes.has(name));
      box.classList.toggle('victim', broken.victims.has(name) && !broken.causes.has(name));
      box.classList.toggle('down', answersAt(name, ms) === false);
      box.classList.toggle('selected', name === chosen.node);
      // A button is called what can be read on it, and what only colours say.
      const told = [...box.querySelectorAll('.name, .line, .pod:not(.absent) text, .more text')].map((text) => text.textContent);
      const marks = ['cause', 'victim', 'down'].filter((mark) => box.classList.contains(mark)).map((mark) => ({ cause: 'it is broken here', victim: 'checks of it failed', down: 'its daemon does not answer' })[mark]);
      // An SVG element's title names it; a label beside it would have to repeat it.
      box.removeAttribute('aria-label');
      box.querySelector('title').textContent = [...told, ...marks].join(', ');
      box.setAttribute('aria-pressed', String(name === chosen.node));
    }
  },

  // Draws the ways of a check, or takes them off.
  showWay(check) {
    this.way = check;
    const ways = (check && words.ways[check.name]) || [];
    fill(this.svg.querySelector('.paths'), ways.filter(Boolean).map((d, at) => svg('path', { class: at ? 'hop-path second' : 'hop-path', d })));
    byId('way-legend').hidden = !ways.length;
    for (const button of document.querySelectorAll('[data-way]')) button.setAttribute('aria-pressed', String(Boolean(check) && button.dataset.way === check.name));
  },
};

// Which boxes something was broken at, and which suffered, from when the first check failed of it.
function brokenAt(ms) {
  const causes = new Set();
  const victims = new Set();
  const judged = (check) => check.started_ms + check.duration_ms;
  for (const check of record.checks) if (check.verdict === 'failed' && check.node && judged(check) <= ms + 1) victims.add(boxOf(check.node));
  for (const cause of record.causes) {
    const seen = cause.victims.map((name) => checksByName.get(name)).filter(Boolean).map(judged);
    if (cause.node && (!seen.length || Math.min(...seen) <= ms + 1)) causes.add(boxOf(cause.node));
  }
  return { causes, victims };
}
