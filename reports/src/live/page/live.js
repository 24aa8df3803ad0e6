'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const picture = $('picture');
  const elements = (selector) => Array.from(picture.querySelectorAll(selector));
  const remembered = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a reader's choice */ } };

  let now = null;
  let selected = null;
  let panel = { node: null, version: -1, rows: new Set() };

  // How a line stands of which both ends may say something: the worst counts.
  const ORDER = ['established', 'trying', 'down'];
  const worst = (all) => all.reduce((worst, one) => (ORDER.indexOf(one) > ORDER.indexOf(worst) ? one : worst), all[0]);
  const pair = (a, b) => [a, b].sort().join(' ');

  function paint() {
    if (!now) return;
    const byLink = new Map();
    const byPair = new Map();
    for (const session of now.sessions) {
      const [map, key] = session.link ? [byLink, session.link] : [byPair, pair(session.node, session.peer || '')];
      if (!map.has(key)) map.set(key, []);
      map.get(key).push(session.standing);
    }
    for (const element of elements('.session')) {
      const { link, a, b } = element.dataset;
      const all = (link ? byLink.get(link) : byPair.get(pair(a, b))) || [];
      element.classList.remove(...ORDER);
      if (all.length) element.classList.add(worst(all));
    }
    const up = new Map(now.links.map((one) => [one.link, one.up]));
    for (const element of elements('.link')) element.classList.toggle('down', up.get(element.dataset.link) === false);
    for (const element of elements('.box')) {
      const box = now.boxes[element.dataset.node];
      const trouble = box && box.trouble;
      element.classList.toggle('cause', Boolean(trouble));
      element.classList.toggle('selected', element.dataset.node === selected);
      element.setAttribute('aria-pressed', String(element.dataset.node === selected));
      const title = element.querySelector('title');
      if (!element.dataset.words) {
        element.dataset.words = title.textContent;
        element.dataset.label = element.getAttribute('aria-label');
      }
      const more = trouble ? ': ' + trouble : '';
      title.textContent = element.dataset.words + more;
      element.setAttribute('aria-label', element.dataset.label + more);
    }
    const ready = new Map(now.pods.map((one) => [one.pod + ' ' + one.node, one.ready]));
    for (const element of elements('.pod')) {
      const known = ready.get(element.dataset.pod + ' ' + element.dataset.node);
      element.classList.toggle('absent', known === undefined);
      element.classList.toggle('waiting', known === false);
    }
    const established = now.sessions.filter((one) => one.standing === 'established').length;
    const down = now.links.filter((one) => one.up === false).length;
    $('sum').textContent = `${established} of ${now.sessions.length} session ends established` +
      (down ? `, ${down} ${down === 1 ? 'link' : 'links'} down` : '');
  }

  // A small drawing may fill more of the page than its natural size, within reason.
  function fit() {
    const svg = picture.querySelector('svg');
    if (!svg) return;
    const factor = picture.classList.contains('natural') ? 1 : 1.45;
    svg.setAttribute('width', String(Math.round(svg.viewBox.baseVal.width * factor)));
    svg.removeAttribute('height');
  }

  function news(text) {
    const item = make('li');
    const time = make('time', new Date().toLocaleTimeString());
    item.append(time, text);
    $('news').prepend(item);
    while ($('news').children.length > 200) $('news').lastChild.remove();
  }

  // What is new since the last time, in words.
  function tell(before, after) {
    const key = (session) => session.node + ' ' + session.neighbor;
    const was = new Map(before.sessions.map((one) => [key(one), one]));
    for (const session of after.sessions) {
      const old = was.get(key(session));
      was.delete(key(session));
      const whom = session.peer ? `${session.neighbor} (${session.peer})` : session.neighbor;
      if (!old) news(`${session.node}: neighbor ${whom} is configured, ${session.state}`);
      else if (old.state !== session.state) news(`${session.node}: neighbor ${whom} is ${session.state}, was ${old.state}`);
    }
    for (const session of was.values()) {
      // Who does not answer does not say that it has no neighbors.
      const silent = after.boxes[session.node] && after.boxes[session.node].trouble;
      if (!silent) news(`${session.node}: neighbor ${session.neighbor} is not configured any more`);
    }
    const ups = new Map(before.links.map((one) => [one.link, one.up]));
    for (const { link, up } of after.links) {
      if (ups.has(link) && ups.get(link) !== up) news(`link ${link.replace('--', ' to ')} is ${up === false ? 'down' : up ? 'up' : 'not to be seen'}`);
    }
    for (const [name, box] of Object.entries(after.boxes)) {
      const old = before.boxes[name];
      if (old && old.trouble !== box.trouble) news(`${name}: ${box.trouble || 'well again'}`);
    }
    const pods = (state) => new Map(state.pods.map((one) => [one.pod, `${one.node}${one.ready ? '' : ', not ready'}`]));
    const [oldPods, newPods] = [pods(before), pods(after)];
    for (const [pod, where] of newPods) if (oldPods.get(pod) !== where) news(`pod ${pod} is on ${where}`);
    for (const pod of oldPods.keys()) if (!newPods.has(pod)) news(`pod ${pod} is gone`);
  }

  async function show() {
    if (!selected || !now) return;
    const box = now.boxes[selected];
    if (!box || (panel.node === selected && panel.version === box.version)) return;
    const wanted = selected;
    const version = box.version;
    let seen;
    try {
      const answer = await fetch('api/box?name=' + encodeURIComponent(wanted));
      if (!answer.ok) throw new Error(await answer.text());
      seen = await answer.json();
    } catch (error) {
      if (wanted === selected) $('box').replaceChildren(make('h2', wanted), make('p', String(error.message || error), 'bad'));
      return;
    }
    if (wanted !== selected) return;
    const fresh = panel.node !== wanted;
    const rows = new Set();
    const parts = [make('h2', wanted), make('p', seen.about, 'muted')];
    for (const section of seen.sections) {
      parts.push(make('h3', section.title));
      if (section.note) parts.push(make('p', section.note, 'muted'));
      if (!section.rows.length) continue;
      const table = make('table');
      const head = make('tr');
      section.columns.forEach((name) => { const cell = make('th', name); cell.scope = 'col'; head.append(cell); });
      const top = make('thead');
      top.append(head);
      const body = make('tbody');
      for (const row of section.rows) {
        const line = make('tr');
        const known = section.title + '\u0000' + row.join('\u0000');
        rows.add(known);
        if (!fresh && !panel.rows.has(known)) line.className = 'changed';
        row.forEach((text) => line.append(make('td', text)));
        body.append(line);
      }
      table.append(top, body);
      table.setAttribute('aria-label', section.title);
      const scroll = make('div', undefined, 'scroll');
      scroll.tabIndex = 0;
      scroll.setAttribute('role', 'region');
      scroll.setAttribute('aria-label', section.title);
      scroll.append(table);
      parts.push(scroll);
    }
    $('box').replaceChildren(...parts);
    panel = { node: wanted, version, rows };
    // It may have changed while it was asked for.
    if (now.boxes[selected] && now.boxes[selected].version !== version) show();
  }

  function select(name) {
    selected = name;
    try { history.replaceState(null, '', name ? '#' + encodeURIComponent(name) : ' '); } catch { /* not without an address */ }
    paint();
    show();
  }

  const boxOf = (event) => event.target.closest && event.target.closest('.box');
  picture.addEventListener('click', (event) => { const box = boxOf(event); if (box) select(box.dataset.node); });
  picture.addEventListener('keydown', (event) => {
    const box = boxOf(event);
    if (!box) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      select(box.dataset.node);
      return;
    }
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const middle = (element) => { const r = element.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; };
    const [x, y] = middle(box);
    let best = null;
    for (const other of elements('.box')) {
      const [ox, oy] = middle(other);
      const along = (ox - x) * step[0] + (oy - y) * step[1];
      const aside = Math.abs((ox - x) * step[1]) + Math.abs((oy - y) * step[0]);
      if (other !== box && along > 4 && (!best || along + 2 * aside < best[0])) best = [along + 2 * aside, other];
    }
    if (best) best[1].focus();
  });

  const themes = ['light', 'dark'];
  const dark = () => {
    const said = document.documentElement.dataset.theme;
    return said ? said === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  };
  const wear = (theme) => {
    if (themes.includes(theme)) document.documentElement.dataset.theme = theme;
    $('theme').textContent = dark() ? 'Light' : 'Dark';
  };
  wear(remembered('fabric-theme'));
  $('theme').addEventListener('click', () => { const theme = dark() ? 'light' : 'dark'; remember('fabric-theme', theme); wear(theme); });
  $('zoom').addEventListener('click', () => {
    const natural = picture.classList.toggle('natural');
    $('zoom').setAttribute('aria-pressed', String(natural));
    fit();
  });

  const standing = (name, text) => { $('link').className = 'state ' + name; $('link').textContent = text; };
  const events = new EventSource('events');
  events.addEventListener('open', () => standing('live', 'live'));
  events.addEventListener('error', () => standing('lost', 'not connected'));
  events.addEventListener('drawing', (event) => {
    const parsed = new DOMParser().parseFromString(event.data, 'image/svg+xml');
    const svg = parsed.documentElement;
    if (svg.nodeName !== 'svg') return;
    const focused = document.activeElement && document.activeElement.closest('.box');
    picture.replaceChildren(document.importNode(svg, true));
    fit();
    if (focused) {
      const again = elements('.box').find((one) => one.dataset.node === focused.dataset.node);
      if (again) again.focus();
    }
    paint();
  });
  events.addEventListener('state', (event) => {
    const before = now;
    now = JSON.parse(event.data);
    if (before) tell(before, now);
    paint();
    show();
  });
  events.addEventListener('gone', (event) => {
    events.close();
    standing('gone', 'the fabric has ended');
    news(event.data || 'the fabric has ended');
  });
  fit();
  if (location.hash.length > 1) {
    try { selected = decodeURIComponent(location.hash.slice(1)); } catch { /* not one of ours */ }
  }
})();
