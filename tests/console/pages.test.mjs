// Every page, in every look: axe finds nothing, and 320 px need no sideways scrolling.

import { before, test } from "node:test";

import { LOOKS, Project, expectAccessible, expectError, visit } from "./support.mjs";

/** Names that a stranger may give to an image. */
const HOSTILE = ['<script>alert("1")</script>', "\u202egnp.exe", "🐙".repeat(255), "javascript:alert(1)", "x".repeat(255)];

const world = {};

before(async () => {
  const [owner, recipient, other] = [
    await Project.create("own"), await Project.create("mem"), await Project.create("mem"),
  ];
  await owner.enter(`Acme ${owner.id}`, "images");
  const images = [];
  for (const name of ["golden", ...HOSTILE]) images.push(await owner.image(name));
  const sealed = await owner.image("sealed", { __system__encrypted: "1", __system__cmkid: "key-1" });
  await owner.call("PUT", `/v1/keys/key-1/grants/${recipient.id}`);
  const job = await owner.share([...images, sealed], [recipient, other]);
  await recipient.call("PUT", "/v1/cloudimages/members", {
    images: images.slice(0, 2), project_id: recipient.id, status: "accepted",
  });
  const key = await owner.call("POST", "/v1/access-keys", { name: HOSTILE[0] });
  const admin = await new Project("ops").as("admin");
  const reader = await owner.as("reader");
  Object.assign(world, { owner, recipient, admin, reader, job, key, image: images[0] });
});

/** The pages: who opens which. */
const PAGES = [
  [null, "sign-in"],
  ["owner", "images"],
  ["owner", "images?job={job}"],
  ["reader", "images"],
  ["owner", "jobs/{job}"],
  ["owner", "jobs/{job}?show=failed"],
  ["owner", "access-keys"],
  ["owner", "access-keys/new"],
  ["owner", "access-keys/{key}"],
  ["owner", "access-keys/{key}/disable"],
  ["recipient", "images"],
  ["recipient", "shared"],
  ["admin", "directory"],
  ["admin", "directory/{owner}"],
  ["admin", "new-project"],
];

/** Pages that refuse: who opens which, and the status. */
const REFUSALS = [
  ["owner", "nothing", 404],
  ["owner", "jobs/unknown", 404],
  ["reader", "access-keys/new", 403],
  ["reader", "directory", 403],
];

const fill = (path) =>
  path.replace("{job}", world.job).replace("{key}", world.key.id).replace("{image}", world.image)
    .replace("{owner}", world.owner.id);

for (const [look, options] of Object.entries(LOOKS)) {
  test(`axe finds nothing: ${look}`, async (context) => {
    for (const who of [null, "owner", "reader", "recipient", "admin"]) {
      await visit(who && world[who], options, async (page, problems) => {
        for (const [, path] of PAGES.filter(([by]) => by === who)) {
          await context.test(`${who}: ${path}`, async () => {
            await page.goto(`/console/${fill(path)}`);
            await expectAccessible(page, `${path}, ${look}`);
          });
        }
        for (const [, path, status] of REFUSALS.filter(([by]) => by === who)) {
          await context.test(`${who}: ${path} is refused`, async () => {
            await page.goto(`/console/${fill(path)}`);
            await page.getByRole("alert").waitFor();
            expectError(problems, status);
            await expectAccessible(page, `${path}, ${look}`);
          });
        }
      });
    }
  });

  test(`axe finds nothing in what a form answers: ${look}`, async () => {
    await visit(world.owner, options, async (page, problems) => {
      await page.goto("/console/access-keys/new");
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
