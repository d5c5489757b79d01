// Serves the built status page and documents of the status endpoint's shape, for page_test.mjs and
// screenshots.mjs. The page and its policy are what the module embeds: they are read out of the
// header that the build makes. Runs inside the test's process, on a free port of 127.0.0.1.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';

export function built(header) {
  const text = readFileSync(header, 'utf8');
  const page = [...text.matchAll(/R"bluegreen\(([\s\S]*?)\)bluegreen"/g)].map(one => one[1]).join('');
  const policy = text.match(/kStatusPagePolicy =\s*"([^"]*)"/)?.[1];
  if (!page || !policy) throw new Error(`${header}: expected a page and a policy in it`);
  return { page, policy };
}

// Answers of a color: `come(color, requests, bad)` lets some arrive, in 1 ms but for one in fifty.
const color = release => ({ release, in_flight: 0, requests: 0, waiting: 0,
  responses: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, none: 0 },
  latency: { total: { count: 0, sum_ms: 0, buckets: [[1024, 0], [65536, 0]] } },
  endpoints: [1, 2].map(i => ({ address: `172.20.0.${i}:8000`, weight: 1, health: 'healthy', since: '2026-01-02T03:00:00Z',
    last_error: '', status: 200, latency_ms: 2, checked: '2026-01-02T03:04:00Z', probes: 9, failures: 0 })) });

export const app = () => ({ active: 'blue', generation: 7, weight: 0, flags: ['fallback'], release: 'v1.2.2',
  flipped: '2026-01-02T03:00:00Z', colors: { blue: color('v1.2.2'), green: color('v1.2.3') } });

export class World {
  constructor() {
    this.now = Date.parse('2026-01-02T03:04:05.000Z');
    this.doc = { schema: 1, instance: 'a1', control: { state: 'ok', path: '/run/control' },
      telemetry: { state: 'ok', inexact: false }, workers: { live: 2, attached: 2 }, prober: { pid: 77, epoch: 1 },
      events: [], apps: { app: app() } };
    this.status = 200;
    this.silent = false;
    this.asked = [];
    this.every = () => {};
  }

  come(name, requests, bad = 0) {
    const one = this.doc.apps.app.colors[name], slow = Math.floor(requests / 50);
    one.requests += requests;
    one.responses['2xx'] += requests - bad;
    one.responses['5xx'] += bad;
    one.latency.total.buckets[0][1] += requests - slow;
    one.latency.total.buckets[1][1] += slow;
  }

  event(kind, more) {
    const number = this.doc.events.length + 1;
    this.doc.events.unshift({ number, time: new Date(this.now).toISOString(), kind, app: 'app', color: '', endpoint: '',
      before: '', after: '', weight: 0, generation: 7, text: '', ...more });
  }

  flip() {
    const one = this.doc.apps.app;
    [one.active, one.release, one.generation] = ['green', 'v1.2.3', 8];
    one.flipped = new Date(this.now).toISOString();
    this.event('flip', { color: 'green', before: 'blue', after: 'green', generation: 8 });
  }

  die(name, index) {
    const one = this.doc.apps.app.colors[name].endpoints[index];
    Object.assign(one, { health: 'unhealthy', last_error: 'connection refused', failures: 3 });
    this.event('health', { color: name, endpoint: one.address, before: 'healthy', after: 'unhealthy' });
  }

  async serve({ page, policy }) {
    this.server = createServer((request, response) => {
      this.asked.push(request.url);
      const query = new URL(request.url, 'http://x').searchParams;
      if (query.get('format') !== 'json') {
        response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy });
        return void response.end(page);
      }
      if (this.silent) return void request.socket.destroy();
      const name = query.get('app');
      if (name !== null) {
        this.now += 1000;
        this.every();
      }
      const apps = name === null ? this.doc.apps : { [name]: this.doc.apps[name] };
      response.writeHead(this.status, { 'Content-Type': 'application/json' });
      response.end(this.status === 500 ? 'no document' : JSON.stringify({ ...this.doc, now: new Date(this.now).toISOString(), apps }));
    });
    await new Promise(done => this.server.listen(0, '127.0.0.1', done));
    this.address = `http://127.0.0.1:${this.server.address().port}/status`;
  }

  end() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
