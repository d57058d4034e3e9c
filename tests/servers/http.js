// A small HTTP server for node: http.js PORT. GET / answers with JSON, GET /hash with what the pool of threads computes; POST gives the body back in capitals.
const http = require('http');
const crypto = require('crypto');

const server = http.createServer((request, response) => {
	if (request.method === 'POST') {
		const parts = [];
		request.on('data', (part) => parts.push(part));
		request.on('end', () => response.end(Buffer.concat(parts).toString().toUpperCase()));
	} else if (request.url === '/hash') {
		crypto.pbkdf2('coppice', 'salt', 100, 32, 'sha256', (error, key) => response.end(key.toString('hex') + '\n'));
	} else {
		response.setHeader('Content-Type', 'application/json');
		response.end(JSON.stringify({ url: request.url, method: request.method }) + '\n');
	}
});
server.listen(Number(process.argv[2]), '0.0.0.0', () => console.log('ready'));
process.on('SIGTERM', () => {
	server.closeAllConnections();
	server.close(() => console.log('closed'));
});
