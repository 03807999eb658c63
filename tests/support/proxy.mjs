// A TCP proxy that stands for a bad network: it refuses, cuts, and can hold an answer back.
//
//   client --bytes--> proxy --bytes--> target      always passed on
//   client <--------- proxy <--bytes-- target      held back where `hold` matched, lost at a cut
import net from 'node:net';

export async function startProxy(targetPort, targetHost = '127.0.0.1') {
  const links = new Set();
  const counts = { accepted: 0, refused: 0, held: 0 };  // connections, connections, bytes
  let open = true;
  let hold = null;  // what a client's bytes must contain

  const server = net.createServer((client) => {
    if (!open) {
      counts.refused += 1;
      return client.destroy();
    }
    counts.accepted += 1;
    const upstream = net.connect(targetPort, targetHost);
    const link = { held: null, cut: () => { client.destroy(); upstream.destroy(); } };
    links.add(link);
    let tail = Buffer.alloc(0);  // a text may be cut in two by the network
    client.on('data', (data) => {
      if (hold) {
        const seen = Buffer.concat([tail, data]);
        if (seen.includes(hold)) {
          link.held = [];
          hold = null;
        }
        tail = seen.subarray(-256);
      }
      if (!upstream.write(data)) client.pause();
    });
    upstream.on('drain', () => client.resume());
    upstream.on('data', (data) => {
      if (link.held) {
        link.held.push(data);
        counts.held += data.length;
      } else if (!client.write(data)) {
        upstream.pause();
      }
    });
    client.on('drain', () => upstream.resume());
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', link.cut);
      socket.on('close', () => { links.delete(link); link.cut(); });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

  const proxy = {
    port: server.address().port,
    counts,
    // The connection that next carries `text` towards the target gets no byte back from then on.
    holdAnswerTo(text) { hold = Buffer.from(text); },
    // True once that connection is there.
    holding: () => [...links].some((link) => link.held),
    // Every connection ends now; what was held is lost.
    cut() {
      hold = null;
      for (const link of links) link.cut();
    },
    refuse() {
      open = false;
      proxy.cut();
    },
    accept() { open = true; },
    close() {
      proxy.refuse();
      return new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
