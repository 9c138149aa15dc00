// What the four programs share: arguments, identities, traces. Run by itself it is a health check:
//   node tsr probe PORT…     ends with 0 when something listens on every port
'use strict';
const net = require('net');
const os = require('os');

/** The program's arguments, or its usage and an end. */
function args(usage, least) {
  const given = process.argv.slice(2);
  if (given.length >= least) return given;
  console.error(`usage: node ${usage}`);
  return process.exit(2);
}

/** HN stands for an identity made of the host's name, which every container has for itself. */
const identity = (id, prefix) => (id === 'HN' ? `${prefix}_${os.hostname()}` : id);

/** Prints what happens, and sends it to a logger where there is one. */
function tracer(name, host, port) {
  const socket = host ? require('zeromq/v5-compat').socket('push') : null;
  if (socket) socket.connect(`tcp://${host}:${port}`);
  return (text) => {
    console.log(`${name} ${text}`);
    if (socket) socket.send(`${name} ${text}`);
  };
}

/** Binds or ends: a port that is taken is not a reason to run on. */
function bind(socket, port) {
  socket.bind(`tcp://*:${port}`, (error) => {
    if (!error) return;
    console.error(`cannot listen on port ${port}: ${error.message}`);
    process.exit(1);
  });
}

function probe(ports) {
  for (const port of ports) {
    net.connect(Number(port), '127.0.0.1').on('error', () => process.exit(1)).on('connect', function end() { this.end(); });
  }
}

if (require.main === module && process.argv[2] === 'probe') probe(process.argv.slice(3));
module.exports = { args, identity, tracer, bind };
