// Images Shared with Me (seed 001).

import { test } from "node:test";

import { Project, visit } from "./support.mjs";

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? "" : " without script";

  test(`pending image is accepted${how}`, async () => {
    const [owner, recipient] = [await Project.create("own"), await Project.create("mem")];
    await owner.share([await owner.image("golden"), await owner.image("silver")], [recipient]);
    await visit(recipient, { javaScriptEnabled }, async (page) => {
      await page.goto("/console");
      await page.getByRole("link", { name: "Images Shared with Me" }).click();
      await page.getByText("2 images wait for your answer").waitFor();
      const pending = page.getByRole("table", { name: "Images that wait for your answer" });
      await pending.getByRole("checkbox", { name: "Select golden" }).check();
      await page.getByRole("button", { name: "Accept", exact: true }).first().click();
      await page.getByRole("status").getByText("1 image is accepted").waitFor();
      await page.getByText("1 image waits for your answer").waitFor();
      await page.getByRole("table", { name: "Accepted images" }).getByText("golden").waitFor();
    });
  });
}
