// node broker FRONTEND_PORT BACKEND_PORT [LOGGER_HOST LOGGER_PORT]
//
// Gives each request to the worker that has been ready longest. A worker that does not answer within two seconds loses its request
// to another one; when it answers after all, it is ready again.
'use strict';
const zmq = require('zeromq/v5-compat');
const tsr = require('./tsr');

const DEADLINE_MS = 2000;
const [frontendPort, backendPort, loggerHost, loggerPort] = tsr.args('broker FRONTEND BACKEND [LOGGER_HOST LOGGER_PORT]', 2);
const trace = tsr.tracer('broker', loggerHost, loggerPort);

const frontend = zmq.socket('router');
const backend = zmq.socket('router');
const ready = []; // identities of workers, longest ready first
const waiting = []; // requests: { client, body }
const working = new Map(); // worker → { request, timer }

function give(worker, request) {
  const timer = setTimeout(() => {
    working.delete(worker);
    trace(`${worker} did not answer, ${request.client} waits again`);
    take(request, true);
  }, DEADLINE_MS);
  working.set(worker, { request, timer });
  trace(`${request.client} to ${worker}`);
  backend.send([worker, '', request.client, ...request.body]);
}

function take(request, first = false) {
  if (ready.length > 0) give(ready.shift(), request);
  else if (first) waiting.unshift(request);
  else waiting.push(request);
}

frontend.on('message', (client, _, ...body) => take({ client: client.toString(), body }));

backend.on('message', (identity, _, client, ...body) => {
  const worker = identity.toString();
  const task = working.get(worker);
  if (task && task.request.client === client.toString()) {
    clearTimeout(task.timer);
    working.delete(worker);
    trace(`${worker} answers ${client}`);
    frontend.send([client, '', ...body]);
  }
  // Whatever a REQ socket says, it waits for work now.
  if (waiting.length > 0) give(worker, waiting.shift());
  else if (!ready.includes(worker)) ready.push(worker);
});

tsr.bind(frontend, frontendPort);
tsr.bind(backend, backendPort);
