// The moment that is shown: a range to drag, buttons and keys to step, and everybody who wants to know.
const player = {
  ms: 0,
  view: [0, end],
  skip: new Set(),
  listeners: [],
  // The moments one can step to.
  stops: [],

  seek(ms, quiet) {
    this.ms = Math.min(end, Math.max(0, ms));
    if (this.ms < this.view[0] || this.ms > this.view[1]) this.zoom(0, end, true);
    for (const listener of this.listeners) listener(this.ms);
    if (!quiet) {
      hash.set({ t: this.ms.toFixed(3) });
      say(`${moment(this.ms)}: ${this.told()}`);
    }
  },

  step(by) {
    const next = by > 0 ? this.stops.find((ms) => ms > this.ms + 1e-6) : this.stops.filter((ms) => ms < this.ms - 1e-6).pop();
    if (next !== undefined) this.seek(next);
    else say(by > 0 ? 'That was the last event' : 'That was the first event');
  },

  zoom(from, to, quiet) {
    this.view = [from, Math.max(to, from + 1)];
    for (const listener of this.zoomed) listener();
    if (!quiet && (this.ms < from || this.ms > to)) this.seek(from);
  },
  zoomed: [],

  // Shows only a phase, or the whole run.
  only(phase) {
    if (!phase) return this.zoom(0, end);
    this.zoom(phase.started_ms, phase.started_ms + phase.duration_ms, true);
    return this.seek(phase.started_ms);
  },

  // What happened at this moment, or what happened last.
  told() {
    const now = happened.filter((one) => one.ms === this.ms && !this.skip.has(one.kind));
    const last = now.length ? now : happened.filter((one) => one.ms <= this.ms && !this.skip.has(one.kind)).slice(-1);
    if (!last.length) return 'nothing has happened yet';
    return `${last.slice(0, 3).map((one) => `${short(one.source)}: ${short(one.what)}`).join('; ')}${last.length > 3 ? `; and ${last.length - 3} more` : ''}`;
  },

  mark() {
    this.stops = [...new Set(happened.filter((one) => !this.skip.has(one.kind)).map((one) => one.ms))];
  },

  place(ms) {
    return ((ms - this.view[0]) / (this.view[1] - this.view[0])) * 100;
  },
};

function renderPlayer() {
  byId('fabric').hidden = false;
  player.mark();
  const now = h('output', { class: 'now', for: 'range' });
  const what = h('span', { class: 'what' });
  const phase = h('span', { class: 'badge' });
  const range = h('input', { type: 'range', id: 'range', min: 0, max: end, step: 'any', 'aria-label': 'Moment of the run',
    input: (event) => player.seek(Number(event.target.value)) });
  // The arrow keys of a range move by a hundredth; here they step from event to event.
  range.addEventListener('keydown', (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    player.step(by);
  });
  const part = h('select', { 'aria-label': 'Part of the run', change: (event) => player.only(record.phases.find((one) => one.name === event.target.value)) },
    h('option', { value: '' }, 'whole run'), record.phases.map((one) => h('option', { value: one.name }, `phase ${one.name}`)));
  const lanes = h('div', { class: 'lanes' });
  fill(byId('player'), h('div', { class: 'card player', role: 'group', 'aria-label': 'Time line' },
    h('div', { class: 'controls' },
      h('div', { class: 'steps' },
        h('button', { type: 'button', 'aria-label': 'To the start', click: () => player.seek(player.view[0]) }, '⇤'),
        h('button', { type: 'button', 'aria-label': 'Previous event', 'aria-keyshortcuts': ',', click: () => player.step(-1) }, '‹'),
        h('button', { type: 'button', 'aria-label': 'Next event', 'aria-keyshortcuts': '.', click: () => player.step(1) }, '›'),
        h('button', { type: 'button', 'aria-label': 'To the end', click: () => player.seek(player.view[1]) }, '⇥')),
      now, phase, what, record.phases.length > 0 && part), lanes));

  const draw = () => {
    part.value = record.phases.find((one) => one.started_ms === player.view[0] && player.view[1] < end)?.name || '';
    range.min = player.view[0];
    range.max = player.view[1];
    fill(lanes, renderLanes(), h('span', { class: 'range-name' }, h('label', { for: 'range' }, 'moment')), range);
    range.value = player.ms;
  };
  player.zoomed.push(draw);
  draw();
  player.listeners.push((ms) => {
    range.value = ms;
    now.textContent = moment(ms);
    what.textContent = player.told();
    what.title = what.textContent;
    const at = phaseAt(ms);
    phase.textContent = at ? at.name : 'bring-up';
    range.setAttribute('aria-valuetext', `${moment(ms)}, phase ${phase.textContent}`);
    for (const cursor of lanes.querySelectorAll('.cursor')) cursor.style.setProperty('left', `${player.place(ms)}%`);
    for (const button of lanes.querySelectorAll('.phase')) button.classList.toggle('now', at !== undefined && button.dataset.phase === at.name);
  });
}
