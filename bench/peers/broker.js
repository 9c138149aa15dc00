// node broker.js FRONTEND BACKEND [trace]
//
// A load-balancing broker in the style of the lab: event handlers on two ROUTER sockets, workers keyed by name, a deadline
// of two seconds a request by setTimeout. With `trace` it prints each message, as the lab's does.
'use strict';
const zmq = require('zeromq/v5-compat');

const [frontendPort, backendPort, trace] = process.argv.slice(2);
const DEADLINE = 2000;
const frontend = zmq.socket('router');
const backend = zmq.socket('router');
const waiting = [];
const ready = [];
const working = new Map();

const show = trace
  ? (where, frames) => console.log(where, frames.map((frame) => frame.toString()).join('|'))
  : () => {};

function dispatch(worker, client, body) {
  const timer = setTimeout(() => {
    working.delete(worker);
    accept(client, body);
  }, DEADLINE);
  working.set(worker, timer);
  const frames = [Buffer.from(worker, 'latin1'), '', client, '', ...body];
  show('to worker', frames);
  backend.send(frames);
}

function accept(client, body) {
  if (ready.length > 0) dispatch(ready.shift(), client, body);
  else waiting.push([client, body]);
}

frontend.on('message', (...frames) => {
  show('from client', frames);
  const [client, , ...body] = frames;
  accept(client, body);
});

backend.on('message', (...frames) => {
  show('from worker', frames);
  const [identity, , client, , ...body] = frames;
  const worker = identity.toString('latin1');
  clearTimeout(working.get(worker));
  working.delete(worker);
  if (frames.length > 3) frontend.send([client, '', ...body]);
  if (waiting.length > 0) dispatch(worker, ...waiting.shift());
  else ready.push(worker);
});

frontend.bindSync(`tcp://127.0.0.1:${frontendPort}`);
backend.bindSync(`tcp://127.0.0.1:${backendPort}`);
