// node lab_broker.js FRONTEND_PORT BACKEND_PORT LAYOUT [LOGGER_HOST LOGGER_PORT]: a broker in the style of the lab.
//
// Workers are REQ sockets; LAYOUT is short ([w, '', client, body…]) or long ([w, '', client, '', body…]). A worker that does not
// answer within two seconds is failed for good and its request goes to another. Each step is traced to the logger.
'use strict';
const zmq = require('zeromq/v5-compat');

const [frontendPort, backendPort, layout, loggerHost, loggerPort] = process.argv.slice(2);
const DEADLINE = 2000;
const gap = layout === 'long' ? [''] : [];
const frontend = zmq.socket('router');
const backend = zmq.socket('router');
const logger = loggerHost ? zmq.socket('push') : null;
if (logger) logger.connect(`tcp://${loggerHost}:${loggerPort}`);
const trace = (text) => logger && logger.send(`broker ${text}`);

const ready = [];
const waiting = [];
const deadlines = new Map();
const failed = new Set();

function give(worker, client, body) {
  trace(`${client} to ${worker}`);
  deadlines.set(worker, setTimeout(() => {
    failed.add(worker);
    deadlines.delete(worker);
    trace(`${worker} failed`);
    take(client, body);
  }, DEADLINE));
  backend.send([worker, '', client, ...gap, ...body]);
}

function take(client, body) {
  if (ready.length > 0) give(ready.shift(), client, body);
  else waiting.push([client, body]);
}

frontend.on('message', (client, _, ...body) => take(String(client), body));

backend.on('message', (identity, _, client, ...rest) => {
  const worker = String(identity);
  if (failed.has(worker)) return;
  clearTimeout(deadlines.get(worker));
  deadlines.delete(worker);
  if (String(client) !== '') {
    trace(`${worker} answers ${client}`);
    frontend.send([client, '', ...rest.slice(gap.length)]);
  }
  if (waiting.length > 0) give(worker, ...waiting.shift());
  else ready.push(worker);
});

frontend.bindSync(`tcp://127.0.0.1:${frontendPort}`);
backend.bindSync(`tcp://127.0.0.1:${backendPort}`);
