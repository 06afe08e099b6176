// What a customer's program does with a client of openapi-typescript and openapi-fetch, end to end. Compiled strictly,
// so that the document's types are checked as well. Prints what it saw as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string> };
const { BASE, CLIENT_ID, CLIENT_SECRET } = process.env;

function must<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

const open = createClient<paths>({ baseUrl: BASE });
const granted = must(
  await open.POST("/api/v1/auth/token", {
    body: { grant_type: "client_credentials", client_id: CLIENT_ID, client_secret: CLIENT_SECRET },
    bodySerializer: (body) => new URLSearchParams(body as Record<string, string>),
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  }),
);
const client = createClient<paths>({ baseUrl: BASE, headers: { Authorization: `Bearer ${granted.access_token}` } });

const items = Array.from({ length: 4 }, (_, n) => ({ item_id: `clip-${n}`, title: `Clip ${n}`, attributes: { price: 9.5 } }));
const batches = {
  items: must(await client.POST("/api/v1/items/batch", { body: { items } })),
  users: must(await client.POST("/api/v1/users/batch", { body: { users: [{ user_id: "77", segments: ["vip"] }] } })),
  events: must(
    await client.POST("/api/v1/events/batch", {
      body: { events: [{ user_id: "77", item_id: "clip-0", type: "view", occurred_at: new Date().toISOString() }] },
    }),
  ),
};
const rows: components["schemas"]["RowResult"][] = batches.items.results ?? [];

let job = must(
  await client.POST("/api/v1/imports", {
    params: { query: { kind: "items", format: "csv" } },
    body: "item_id,title\nreel-1,From a file\n",
    bodySerializer: (body) => body,
    headers: { "Content-Type": "application/octet-stream" },
  }),
);
for (let tries = 0; tries < 300 && (job.status === "waiting" || job.status === "running"); tries++) {
  await new Promise((done) => setTimeout(done, 200));
  job = must(await client.GET("/api/v1/imports/{import_id}", { params: { path: { import_id: job.import_id } } }));
}

const walked: string[] = [];
for (let cursor: string | null | undefined, page = 0; page < 50 && cursor !== null; page++) {
  const told = must(await client.GET("/api/v1/items", { params: { query: { limit: 2, ...(cursor ? { cursor } : {}) } } }));
  walked.push(...told.data.map((item) => item.item_id));
  cursor = told.next;
}

const path = { user_id: "77" };
const list = await client.GET("/api/v1/users/{user_id}/recommendations", { params: { path, query: { include: "item" } } });
const shown = must(list);
const again = await client.GET("/api/v1/users/{user_id}/recommendations", {
  params: { path, query: { include: "item" }, header: { "If-None-Match": list.response.headers.get("ETag")! } },
});
const missing = await client.GET("/api/v1/items/{item_id}", { params: { path: { item_id: "no-such-item" } } });

console.log(
  JSON.stringify({
    created: [batches.items.summary.created, batches.users.summary.created, batches.events.summary.created],
    statuses: rows.map((row) => row.status),
    import: [job.status, job.format, job.rows.created],
    walked,
    list: [shown.user_id, shown.source, shown.items[0]?.item?.title],
    unchanged: again.response.status,
    problem: [missing.error?.code, missing.error?.status],
  }),
);
