// The picture of the README. It is made again with UPDATE_SNAPSHOTS=1.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { Project, UPDATES, visit } from "./support.mjs";

const PICTURE = new URL("../../.github/console.png", import.meta.url).pathname;
const SIZE = { width: 1000, height: 560 };

async function makePicture() {
  const [owner, recipient] = [await Project.create("images"), await Project.create("shop")];
  await owner.enter("Acme Platform", "images");
  await recipient.enter("Acme Shops", "web");
  const images = [];
  for (const name of ["ubuntu-24.04-2026-10", "postgres-17", "ubuntu-24.04-2026-11", "debian-13"]) images.push(await owner.image(name));
  images.push(await owner.image("jump-host", { __whole_image: "true", __backup_id: "b", __system_disk_backup_gib: "40" }));
  await owner.share(images, [recipient]);
  await recipient.call("PUT", "/v1/cloudimages/members", { images: images.slice(0, 2), project_id: recipient.id, status: "accepted" });
  await visit(recipient, { viewport: SIZE }, async (page) => {
    await page.goto("/console/shared");
    await page.screenshot({ path: PICTURE });
  });
}

test("picture of the README is small", async () => {
  if (UPDATES) await makePicture();
  const png = await readFile(PICTURE);
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [SIZE.width, SIZE.height]);
  assert.ok(png.length < 100_000, `${png.length} bytes`);
});
