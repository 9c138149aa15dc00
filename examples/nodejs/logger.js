// node logger PORT FILE: appends each message to the file, as one line with the time.
'use strict';
const fs = require('fs');
const zmq = require('zeromq/v5-compat');
const tsr = require('./tsr');

const [port, file] = tsr.args('logger PORT FILE', 2);
const socket = zmq.socket('pull');
socket.on('message', (record) => fs.appendFileSync(file, `${new Date().toISOString()} ${record}\n`));
tsr.bind(socket, port);
