// node worker.js API DIALECT ID BACKEND_PORT [DELAY_MS]: a worker on zeromq.js.
//
// API is v5 (`zeromq/v5-compat`, event handlers) or v6 (async sockets). DIALECT is short, long, guide or ppp. The reply is the
// request with " ID" after its last frame.
'use strict';

const [api, dialect, id, port, delay = '0'] = process.argv.slice(2);
const address = `tcp://127.0.0.1:${port}`;
const registration = { short: ['', ''], long: ['', '', ''], guide: ['READY'], ppp: [Buffer.from([1])] }[dialect];
const heartbeat = Buffer.from([2]);
const envelope = dialect === 'short' ? 1 : 2;

const pause = () => new Promise((done) => setTimeout(done, Number(delay)));

async function answer(frames) {
  await pause();
  const last = frames.pop();
  return [...frames, Buffer.concat([last, Buffer.from(` ${id}`)])];
}

function serveV5() {
  const socket = require('zeromq/v5-compat').socket(dialect === 'ppp' ? 'dealer' : 'req');
  socket.identity = id;
  socket.connect(address);
  socket.on('message', async (...frames) => {
    if (frames.length > envelope) socket.send(await answer(frames));
  });
  socket.send(registration);
  if (dialect === 'ppp') setInterval(() => socket.send(heartbeat), 1000);
}

async function serveV6() {
  const zmq = require('zeromq');
  const socket = dialect === 'ppp' ? new zmq.Dealer({ routingId: id }) : new zmq.Request({ routingId: id });
  socket.connect(address);
  // An async socket takes one send at a time.
  let sent = socket.send(registration);
  const send = (frames) => (sent = sent.then(() => socket.send(frames)));
  if (dialect === 'ppp') setInterval(() => send(heartbeat), 1000);
  for (;;) {
    await sent;
    const frames = await socket.receive();
    if (frames.length > envelope) send(await answer(frames));
  }
}

if (api === 'v5') serveV5();
else serveV6();
