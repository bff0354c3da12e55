// Every page, in every look: axe finds nothing, and 320 px need no sideways scrolling.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { LOOKS, Project, expectAccessible, expectError, visit } from "./support.mjs";

/** Names that a stranger may give to an image. */
const HOSTILE = ['<script>alert("1")</script>', "\u202egnp.exe", "🐙".repeat(255), "javascript:alert(1)", "x".repeat(255)];

const FULL_ECS = { __whole_image: "true", __backup_id: "b", __system_disk_backup_gib: "40" };

const world = {};

before(async () => {
  const [owner, recipient, other] = [
    await Project.create("own"), await Project.create("mem"), await Project.create("mem"),
  ];
  await owner.enter(`Acme ${owner.id}`, "images");
  const images = [];
  for (const name of ["golden", ...HOSTILE, "silver"]) images.push(await owner.image(name));
  images.push(await owner.image("whole", FULL_ECS));
  const closed = await owner.image("closed", { visibility: "private" });
  const sealed = await owner.image("sealed", { __system__encrypted: "1", __system__cmkid: "key-1" });
  await owner.call("PUT", `/v1/keys/key-1/grants/${recipient.id}`);
  const job = await owner.share([...images, sealed], [recipient, other]);
  await recipient.call("PUT", "/v1/cloudimages/members", {
    images: images.slice(0, 2), project_id: recipient.id, status: "accepted",
  });
  await recipient.call("PUT", "/v1/cloudimages/members", {
    images: images.slice(2, 4), project_id: recipient.id, status: "rejected",
  });
  await recipient.call("PUT", "/v1/vaults/large", { protection_type: "backup", capacity_gib: 500 });
  await recipient.call("PUT", "/v1/vaults/other", { protection_type: "replication", capacity_gib: 500 });
  await recipient.call("PUT", "/v1/owners/own-trusted", { policy: "trusted" });
  await owner.call("PUT", "/v1/share-rules/nightly", {
    pattern: { name: [{ prefix: "golden" }] }, recipients: { projects: [other.id] },
  });
  const key = await owner.call("POST", "/v1/access-keys", { name: HOSTILE[0] });
  const admin = await new Project("ops").as("admin");
  const reader = await owner.as("reader");
  const ids = { owner: owner.id, recipient: recipient.id, job, key: key.id, image: images[0], private: closed, sealed };
  Object.assign(world, { owner, recipient, admin, reader, ids });
});

/** The pages: who opens which. */
const PAGES = {
  nobody: ["sign-in", "sign-in/token"],
  owner: [
    "images", "images?job={job}", "images?name=nothing", "new-image", "images/{image}", "images/{image}/edit", "images/{image}/delete",
    "images/{image}/unshare?tenant={recipient}", "share-images?image={image}&image={private}&image={sealed}",
    "key-grants", "key-grants?key=key-1", "key-grants/withdraw?key=key-1&tenant={recipient}",
    "share-rules", "share-rules/new", "share-rule/nightly", "share-rule/nightly/edit", "share-rule/nightly/dry-run",
    "share-rule/nightly/delete",
    "jobs", "jobs?kind=respond", "jobs/{job}", "jobs/{job}?show=failed",
    "access-keys", "new-access-key", "access-keys/{key}", "access-keys/{key}/disable",
    "messages", "messages?unread=1",
  ],
  reader: ["images", "images/{image}", "jobs/{job}", "access-keys"],
  recipient: [
    "images", "images/{image}", "shared", "shared/accept?all=1", "shared/reject?image={image}", "shared/rejected",
    "vaults", "vaults/new", "vaults/edit?vault=large", "vaults/delete?vault=large",
    "owners", "owners/new", "owners/edit?owner=own-trusted", "messages",
  ],
  admin: ["directory", "directory?account=nobody", "directory/{owner}", "directory/{owner}/delete", "new-project", "shared", "messages", "vaults", "owners", "share-rules", "jobs"],
};

/** Pages that refuse: who opens which, and the status. */
const REFUSALS = {
  nobody: [],
  owner: [["nothing", 404], ["jobs/unknown", 404], ["images/unknown", 404]],
  reader: [["new-access-key", 403], ["directory", 403]],
  recipient: [],
  admin: [],
};

const fill = (path) => path.replace(/\{(\w+)\}/g, (_, name) => world.ids[name]);

/** Asserts that a page of an error says under which id its request is found, and leads back. */
async function expectErrorPage(page, where) {
  await page.getByRole("heading", { level: 1, name: "This did not work" }).waitFor();
  await page.getByText(/^Request ID: [0-9a-f-]{36}$/).waitFor();
  await page.getByRole("link", { name: "Back" }).waitFor();
  await expectAccessible(page, where);
}

// Two at a time: a page is rendered by a process of its own.
describe("axe finds nothing", { concurrency: 2 }, () => {
  for (const [look, options] of Object.entries(LOOKS)) {
    for (const [who, paths] of Object.entries(PAGES)) {
      test(`on the pages of ${who}: ${look}`, async (context) => {
        await visit(world[who] ?? null, options, async (page, problems) => {
          for (const path of paths) {
            await context.test(path, async () => {
              const response = await page.goto(`/console/${fill(path)}`);
              assert.equal(response.status(), 200, path);
              await expectAccessible(page, `${path}, ${look}`);
            });
          }
          for (const [path, status] of REFUSALS[who]) {
            await context.test(`${path} is refused`, async () => {
              await page.goto(`/console/${fill(path)}`);
              await page.getByRole("alert").waitFor();
              expectError(problems, status);
              await expectAccessible(page, `${path}, ${look}`);
            });
          }
        });
      });
    }

    test(`on the pages of errors: ${look}`, async () => {
      await visit(world.recipient, options, async (page, problems) => {
        await page.goto("/console/shared/rejected");
        // More than a form may have, from the page itself.
        await page.evaluate(() => {
          const form = document.createElement("form");
          Object.assign(form, { method: "post", action: "/console/shared" });
          const field = Object.assign(document.createElement("textarea"), { name: "image", value: "x".repeat(70_000) });
          document.body.append(form);
          form.append(field);
          form.submit();
        });
        await page.getByText("The form is too large").waitFor();
        expectError(problems, 413);
        await expectErrorPage(page, `413, ${look}`);
      });
      const failing = { ...options, baseURL: process.env.CONSOLE_FAILING_URL };
      await visit(world.recipient, failing, async (page, problems) => {
        await page.goto("/console/shared");
        await page.getByText("The service cannot answer now").waitFor();
        expectError(problems, 503);
        await expectErrorPage(page, `503, ${look}`);
      });
    });

    test(`in what a form answers: ${look}`, async () => {
      await visit(world.owner, options, async (page, problems) => {
        await page.goto("/console/new-access-key");
        await page.getByLabel("Name").fill("ci");
        await page.getByLabel("Ends after days").fill("soon");
        await page.getByRole("button", { name: "Create access key" }).click();
        await page.getByRole("alert").getByRole("link", { name: /number of days/ }).click();
        expectError(problems, 400);
        await expectAccessible(page, `a wrong field, ${look}`);
        await page.keyboard.press("Control+A");
        await page.keyboard.type("30");
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { level: 1, name: "Access key created" }).waitFor();
        await expectAccessible(page, `a secret, ${look}`);
      });
    });
  }
});
