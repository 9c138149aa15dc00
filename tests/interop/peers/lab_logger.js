// node lab_logger.js PORT FILE: a logger in the style of the lab. Each message is a line of the file.
'use strict';
const fs = require('fs');
const socket = require('zeromq/v5-compat').socket('pull');

const [port, file] = process.argv.slice(2);
socket.on('message', (record) => fs.appendFileSync(file, `${record}\n`));
socket.bindSync(`tcp://127.0.0.1:${port}`);
