// node logger.js PORT FILE append|stream
'use strict';
const fs = require('fs');
const zmq = require('zeromq/v5-compat');

const [port, file, mode] = process.argv.slice(2);
const socket = zmq.socket('pull');
if (mode === 'append') {
  socket.on('message', (line) => fs.appendFileSync(file, line + '\n'));
} else {
  const stream = fs.createWriteStream(file, { flags: 'a' });
  socket.on('message', (line) => stream.write(line + '\n'));
}
socket.bindSync(`tcp://127.0.0.1:${port}`);
