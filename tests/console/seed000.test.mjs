// Sharing specified images, step by step as seed 000 has it: with the script, without any, and by keyboard alone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Project, expectError, hands, visit } from "./support.mjs";

for (const [how, options, act] of hands) {
  test(`several images are shared with several projects by name, ${how}`, async () => {
    const owner = await Project.create("own");
    const [single, shop, web] = [await Project.create("single"), await Project.create("shop"), await Project.create("web")];
    await single.enter(`Single ${single.id}`, "only");
    await shop.enter(`Multi ${shop.id}`, "shop");
    await web.enter(`Multi ${shop.id}`, "web");
    for (const name of ["golden", "silver", "bronze"]) await owner.image(name);
    await visit(owner, options, async (page, problems) => {
      const go = act(page);
      const add = page.getByRole("button", { name: "Add", exact: true });
      const recipients = page.getByRole("table", { name: "Projects to share with" });
      await page.goto("/console");
      await go.press(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Private Images" }));

      // Select the private images to share and click Share above the image list.
      for (const name of ["golden", "silver"]) await go.check(page.getByRole("checkbox", { name: `Select ${name}` }));
      await go.press(page.getByRole("button", { name: "Share", exact: true }));
      await page.getByRole("dialog", { name: "Share Image" }).waitFor();

      // Enter the account name of the target tenant and click Add.
      await go.fill(page.getByLabel("Account name"), `Single ${single.id}`);
      await go.press(add);
      await recipients.getByText(single.id, { exact: true }).waitFor();

      // The project name is needed for an account of several projects; a wrong name is told at its field.
      await go.fill(page.getByLabel("Account name"), `Multi ${shop.id}`);
      await go.press(add);
      await page.getByRole("alert").getByText("has several projects").waitFor();
      expectError(problems, 400);
      assert.equal(await recipients.getByRole("row").count(), 2, "nothing but the first project is in the list");
      await go.fill(page.getByLabel("Project name"), "shop");
      await go.press(add);
      await recipients.getByText(shop.id, { exact: true }).waitFor();

      // Click OK.
      await page.getByText("2 images × 2 tenants = 4 shares.").waitFor();
      await go.press(page.getByRole("button", { name: "OK" }));
      await page.getByRole("status").getByText("4 shares are made").waitFor();
    });
    for (const project of [single, shop]) {
      const { images } = await project.call("GET", "/v2/cloudimages?__imagetype=shared&member_status=pending");
      assert.deepEqual(images.map(({ name }) => name).sort(), ["golden", "silver"]);
    }
    const none = await web.call("GET", "/v2/cloudimages?__imagetype=shared&member_status=pending");
    assert.equal(none.images.length, 0);
  });

  test(`a single image is shared from its row, and no longer shared, ${how}`, async () => {
    const [owner, recipient] = [await Project.create("own"), await Project.create("mem")];
    await owner.image("golden");
    await owner.image("silver");
    await visit(owner, options, async (page) => {
      const go = act(page);
      await page.goto("/console/images");
      await go.press(page.getByRole("row", { name: /golden/ }).getByRole("link", { name: /^Share/ }));
      await go.fill(page.getByLabel("Project IDs"), recipient.id);
      await go.press(page.getByRole("button", { name: "Add", exact: true }));
      await page.getByRole("table", { name: "Projects to share with" }).getByText(recipient.id, { exact: true }).waitFor();
      await go.press(page.getByRole("button", { name: "OK" }));
      await page.getByRole("status").getByText("1 share is made").waitFor();

      // The owner sees the project's status, and can stop sharing at any moment.
      await go.press(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Private Images" }));
      await go.press(page.getByRole("link", { name: "golden", exact: true }));
      const members = page.getByRole("table", { name: "Members" });
      await members.getByRole("row", { name: new RegExp(recipient.id) }).getByText("Pending").waitFor();
      await go.press(members.getByRole("link", { name: /^Stop sharing/ }));
      await page.getByText("1 project loses access at once").waitFor();
      await go.press(page.getByRole("button", { name: /^Stop sharing/ }));
      await page.getByRole("status").getByText("1 share has ended").waitFor();
    });
    const { images } = await recipient.call("GET", "/v2/cloudimages?__imagetype=shared&member_status=pending");
    assert.equal(images.length, 0);
  });
}

test("Esc leaves the dialog, and shares nothing", async () => {
  const owner = await Project.create("own");
  const image = await owner.image("golden");
  await visit(owner, {}, async (page) => {
    await page.goto(`/console/share-images?image=${image}`);
    await page.getByRole("dialog", { name: "Share Image" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("heading", { level: 1, name: "Private Images" }).waitFor();
  });
  assert.deepEqual((await owner.call("GET", `/v2/images/${image}/members`)).members, []);
});
