// What happened, as a list that goes with the player, and which kinds of it one steps through.
function renderEvents() {
  const sorts = Object.keys(KINDS).filter((kind) => happened.some((one) => one.kind === kind));
  const items = h('ol', { class: 'events' });
  let buttons = [];
  const draw = () => {
    buttons = happened.filter((one) => !player.skip.has(one.kind)).map((one) => ({ one, button: h('button', { type: 'button', title: one.what, click: () => {
      if (one.of?.kind === 'failure' && player.ms === one.ms) showCheck(one.of.check);
      else player.seek(one.ms);
    } }, h('span', { class: 'ms' }, moment(one.ms)), h('span', { class: `cut ${one.kind === 'failure' ? 'bad' : 'muted'}` }, one.kind === 'failure' ? 'failed' : short(one.source)), h('span', { class: 'cut' }, short(one.what))) }));
    fill(items, buttons.map(({ button }) => h('li', {}, button)));
    mark(player.ms);
  };
  const box = h('div', { class: 'tall', tabindex: '0', role: 'region', 'aria-label': 'Events' }, items);
  const mark = (ms) => {
    let last;
    for (const { one, button } of buttons) {
      button.classList.toggle('later', one.ms > ms);
      const current = one.ms === ms;
      if (current) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
      if (one.ms <= ms) last = button;
    }
    // Only the list scrolls, never the page.
    if (last && !items.contains(document.activeElement)) box.scrollTop = last.offsetTop - box.offsetTop - box.clientHeight / 2;
  };
  player.listeners.push(mark);
  const card = h('div', { class: 'card' }, h('header', {}, h('h3', {}, 'What happened')),
    sorts.length > 1 && h('div', { class: 'kinds', role: 'group', 'aria-label': 'Kinds of events to list and to step through' }, sorts.map((kind) =>
      h('label', {}, h('input', { type: 'checkbox', checked: true, change: (event) => {
        if (event.target.checked) player.skip.delete(kind);
        else player.skip.add(kind);
        player.mark();
        draw();
        player.zoom(...player.view, true);
        player.seek(player.ms, true);
      } }), KINDS[kind]))), box);
  draw();
  byId('happened').append(card);
}
