// The story of an agent, told by the TypeScript clients: `client` in both eras, and `sdk`.
//   node story.mjs PYRO        (where node_modules has them)
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyro] = process.argv.slice(2);
const environment = "debian:12";

// The packages are installed where this is run, not where this file is.
const require = createRequire(path.join(process.cwd(), "index.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));

async function tell(who, client, transport, callTool) {
  await client.connect(transport);
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  assert.equal(names[0], "vm_run");

  const news = [];
  const options = { onprogress: (progress) => news.push(progress.progress) };
  const run = (command, options) =>
    callTool(client, { name: "vm_run", arguments: { environment, command } }, options);
  let result = await run("uname -s; exit 3", options);
  assert.equal(result.structuredContent.exit_code, 3);
  assert.equal(result.structuredContent.stdout, "Linux\n");
  assert.ok(news.length > 0);
  assert.ok(news.every((value, index) => index === 0 || value > news[index - 1]), String(news));

  const wrong = { name: "vm_run", arguments: { environment: "no:1", command: "true" } };
  result = await callTool(client, wrong);
  assert.equal(result.isError, true);
  assert.match(result.content[0].text, /no:1/);
  assert.equal(result._meta["pyro/error"].retry_safe, true);

  const { prompts } = await client.listPrompts();
  assert.deepEqual(prompts.map((prompt) => prompt.name), ["workspace"]);
  const asked = await client.getPrompt({ name: "workspace", arguments: { directory: "/src" } });
  assert.match(asked.messages[0].content.text, /workspace_exec.*"\/src"/);
  const { completion } = await client.complete({
    ref: { type: "ref/prompt", name: "workspace" },
    argument: { name: "environment", value: environment },
  });
  assert.ok(completion.values.includes(environment), String(completion.values));

  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5000);
  await assert.rejects(run("sleep 1000", { signal: controller.signal }));

  if (names.includes("workspace_exec")) {
    await tellOfWorkspace((name, args) => callTool(client, { name, arguments: args }));
  }
  await client.close();
  console.log(`${who}: ${names.length} tools, ${news.length} pieces of news: ok`);
}

async function tellOfWorkspace(call) {
  const created = await call("workspace_create", { environment });
  const { workspace_id } = created.structuredContent;
  for (const [command, expected] of [["echo kept > note", ""], ["cat note", "kept\n"]]) {
    const result = await call("workspace_exec", { workspace_id, command });
    assert.equal(result.structuredContent.stdout, expected);
  }
  const logs = await call("workspace_logs", { workspace_id });
  assert.match(logs.content[0].text, /cat note/);
  const deleted = await call("workspace_delete", { workspace_id });
  assert.ok(!deleted.isError, deleted.content[0].text);
}

const server = { command: pyro, args: ["mcp", "serve"], env: process.env };
const self = { name: "story", version: "1" };

const { Client } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");
const modern = { versionNegotiation: { mode: "auto" } };
for (const [era, options] of [["modern", modern], ["legacy", {}]]) {
  const client = new Client(self, options);
  await tell(`typescript client (${era})`, client, new StdioClientTransport(server), (client, params, options) =>
    client.callTool(params, options),
  );
}

const sdk = await load("@modelcontextprotocol/sdk/client/index.js");
const stdio = await load("@modelcontextprotocol/sdk/client/stdio.js");
await tell("typescript sdk", new sdk.Client(self), new stdio.StdioClientTransport(server), (client, params, options) =>
  client.callTool(params, undefined, options),
);
