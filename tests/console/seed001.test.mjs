// Accepting or rejecting shared images, step by step as seed 001 has it: with the script, without any, and by keyboard alone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Project, hands, visit } from "./support.mjs";

const FULL_ECS = { __whole_image: "true", __backup_id: "b", __system_disk_backup_gib: "40", __data_disk_backup_gib: "60" };
const PENDING = "Images that wait for your answer";
const ACCEPTED = "Accepted images";

for (const [how, options, act] of hands) {
  test(`some images are accepted, and some rejected, ${how}`, async () => {
    const [owner, recipient] = [await Project.create("own"), await Project.create("mem")];
    await owner.enter(`Acme ${owner.id}`, "images");
    const images = [];
    for (const name of ["golden", "silver", "bronze"]) images.push(await owner.image(name));
    await owner.share(images, [recipient]);
    await visit(recipient, options, async (page) => {
      const go = act(page);
      await page.goto("/console");
      await go.press(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /Images Shared with Me/ }));
      const pending = page.getByRole("table", { name: PENDING });
      const accepted = page.getByRole("table", { name: ACCEPTED });
      // A message above the image list asks whether to accept the shared images.
      await page.getByRole("heading", { name: "3 images wait for your answer" }).waitFor();
      await pending.getByText(`Acme ${owner.id} / images`).first().waitFor();
      assert.equal(await accepted.count(), 0, "a pending image is not in the list");

      // Select the images and click Accept.
      await go.check(pending.getByRole("checkbox", { name: "Select golden" }));
      await go.press(page.getByRole("button", { name: "Accept", exact: true }).first());
      await page.getByRole("status").getByText("1 image is accepted").waitFor();
      await page.locator("#notice:focus").waitFor();
      await accepted.getByText("golden").waitFor();

      // Select the images and click Reject.
      await go.check(pending.getByRole("checkbox", { name: "Select silver" }));
      await go.press(page.getByRole("button", { name: "Reject", exact: true }).first());
      await page.getByRole("status").getByText("1 image is rejected").waitFor();
      await page.getByRole("heading", { name: "1 image waits for your answer" }).waitFor();
      assert.equal(await page.getByText("silver").count(), 0, "a rejected image is not in the list");

      // Click Rejected Images to view them, and still accept them.
      await go.press(page.getByRole("link", { name: "Rejected Images" }));
      await page.getByRole("heading", { level: 1, name: "Rejected Images" }).waitFor();
      await go.press(page.getByRole("button", { name: "Accept silver" }));
      await page.getByRole("status").getByText("1 image is accepted").waitFor();
      await page.goto("/console/shared");
      await accepted.getByText("silver").waitFor();
    });
  });

  test(`all images are accepted at once, full-ECS into a vault, ${how}`, async () => {
    const [owner, recipient] = [await Project.create("own"), await Project.create("mem")];
    const images = [await owner.image("golden"), await owner.image("whole", FULL_ECS)];
    await owner.share(images, [recipient]);
    await recipient.call("PUT", "/v1/vaults/small", { protection_type: "backup", capacity_gib: 50 });
    await visit(recipient, options, async (page) => {
      const go = act(page);
      await page.goto("/console/shared");
      await go.press(page.getByRole("link", { name: "Accept All" }));
      await page.getByRole("dialog", { name: "Accept Full-ECS Image" }).waitFor();
      await page.getByText("1 full-ECS image needs 100 GiB").waitFor();
      assert.ok(await page.getByRole("radio", { name: /^small/ }).isDisabled(), "a vault that is too small");

      // A vault is created first, with the selection kept.
      await go.press(page.getByRole("link", { name: "Create a vault" }));
      await go.fill(page.getByLabel("Vault ID"), "large");
      await go.fill(page.getByLabel("Capacity in GiB"), "200");
      await go.press(page.getByRole("button", { name: "OK" }));
      await page.getByRole("dialog", { name: "Accept Full-ECS Image" }).waitFor();
      await go.choose(page.getByRole("radio", { name: /^large/ }));
      await go.press(page.getByRole("button", { name: "OK" }));

      // It is one job, which a worker executes: its progress is shown until it ends.
      const notice = page.getByRole("status");
      if (options.javaScriptEnabled === false) {
        for (;;) {
          await notice.getByRole("link", { name: "Show the job" }).waitFor();
          if ((await notice.getByRole("link", { name: "Check again" }).count()) === 0) break;
          await go.press(notice.getByRole("link", { name: "Check again" }));
        }
      }
      await notice.getByText("2 images are accepted").waitFor();
      await page.goto("/console/shared");
      const whole = page.getByRole("table", { name: ACCEPTED }).getByRole("row", { name: /whole/ });
      await whole.getByText("large").waitFor();
      assert.equal(await page.getByRole("table", { name: PENDING }).count(), 0);
    });
  });
}

test("project with which nothing is shared learns what to check", async () => {
  const project = await Project.create("mem");
  await visit(project, {}, async (page) => {
    await page.goto("/console/shared");
    await page.getByText("check the region").waitFor();
    await page.getByText(project.id).last().waitFor();
  });
});
