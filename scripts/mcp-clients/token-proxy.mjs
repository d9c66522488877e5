// Passes requests on as they are, with the bearer token that the conformance suite cannot send.
//   node token-proxy.mjs LISTEN_PORT SERVER_PORT TOKEN
import http from "node:http";

const [listen, server, token] = process.argv.slice(2);

http
  .createServer((request, response) => {
    const upstream = http.request(
      {
        port: server,
        host: "127.0.0.1",
        method: request.method,
        path: request.url,
        headers: { ...request.headers, authorization: `Bearer ${token}` },
        setHost: false,
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        response.flushHeaders();
        answer.pipe(response);
      },
    );
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  })
  .listen(Number(listen), "127.0.0.1");
