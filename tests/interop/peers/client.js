// node client.js KIND ID FRONTEND_PORT REQUESTS: a client on zeromq.js.
//
// KIND is v5 or v6 (REQ, one request at a time), or dealer (v6, all requests open at once). Request n is `ID-n`; each reply has to
// be that and a worker's name. Exits with 0 when all came back right.
'use strict';

const [kind, id, port, requests] = process.argv.slice(2);
const address = `tcp://127.0.0.1:${port}`;
const bodies = Array.from({ length: Number(requests) }, (_, n) => `${id}-${n + 1}`);

function check(asked, reply) {
  if (String(reply).startsWith(`${asked} `)) return;
  console.error(`asked ${asked}, got ${reply}`);
  process.exit(1);
}

function askV5() {
  const socket = require('zeromq/v5-compat').socket('req');
  socket.identity = id;
  socket.connect(address);
  let n = 0;
  socket.on('message', (reply) => {
    check(bodies[n], reply);
    n += 1;
    if (n < bodies.length) socket.send(bodies[n]);
    else process.exit(0);
  });
  socket.send(bodies[0]);
}

async function askV6() {
  const socket = new (require('zeromq').Request)({ routingId: id });
  socket.connect(address);
  for (const body of bodies) {
    await socket.send(body);
    const [reply] = await socket.receive();
    check(body, reply);
  }
  process.exit(0);
}

async function askDealer() {
  const socket = new (require('zeromq').Dealer)({ routingId: id });
  socket.connect(address);
  for (const body of bodies) await socket.send(['', body]);
  const open = new Set(bodies);
  while (open.size > 0) {
    const [, reply] = await socket.receive();
    const asked = String(reply).split(' ')[0];
    if (!open.delete(asked)) check('one of the open requests', reply);
  }
  process.exit(0);
}

({ v5: askV5, v6: askV6, dealer: askDealer })[kind]();
