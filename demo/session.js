// One session of protocol v1 over a WebSocket. Knows nothing of pages or terminals; terminal.js
// joins it to one. docs/protocol.md is the reference for the codes.

const STDIN = 0, STDOUT = 1, STDERR = 2, RESIZE = 50, RESUME = 100, PAUSE = 101, STOPPED = 200, SHUTDOWN = 201, ERROR = 202;

/** Input leaves in messages of at most this many bytes, so that a large paste offends no limit. */
const INPUT_CHUNK = 16 * 1024;

/**
 * Events: `running`; `output` (`detail`: Uint8Array); `error` (`detail`: the server's text); and once, at the
 * end, `end`, whose `detail` is `{ code }` with the command's exit code or `{ lost }` with a reason.
 */
export class Session extends EventTarget {
  #socket;
  #waiting = []; // input that the server does not want yet
  #mayWrite = false;
  #running = false;
  #lastWord = null;

  /** @param {URL} url the server's, with `tty` and `command` in its query */
  constructor(url) {
    super();
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('message', ({ data }) => this.#receive(new Uint8Array(data)));
    this.#socket.addEventListener('close', ({ code, reason }) => this.#closed(code, reason));
  }

  /** Sends input to the command, or keeps it while the server asks to wait. */
  write(bytes) {
    for (let at = 0; at < bytes.length; at += INPUT_CHUNK) this.#waiting.push(bytes.subarray(at, at + INPUT_CHUNK));
    this.#flush();
  }

  /** Tells the terminal's size, in cells. */
  resize(rows, cols) {
    const size = new DataView(new ArrayBuffer(4));
    size.setUint16(0, rows, true);
    size.setUint16(2, cols, true);
    this.#send(RESIZE, new Uint8Array(size.buffer));
  }

  /** Asks the server to send no more output for now. */
  pause() {
    this.#send(PAUSE);
  }

  /** Asks for output again after `pause`. */
  resume() {
    this.#send(RESUME);
  }

  /** Leaves; the server ends the command. */
  close() {
    this.#socket.close(1000);
  }

  #send(kind, payload = new Uint8Array(0)) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(1 + payload.length);
    message[0] = kind;
    message.set(payload, 1);
    this.#socket.send(message);
  }

  #flush() {
    while (this.#mayWrite && this.#waiting.length > 0) this.#send(STDIN, this.#waiting.shift());
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #receive(message) {
    if (message.length === 0) return;
    const payload = message.subarray(1);
    switch (message[0]) {
      case STDOUT:
      case STDERR:
        this.#tell('output', payload);
        break;
      case RESUME:
        this.#mayWrite = true;
        if (!this.#running) {
          this.#running = true;
          this.#tell('running');
        }
        this.#flush();
        break;
      case PAUSE:
        this.#mayWrite = false;
        break;
      case STOPPED:
        this.#lastWord = { code: payload[0] };
        break;
      case SHUTDOWN:
        this.#lastWord = { lost: 'the server has shut down' };
        break;
      case ERROR:
        this.#tell('error', new TextDecoder().decode(payload));
        break;
      default: // a later version's; ours to ignore
    }
  }

  #closed(code, reason) {
    this.#tell('end', this.#lastWord || { lost: `the connection was lost (${reason || `close code ${code}`})` });
  }
}
