// node worker ID BROKER_HOST BROKER_PORT: answers each request with its body and the worker's identity.
'use strict';
const zmq = require('zeromq/v5-compat');
const tsr = require('./tsr');

const [id, host, port] = tsr.args('worker ID BROKER_HOST BROKER_PORT', 3);
const socket = zmq.socket('req');
socket.identity = tsr.identity(id, 'WOR');
const trace = tsr.tracer(socket.identity);

socket.on('message', (client, ...body) => {
  trace(`works for ${client}`);
  socket.send([client, `${body.join('')} ${socket.identity}`]);
});
socket.connect(`tcp://${host}:${port}`);
socket.send(['', '']); // ready
