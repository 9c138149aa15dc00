// node client ID REQUESTS BROKER_HOST BROKER_PORT: sends its requests one after the other; ends with 0 when each came back right.
'use strict';
const zmq = require('zeromq/v5-compat');
const tsr = require('./tsr');

const [id, requests, host, port] = tsr.args('client ID REQUESTS BROKER_HOST BROKER_PORT', 4);
const socket = zmq.socket('req');
socket.identity = tsr.identity(id, 'CLI');
const trace = tsr.tracer(socket.identity);
let n = 0;

function next() {
  n += 1;
  if (n > Number(requests)) process.exit(0);
  socket.send(`${socket.identity}-${n}`);
}

socket.on('message', (reply) => {
  trace(`got ${reply}`);
  if (!reply.toString().startsWith(`${socket.identity}-${n} `)) process.exit(1);
  next();
});
socket.connect(`tcp://${host}:${port}`);
next();
