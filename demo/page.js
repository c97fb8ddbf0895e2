// The page: one terminal, its state, and a button for a new shell.

import { openTerminal } from './terminal.js';

const state = document.getElementById('state');
const button = document.getElementById('reconnect');

// The page lies under the secret path, and the server beside it.
const url = new URL('shell?tty=true&command=sh', location.href);
url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';

const { connect } = openTerminal(document.getElementById('terminal'), (name, text) => {
  state.dataset.state = name;
  state.textContent = text;
  button.hidden = name === 'connecting' || name === 'running';
  if (!button.hidden) button.focus();
});

button.addEventListener('click', () => connect(url));
connect(url);

const about = await fetch('about.json');
if (about.ok) {
  const { container, engine } = await about.json();
  document.getElementById('place').textContent = `shell in ${container} (${engine})`;
}
